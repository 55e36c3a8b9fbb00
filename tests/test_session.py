"""Devices and cores (contract C5): the requested device is used, or the error says why not."""

import math
import os
import pickle
import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest
from fakes import LIBRARY, Runtime

import mnistgen
from mnistgen.cli import group
from mnistgen.errors import ArtifactError, install_command
from mnistgen.inference import cpu, cuda, session
from mnistgen.manifest import Manifest, artifacts_folder


@pytest.fixture
def graph(cgan) -> bytes:
    """The bytes of a model."""
    return Manifest(artifacts_folder()).read_bytes(cgan.model)


def test_cpu_session(graph):
    assert session.open_session(graph, "cpu").get_providers() == [session.CPU]


def test_auto_uses_available_device(cgan):
    assert mnistgen.load("cgan", device="auto").provider in (session.CPU, session.CUDA)


def test_io_binding_gives_equal_images(graph, cgan):
    opened = session.open_session(graph, "cpu")
    inputs = {"z": cgan.latents(5), "label": np.eye(10, dtype=np.float32)[:5]}
    np.testing.assert_array_equal(session.run_bound(opened, inputs), session.run_session(opened, inputs))


def test_unknown_device_is_rejected(graph):
    with pytest.raises(mnistgen.InputError, match="'tpu'; expected one of auto, cpu, gpu, cuda"):
        session.open_session(graph, "tpu")


EP_ERROR = """*************** EP Error ***************
EP Error /onnxruntime_src/onnxruntime/core/providers/cuda/cuda_call.cc:154 onnxruntime::CudaCall(ERRTYPE, const char*) \
[with ERRTYPE = cudaError] CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version ; GPU=-1 ; \
hostname=vm ; expr=cudaSetDevice(info_.device_id);

 when using [('CUDAExecutionProvider', {'use_tf32': '0'}), 'CPUExecutionProvider']
Falling back to ['CPUExecutionProvider'] and retrying.
"""


def device_error(graph, device="gpu"):
    with pytest.raises(mnistgen.DeviceError) as caught:
        session.open_session(graph, device)
    assert "use the device cpu" in caught.value.remedy.lower()
    return caught.value


@pytest.mark.parametrize("device", ["gpu", "cuda"])
def test_gpu_needs_a_gpu_build(graph, system, packages, device):
    packages("onnxruntime")
    system(Runtime(providers=[session.CPU]))
    error = device_error(graph, device)
    assert error.code == "cuda-not-built"
    assert f"pip uninstall -y onnxruntime && {install_command('gpu')}" in error.remedy


def test_mixed_builds_are_reported(graph, system, packages):
    packages("onnxruntime", "onnxruntime-gpu")
    for providers in ([session.CPU], [session.CUDA, session.CPU]):
        system(Runtime(providers))
        error = device_error(graph)
        assert error.code == "builds-mixed"
        assert "onnxruntime and onnxruntime-gpu" in error.problem
        assert f"pip uninstall -y onnxruntime onnxruntime-gpu && {install_command('gpu')}" in error.remedy


def test_hidden_and_similar_packages_are_ignored(packages):
    packages("onnxruntime", folder="hidden")
    packages("onnxruntime-extensions", file="onnxruntime_extensions/__init__.py")
    packages("onnxruntime-gpu")
    assert cuda.builds() == ["onnxruntime-gpu"]
    assert cuda.mixed() is None


def test_missing_driver_is_reported(graph, system, packages):
    packages("onnxruntime-gpu")
    runtime = system(Runtime(), **{"libcuda.so.1": "libcuda.so.1: cannot open shared object file"})
    error = device_error(graph)
    assert error.code == "driver-missing"
    assert "libcuda.so.1" in error.problem
    assert runtime.opened == [[(session.CUDA, session.CUDA_OPTIONS), session.CPU]]


def test_missing_cuda_libraries_are_named(graph, system, packages):
    packages("onnxruntime-gpu")
    preloading = (
        "Failed to load /site-packages/nvidia/cudnn/lib/libcudnn.so.9: invalid ELF header\n"
        "Failed to load libcublas.so.13: libcublas.so.13: cannot open shared object file: No such file or directory\n"
        "Please follow https://onnxruntime.ai/docs/install/#cuda-and-cudnn to install CUDA."
    )
    first = "libcublasLt.so.13: cannot open shared object file: No such file or directory"
    system(Runtime(preloading=preloading), **{LIBRARY: first})
    error = device_error(graph)
    assert error.code == "libraries-missing"
    assert "(libcublasLt.so.13, libcublas.so.13)" in error.problem
    assert install_command("gpu") in error.remedy


def test_other_cuda_failures_quote_runtime(graph, system, packages):
    packages("onnxruntime-gpu")
    system(Runtime(starting=EP_ERROR))
    error = device_error(graph)
    assert error.code == "cuda-failed"
    assert "(CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version)" in error.problem
    assert "nvidia-smi" in error.remedy
    assert "CUDA 13.0" in error.remedy
    system(Runtime(), **{LIBRARY: f"{LIBRARY}: undefined symbol: cuInit"})
    assert f"({LIBRARY}: undefined symbol: cuInit)" in device_error(graph).problem
    system(Runtime())
    assert "(it gives no reason)" in device_error(graph).problem


