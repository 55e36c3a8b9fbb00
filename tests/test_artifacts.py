"""Shipped models match the manifest; damaged models and manifests are rejected."""

import hashlib
import json

import pytest
from conftest import MODELS, ROOT

import mnistgen
from mnistgen.manifest import Manifest


def manifest_of(folder):
    return json.loads((folder / "manifest.json").read_text())


def load_error(name, artifacts):
    with pytest.raises(mnistgen.ArtifactError) as caught:
        mnistgen.load(name, artifacts=artifacts)
    return caught.value.code


@pytest.mark.parametrize("name", MODELS)
def test_manifest_matches_shipped_files(name):
    model = Manifest(ROOT / "artifacts").model(name)
    file = (ROOT / "artifacts" / model.file).read_bytes()
    weights = (ROOT / "artifacts" / "weights" / f"{name.removesuffix('-int8')}.safetensors").read_bytes()
    assert (len(file), hashlib.sha256(file).hexdigest()) == (model.bytes, model.sha256)
    assert hashlib.sha256(weights).hexdigest() == model.weights_sha256
    if name == "cgan-int8":
        assert model.precision == "int8"
        assert 1e-3 < model.verification["largest_difference"] <= 0.5
    else:
        assert model.precision == "float32"
        assert model.verification["largest_difference"] <= 1e-5


@pytest.mark.parametrize(
    ("name", "recipe", "epochs"), [("vae", "tuned", 30), ("gan", "tuned", 20), ("cgan", "tuned", 30)]
)
def test_shipped_models_were_fully_trained(name, recipe, epochs):
    model = Manifest(ROOT / "artifacts").model(name)
    assert (model.recipe, model.epochs) == (recipe, epochs)
    assert model.training["final_metrics"]["epoch"] == epochs
    assert model.training_data == "MNIST, training set"
    assert len(model.git_revision) == 40


def test_damaged_model_is_rejected(artifacts):
    model = artifacts / "cgan.onnx"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    assert load_error("cgan", artifacts) == "model-hash-mismatch"


def test_truncated_model_is_rejected(artifacts):
    model = artifacts / "gan.onnx"
    model.write_bytes(model.read_bytes()[:1000])
    assert load_error("gan", artifacts) == "model-hash-mismatch"


def test_missing_model_is_reported(artifacts):
    (artifacts / "vae.onnx").unlink()
    assert load_error("vae", artifacts) == "model-missing"


def test_invalid_model_with_right_hash_is_rejected(artifacts):
    (artifacts / "vae.onnx").write_bytes(b"no model")
    manifest = manifest_of(artifacts)
    manifest["models"]["vae"]["sha256"] = hashlib.sha256(b"no model").hexdigest()
    (artifacts / "manifest.json").write_text(json.dumps(manifest))
    assert load_error("vae", artifacts) == "model-refused"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "manifest-damaged"),
        ("[]", "manifest-damaged"),
        ('{"schema": "1.0", "models": {"cgan": {}}}', "manifest-damaged"),
        ('{"schema": "2.0", "models": {}}', "schema-unknown"),
        (None, "manifest-damaged"),  # a value of the wrong type
        ('{"schema": "new", "models": {}}', "manifest-damaged"),
    ],
)
def test_invalid_manifest_is_rejected(artifacts, text, code):
    if text is None:
        manifest = manifest_of(artifacts)
        manifest["models"]["vae"]["latent_size"] = "2"
        text = json.dumps(manifest)
    (artifacts / "manifest.json").write_text(text)
    assert load_error("cgan", str(artifacts)) == code


def test_newer_minor_schema_is_accepted(artifacts):
    manifest = manifest_of(artifacts)
    manifest["schema"] = "1.7"
    manifest["models"]["cgan"]["new"] = "fact"
    (artifacts / "manifest.json").write_text(json.dumps(manifest))
    assert mnistgen.load("cgan", artifacts=artifacts).model.name == "cgan"


def test_missing_manifest_is_reported(tmp_path):
    assert load_error("cgan", tmp_path) == "manifest-missing"


def test_unknown_model_lists_valid_names():
    with pytest.raises(mnistgen.UnknownModelError, match="vae, gan, cgan, cgan-int8"):
        mnistgen.load("dcgan")
