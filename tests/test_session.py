"""Contract C5: the user's device is the user's word, and a process uses what it may."""

import math
import subprocess
import sys

import numpy as np
import pytest

import mnistgen
from mnistgen import resources, session
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
    with pytest.raises(mnistgen.InputError, match="no device 'tpu': choose one of auto, cpu, gpu"):
        session.open_session(graph, "tpu")


class Runtime:
    """Stands in for an ONNX Runtime with CUDA built in and no GPU to run it on."""

    __version__ = "0"

    def __init__(self, opened):
        import onnxruntime

        self.SessionOptions = onnxruntime.SessionOptions
        self._opened = opened

    def get_available_providers(self):
        return [session.CUDA, session.CPU]

    def preload_dlls(self):
        print("Failed to load libcublas")

    def set_default_logger_severity(self, level):
        self.severity = level

    def InferenceSession(self, model, options, providers):  # noqa: N802
        import onnxruntime

        self._opened.append(providers)
        return onnxruntime.InferenceSession(model, options, providers=[session.CPU])


def test_the_gpu_is_refused_by_a_runtime_without_cuda(graph, monkeypatch):
    monkeypatch.setattr(Runtime, "get_available_providers", lambda self: [session.CPU])
    monkeypatch.setattr(session, "_import_runtime", lambda: Runtime([]))
    with pytest.raises(mnistgen.DeviceError, match=r"built for the CPU only: .*pip install 'mnistgen\[gpu\]'"):
        session.open_session(graph, "gpu")


def test_the_gpu_is_refused_when_the_session_did_not_get_it(graph, monkeypatch):
    opened = []
    monkeypatch.setattr(session, "_import_runtime", lambda: Runtime(opened))
    with pytest.raises(mnistgen.DeviceError, match="could not start CUDA"):
        session.open_session(graph, "gpu")
    assert opened == [[(session.CUDA, {"use_tf32": "0"}), session.CPU]]


def test_auto_falls_back_to_the_cpu_and_prints_nothing(graph, monkeypatch, capfd):
    runtime = Runtime([])
    monkeypatch.setattr(session, "_import_runtime", lambda: runtime)
    assert session.open_session(graph, "auto").get_providers() == [session.CPU]
    assert capfd.readouterr() == ("", "")
    assert runtime.severity == 2


def test_a_missing_runtime_is_told_with_the_command_that_installs_it(graph, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(mnistgen.MissingPackageError, match=r"pip install 'mnistgen\[cpu\]'"):
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
    monkeypatch.setattr(resources.os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    for granted, cores in ((math.inf, 8), (2.5, 3), (0.1, 1), (16.0, 8)):
        monkeypatch.setattr(resources, "_granted_cores", lambda *paths, granted=granted: granted)
        assert resources.usable_cores() == cores


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
    assert resources._granted_cores(tmp_path, tmp_path / "membership") == cores


def test_no_control_groups_are_no_quota(tmp_path):
    assert resources._granted_cores(tmp_path, tmp_path / "missing") == math.inf