def test_macos_gets_no_gpu_package(graph, system, monkeypatch):
    system(Runtime(providers=[session.CPU]))
    monkeypatch.setattr(cuda.sys, "platform", "darwin")
    error = device_error(graph)
    assert (error.code, error.remedy) == ("cuda-not-built", "Use the device cpu")


@pytest.mark.parametrize("device", ["auto", "gpu", "cuda"])
def test_gpu_session_does_not_fall_back(graph, system, device):
    system(Runtime(starts=True))
    opened, fault = session.open_device(graph, device)
    assert opened.get_providers()[0] == session.CUDA
    assert not opened.may_fall_back
    assert fault is None


def test_auto_accepts_cpu_build_silently(system, recwarn):
    system(Runtime(providers=[session.CPU]))
    assert mnistgen.load("vae", device="auto").provider == session.CPU
    assert not recwarn


def test_auto_falls_back_without_printing(graph, system, capfd):
    runtime = system(Runtime(preloading="Failed to load libcublas"))
    assert session.open_session(graph, "auto").get_providers() == [session.CPU]
    assert capfd.readouterr() == ("", "")
    assert runtime.severity == 2


def test_fallback_warns_once_per_generator(system):
    system(Runtime(), **{"libcuda.so.1": "cannot open"})
    with pytest.warns(mnistgen.DeviceWarning) as caught:
        loaded = mnistgen.load("vae")
    loaded.generate()  # pytest turns another warning into an error
    pickle.loads(pickle.dumps(loaded)).generate()
    assert [warning.filename for warning in caught] == [__file__]
    assert str(caught[0].message).startswith("Falling back to the CPU. No NVIDIA driver is installed (libcuda.so.1")


def test_command_reports_fallback_unless_quiet(run, folder, system):
    system(Runtime(), **{"libcuda.so.1": "cannot open"})
    code, out, err = run("--seed", "1")
    assert (code, out) == (0, "cgan-digit0-seed1.png  seed 1  CPUExecutionProvider\n")
    assert err.startswith("mnistgen-run: Falling back to the CPU. No NVIDIA driver")
    assert err.count("\n") == 1
    assert run("--seed", "1", "--quiet") == (0, "", "")
    assert run("--seed", "1", "--device", "cpu")[2] == ""
    two = ("--model", "vae", "--model", "gan", "--batch", "1", "--seconds", "0")
    assert run("bench", *two, command=group.mnistgen)[2].count("\n") == 1


def test_command_fails_without_gpu(run, folder, system):
    system(Runtime(), **{"libcuda.so.1": "cannot open"})
    code, out, err = run("--device", "cuda")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("mnistgen-run: No NVIDIA driver")
    assert not list(folder.iterdir())


def test_missing_runtime_names_install_command(graph, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(mnistgen.MissingPackageError) as caught:
        session.open_session(graph, "cpu")
    assert install_command("cpu") in caught.value.remedy


def test_damaged_runtime_names_repair_command(graph, packages, monkeypatch):
    packages("onnxruntime-gpu")
    monkeypatch.setitem(sys.modules, "onnxruntime", ModuleType("onnxruntime"))
    with pytest.raises(mnistgen.MissingPackageError) as caught:
        session.open_session(graph, "cpu")
    assert caught.value.code == "runtime-damaged"
    assert "pip uninstall -y onnxruntime-gpu && pip install" in caught.value.remedy


def test_telemetry_is_off_before_import():
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
    unset = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=unset)
    assert set(done.stdout.split()) == {"1"}


def test_usable_cores_respect_affinity_and_quota(tmp_path, monkeypatch):
    monkeypatch.setattr(cpu.os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    for granted, cores in ((math.inf, 8), (2.5, 3), (0.1, 1), (16.0, 8)):
        monkeypatch.setattr(cpu, "_cgroup_cores", lambda *paths, granted=granted: granted)
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
def test_cgroup_quotas_are_read(tmp_path, files, cores):
    for name, text in {**files, "membership": "0::/job\n"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert cpu._cgroup_cores(tmp_path, tmp_path / "membership") == cores


def test_no_cgroups_means_no_quota(tmp_path):
    assert cpu._cgroup_cores(tmp_path, tmp_path / "missing") == math.inf


def test_rounding_outside_the_range_is_clipped():
    images = np.full((2, 1, 28, 28), 0.5, np.float32)
    images[0, 0, 0, :2] = -5.96e-08, 1.0000001
    session.check_images(images, 2, "vae")
    assert (images.min(), images.max()) == (0, 1)
    images[0, 0, 0, 0] = -1e-5
    with pytest.raises(ArtifactError, match="range from"):
        session.check_images(images, 2, "vae")
