"""Contract C5: the user's device is the user's word, and a process uses what it may."""

import math
import pickle
import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest
from fakes import LIBRARY, Runtime

import mnistgen
from mnistgen import cli
from mnistgen.inference import cpu, cuda, session
from mnistgen.manifest import Manifest, artifacts_folder


@pytest.fixture
def graph(cgan) -> bytes:
    """A model's bytes."""
    return Manifest(artifacts_folder()).read_bytes(cgan.model)


def test_the_cpu_is_used_when_asked_for(graph):
    assert session.open_session(graph, "cpu").get_providers() == [session.CPU]


def test_auto_takes_what_there_is(cgan):
    assert mnistgen.load("cgan", device="auto").provider in (session.CPU, session.CUDA)


def test_bound_runs_give_what_others_give(graph, cgan):
    opened = session.open_session(graph, "cpu")
    feed = {"z": cgan.latents(5), "label": np.eye(10, dtype=np.float32)[:5]}
    np.testing.assert_array_equal(session.run_bound(opened, feed), session.run_session(opened, feed))


def test_an_unknown_device_is_refused(graph):
    with pytest.raises(mnistgen.InputError, match="no device 'tpu': choose one of auto, cpu, gpu, cuda"):
        session.open_session(graph, "tpu")


ONNX_RUNTIMES_WORDS = """*************** EP Error ***************
EP Error /onnxruntime_src/onnxruntime/core/providers/cuda/cuda_call.cc:154 onnxruntime::CudaCall(ERRTYPE, const char*) \
[with ERRTYPE = cudaError] CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version ; GPU=-1 ; \
hostname=vm ; expr=cudaSetDevice(info_.device_id);

 when using [('CUDAExecutionProvider', {'use_tf32': '0'}), 'CPUExecutionProvider']
Falling back to ['CPUExecutionProvider'] and retrying.
"""


def refusal(graph, device="gpu"):
    with pytest.raises(mnistgen.DeviceError) as refused:
        session.open_session(graph, device)
    return str(refused.value)


@pytest.mark.parametrize("device", ["gpu", "cuda"])
def test_the_gpu_is_refused_by_a_runtime_without_cuda(graph, system, packages, device):
    packages("onnxruntime")
    system(Runtime(providers=[session.CPU]))
    assert refusal(graph, device) == (
        "The installed ONNX Runtime is built for the CPU only: "
        "pip uninstall -y onnxruntime && pip install 'mnistgen[gpu]', or choose the device cpu."
    )


def test_two_builds_over_each_other_are_told_with_their_repair(graph, system, packages):
    packages("onnxruntime", "onnxruntime-gpu")
    repair = "pip uninstall -y onnxruntime onnxruntime-gpu && pip install 'mnistgen[gpu]', or choose the device cpu."
    for providers in ([session.CPU], [session.CUDA, session.CPU]):
        system(Runtime(providers))
        assert refusal(graph) == f"onnxruntime and onnxruntime-gpu are installed over each other: {repair}"


def test_builds_in_two_folders_and_packages_of_a_similar_name_are_not_over_each_other(packages):
    packages("onnxruntime", folder="hidden")
    packages("onnxruntime-extensions", file="onnxruntime_extensions/__init__.py")
    packages("onnxruntime-gpu")
    assert cuda.builds() == ["onnxruntime-gpu"]
    assert cuda.mixed() is None


def test_a_missing_driver_is_told(graph, system, packages):
    packages("onnxruntime-gpu")
    runtime = system(Runtime(), **{"libcuda.so.1": "libcuda.so.1: cannot open shared object file"})
    assert refusal(graph).startswith("There is no NVIDIA driver (libcuda.so.1 cannot be loaded): install the driver")
    assert runtime.opened == [[(session.CUDA, {"use_tf32": "0"}), session.CPU]]


def test_missing_libraries_of_cuda_are_named(graph, system, packages):
    packages("onnxruntime-gpu")
    preloading = (
        "Failed to load /site-packages/nvidia/cudnn/lib/libcudnn.so.9: invalid ELF header\n"
        "Failed to load libcublas.so.13: libcublas.so.13: cannot open shared object file: No such file or directory\n"
        "Please follow https://onnxruntime.ai/docs/install/#cuda-and-cudnn to install CUDA."
    )
    first = "libcublasLt.so.13: cannot open shared object file: No such file or directory"
    system(Runtime(preloading=preloading), **{LIBRARY: first})
    assert refusal(graph) == (
        "Libraries of CUDA or cuDNN are missing (libcublasLt.so.13, libcublas.so.13): "
        "pip install 'mnistgen[gpu]', or choose the device cpu."
    )


def test_what_else_keeps_cuda_from_starting_is_told_in_onnx_runtimes_own_first_words(graph, system, packages):
    packages("onnxruntime-gpu")
    system(Runtime(starting=ONNX_RUNTIMES_WORDS))
    reason = "CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version"
    assert refusal(graph) == (
        f"ONNX Runtime could not start CUDA ({reason}): see that nvidia-smi lists a GPU, "
        "and that its driver is new enough for CUDA 13.0, or choose the device cpu."
    )
    system(Runtime(), **{LIBRARY: f"{LIBRARY}: undefined symbol: cuInit"})
    assert f"ONNX Runtime could not start CUDA ({LIBRARY}: undefined symbol: cuInit)" in refusal(graph)
    system(Runtime())
    assert "ONNX Runtime could not start CUDA (it does not say why)" in refusal(graph)


