"""Shared fixtures: the shipped models, a writable copy of the artifacts, the CLI, MNIST."""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before any test imports ONNX Runtime

import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from fakes import packages, system  # noqa: F401 - fixtures

import mnistgen
from mnistgen.cli import group, shared
from mnistgen.cli.run import command as run_command

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for programs in the background

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # each worker has a core; PyTorch would take all of them

ROOT = Path(__file__).parents[1]
TRAINED = ("vae", "gan", "cgan")
PACKAGED = (*TRAINED, "cgan-int8")
"""Models in the wheel."""
FLOAT16 = tuple(f"{name}-fp16" for name in TRAINED)
MODELS = (*PACKAGED, *FLOAT16)
MNIST = Path(os.environ.get("MNISTGEN_DATA", ROOT / "data")).absolute()


@pytest.fixture(scope="session", params=PACKAGED)
def generator(request: pytest.FixtureRequest) -> mnistgen.Generator:
    """A generator for each model of the wheel, on the CPU."""
    return mnistgen.load(request.param, device="cpu")


@pytest.fixture(scope="session")
def cgan() -> mnistgen.Generator:
    """The CGAN's generator, on the CPU."""
    return mnistgen.load("cgan", device="cpu")


@pytest.fixture(scope="session")
def cgan_int8() -> mnistgen.Generator:
    return mnistgen.load("cgan-int8", device="cpu")


@pytest.fixture
def artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A writable copy of the artifacts, from which the CLI loads its models."""
    copy = tmp_path / "artifacts"
    copy.mkdir()
    for file in (*(ROOT / "artifacts").glob("*.onnx"), ROOT / "artifacts" / "manifest.json"):
        shutil.copy(file, copy)
    monkeypatch.setattr(shared, "artifacts_folder", lambda: copy)
    return copy


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, set as the current directory."""
    empty = tmp_path / "here"
    empty.mkdir()
    monkeypatch.chdir(empty)
    return empty


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Call `mnistgen-run` (or `command`) in this process; return the exit code, stdout and stderr."""

    def call(*arguments: str, command: click.Command = run_command) -> tuple[int, str, str]:
        code = shared.call(command, "mnistgen-run", list(arguments))
        return code, *capfd.readouterr()

    return call


@pytest.fixture
def call(run: Callable[..., tuple[int, str, str]]) -> Callable[..., tuple[int, str, str]]:
    """Call `mnistgen` with arguments; return exit code, stdout and stderr."""
    return lambda *arguments: run(*arguments, command=group.mnistgen)


@pytest.fixture(scope="session")
def mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of MNIST's four files in torchvision's layout; skips if MNIST is not available."""
    original = MNIST / "MNIST" / "raw"
    if len(list(original.glob("*.gz"))) != 4:
        pytest.skip("needs MNIST in data/ or in the folder named by MNISTGEN_DATA")
    copy = tmp_path_factory.mktemp("mnist")
    (copy / "MNIST" / "raw").mkdir(parents=True)
    for file in original.glob("*.gz"):
        shutil.copyfile(file, copy / "MNIST" / "raw" / file.name)
    return copy
