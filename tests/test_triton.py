"""`python -m export.triton`: a model repository that Triton can read, and the model `digits` in it.

`make serving` starts the real server with it (tests/triton_server.py), and test_triton_config.py parses its files.
"""

import hashlib
import importlib.util
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import MODELS, ROOT

pytest.importorskip("torch", reason="needs PyTorch, as all of export/")

from export import artifacts as writing
from export.triton import command
from mnistgen.manifest import Manifest

MANIFEST = Manifest(ROOT / "artifacts")
ONNX = (*MODELS, "verifier")
INFER = {"seed": np.uint64, "start": np.uint64, "n": np.uint32, "digit": np.int32}


def run(*arguments):
    options = ["--artifacts", str(ROOT / "artifacts")] if "--artifacts" not in arguments else []
    return CliRunner().invoke(command.main, [*map(str, arguments), *options])


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    folder = tmp_path_factory.mktemp("triton") / "models"
    done = run(folder)
    assert done.exit_code == 0, done.output
    return folder


def test_repository_has_every_artifact(repository):
    assert {path.name for path in repository.iterdir()} == {*ONNX, "digits"}
    for name in ONNX:
        artifact = MANIFEST.verifier if name == "verifier" else MANIFEST.model(name)
        content = (repository / name / "1" / "model.onnx").read_bytes()
        assert hashlib.sha256(content).hexdigest() == artifact.sha256
    assert (repository / "digits" / "1" / "cgan.onnx").read_bytes() == (ROOT / "artifacts" / "cgan.onnx").read_bytes()


def test_options_reach_every_configuration(tmp_path):
    assert run(tmp_path / "models", "--device", "gpu", "--instances", 3, "--model", "vae").exit_code == 0
    found = {path.parent.name: path.read_text() for path in tmp_path.glob("models/*/config.pbtxt")}
    assert set(found) == {"vae", "digits"}
    assert all("kind: KIND_GPU, count: 3" in text for text in found.values())


class TritonError(Exception):
    INVALID_ARG = 3

    def __init__(self, message, code=1):
        super().__init__(message)
        self.code = code


@pytest.fixture
def model(repository, monkeypatch):
    """The model `digits`, in place of Triton's Python backend."""
    backend = SimpleNamespace(
        Tensor=lambda name, array: (name, array),
        InferenceResponse=lambda tensors=(), error=None: SimpleNamespace(tensors=dict(tensors), error=error),
        TritonError=TritonError,
    )
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", backend)
    spec = importlib.util.spec_from_file_location("digits_model", repository / "digits" / "1" / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    one = module.TritonPythonModel()
    config = json.dumps({"parameters": {"model": {"string_value": "cgan"}}})
    one.initialize({"model_config": config, "model_instance_kind": "CPU"})
    yield one
    one.finalize()


def request(**given):
    def tensor(name, value):
        return SimpleNamespace(name=lambda: name, as_numpy=lambda: np.array(value, INFER[name]).reshape(-1))

    return SimpleNamespace(inputs=lambda: [tensor(*each) for each in given.items()])


@pytest.mark.parametrize(
    "given",
    [
        {"n": 20, "seed": 7},
        {"seed": 2**64 - 1, "start": 2**63 - 5, "n": 3, "digit": 5},
        {"seed": 1, "digit": [3]},
        {"seed": 1, "n": 2, "digit": [3, 4]},
    ],
)
def test_digits_are_those_of_generate(model, cgan, given):
    (answer,) = model.execute([request(**given)])
    np.testing.assert_array_equal(answer.tensors["image"], cgan.generate(**given))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"n": 1}, "seed is missing"),
        ({"seed": 1, "n": 401}, "n is 401; expected at most 400"),
        ({"seed": 1, "n": 0}, "n is 0"),
        ({"seed": 1, "digit": 10}, "digit is 10"),
        ({"seed": 1, "digit": []}, "digit is empty"),
        ({"seed": 1, "start": 2**63}, "start is"),
    ],
)
def test_invalid_request_does_not_fail_others(model, cgan, given, words):
    wrong, right = model.execute([request(**given), request(seed=1)])
    assert words in str(wrong.error)
    assert wrong.error.code == TritonError.INVALID_ARG
    np.testing.assert_array_equal(right.tensors["image"], cgan.generate(seed=1))


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--model", "wgan"), 2, "--model is wgan; expected one of vae"),
        (("--digits", "verifier"), 2, "--digits is verifier; expected one of vae"),
        (("--instances", 0), 2, "not in the range"),
        (("--artifacts", "nowhere"), 1, "--artifacts"),
    ],
)
def test_wrong_options(folder, options, code, words):
    done = run("models", *options)
    assert (done.exit_code, type(done.exception)) == (code, SystemExit)
    assert words in done.output
    assert list(folder.iterdir()) == []


def test_damaged_artifact(artifacts, folder):
    (artifacts / "gan.onnx").write_bytes(b"damaged")
    done = run("models", "--artifacts", artifacts)
    assert done.exit_code == 1
    assert "--artifacts" in done.output
    assert list(folder.iterdir()) == []


def test_failed_write_leaves_nothing(folder, monkeypatch):
    def fail(contents):
        raise OSError(28, "No space left on device", str(next(iter(contents))))

    monkeypatch.setattr(writing, "replace_files", fail)
    done = run("models")
    assert done.exit_code == 1
    assert "Nothing was changed" in done.output
    assert list(folder.iterdir()) == []


def test_second_export_changes_nothing_else(repository):
    own = repository / "mine" / "config.pbtxt"
    own.parent.mkdir()
    own.write_text("")
    before = {path: path.stat().st_mtime_ns for path in repository.rglob("*.*")}
    assert run(repository).exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in repository.rglob("*.*")} == before
    own.unlink()
    own.parent.rmdir()