def test_macos_is_not_sent_for_a_package_that_it_cannot_have(graph, system, monkeypatch):
    system(Runtime(providers=[session.CPU]))
    monkeypatch.setattr(cuda.sys, "platform", "darwin")
    assert refusal(graph) == "There is no CUDA on macOS: choose the device cpu."


@pytest.mark.parametrize("device", ["auto", "gpu", "cuda"])
def test_a_session_on_the_gpu_is_taken_and_stays_there(graph, system, device):
    system(Runtime(starts=True))
    opened, fault = session.open_device(graph, device)
    assert opened.get_providers()[0] == session.CUDA
    assert not opened.may_fall_back
    assert fault is None


def test_auto_takes_a_runtime_for_the_cpu_as_it_is(system, recwarn):
    system(Runtime(providers=[session.CPU]))
    assert mnistgen.load("vae", device="auto").provider == session.CPU
    assert not recwarn


def test_auto_falls_back_to_the_cpu_and_prints_nothing(graph, system, capfd):
    runtime = system(Runtime(preloading="Failed to load libcublas"))
    assert session.open_session(graph, "auto").get_providers() == [session.CPU]
    assert capfd.readouterr() == ("", "")
    assert runtime.severity == 2


def test_auto_warns_once_for_each_generator_where_it_was_called_for(system):
    system(Runtime(), **{"libcuda.so.1": "cannot open"})
    with pytest.warns(mnistgen.DeviceWarning) as caught:
        loaded = mnistgen.load("vae")
    loaded.generate()  # which would raise another warning, as would what follows
    pickle.loads(pickle.dumps(loaded)).generate()
    assert [warning.filename for warning in caught] == [__file__]
    assert str(caught[0].message).startswith("Falling back to the CPU. There is no NVIDIA driver (libcuda.so.1")


def test_the_command_tells_a_fallback_in_one_line_but_not_when_quiet(run, folder, system):
    system(Runtime(), **{"libcuda.so.1": "cannot open"})
    code, out, err = run("--seed", "1")
    assert (code, out) == (0, "cgan-digit0-seed1.png  seed 1  CPUExecutionProvider\n")
    assert err.startswith("mnistgen-run: Falling back to the CPU. There is no NVIDIA driver")
    assert err.count("\n") == 1
    assert run("--seed", "1", "--quiet") == (0, "", "")
    assert run("--seed", "1", "--device", "cpu")[2] == ""
    two = ("--model", "vae", "--model", "gan", "--batch", "1", "--seconds", "0")
    assert run("bench", *two, command=cli.mnistgen)[2].count("\n") == 1


def test_the_command_fails_where_the_gpu_cannot_be_had(run, folder, system):
    system(Runtime(), **{"libcuda.so.1": "cannot open"})
    code, out, err = run("--device", "cuda")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("mnistgen-run: There is no NVIDIA driver")
    assert not list(folder.iterdir())


def test_a_missing_runtime_is_told_with_the_command_that_installs_it(graph, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(mnistgen.MissingPackageError, match=r"pip install 'mnistgen\[cpu\]'"):
        session.open_session(graph, "cpu")


def test_what_is_left_of_two_builds_after_one_was_uninstalled_is_told(graph, packages, monkeypatch):
    packages("onnxruntime-gpu")
    monkeypatch.setitem(sys.modules, "onnxruntime", ModuleType("onnxruntime"))
    with pytest.raises(mnistgen.MissingPackageError, match="pip uninstall -y onnxruntime-gpu && pip install"):
        session.open_session(graph, "cpu")


def test_telemetry_is_off_before_onnxruntime_is_imported():
    code = """
import builtins, os
original = builtins.__import__
def note(name, *rest):
    if name == "onnxruntime":
        print(os.environ.get("ORT_DISABLE_TELEMETRY"))
    return original(name, *rest)
builtins.__import__ = note
import mnistgen
mnistgen.load("vae", device="cpu")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {"1"}


def test_a_process_uses_the_cores_of_its_affinity_and_quota(tmp_path, monkeypatch):
    monkeypatch.setattr(cpu.os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    for granted, cores in ((math.inf, 8), (2.5, 3), (0.1, 1), (16.0, 8)):
        monkeypatch.setattr(cpu, "_granted_cores", lambda *paths, granted=granted: granted)
        assert cpu.usable_cores() == cores


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, math.inf),
        ({"cpu.max": "max 100000\n"}, math.inf),
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"job/cpu.max": "max 100000\n", "cpu.max": "400000 100000\n"}, 4),
        ({"job/cpu.max": "50000 100000\n", "cpu.max": "400000 100000\n"}, 0.5),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, math.inf),
    ],
)
def test_quotas_of_control_groups_are_read(tmp_path, files, cores):
    for name, text in {**files, "membership": "0::/job\n"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert cpu._granted_cores(tmp_path, tmp_path / "membership") == cores


def test_no_control_groups_are_no_quota(tmp_path):
    assert cpu._granted_cores(tmp_path, tmp_path / "missing") == math.inf
