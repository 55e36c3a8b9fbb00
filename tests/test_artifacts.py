"""Contracts C2 and C3: the models that ship, and what happens when they are not as the manifest says."""

import hashlib
import json

import pytest
from conftest import MODELS, ROOT

import mnistgen
from mnistgen.manifest import Manifest


def manifest_of(folder):
    return json.loads((folder / "manifest.json").read_text())


@pytest.mark.parametrize("name", MODELS)
def test_the_manifest_is_true_of_the_files_that_ship(name):
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
def test_what_ships_was_trained_to_the_full_number_of_epochs_on_all_of_mnist(name, recipe, epochs):
    model = Manifest(ROOT / "artifacts").model(name)
    assert (model.recipe, model.epochs) == (recipe, epochs)
    assert model.training["final_metrics"]["epoch"] == epochs
    assert model.training_data == "MNIST, training set"
    assert len(model.git_revision) == 40


def test_a_damaged_model_is_refused_before_it_is_opened(artifacts):
    model = artifacts / "cgan.onnx"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    with pytest.raises(mnistgen.ArtifactError, match=r"cgan.onnx is damaged .* install mnistgen anew"):
        mnistgen.load("cgan", artifacts=artifacts)


def test_a_truncated_model_is_refused(artifacts):
    model = artifacts / "gan.onnx"
    model.write_bytes(model.read_bytes()[:1000])
    with pytest.raises(mnistgen.ArtifactError, match="damaged"):
        mnistgen.load("gan", artifacts=artifacts)


def test_a_missing_model_is_told(artifacts):
    (artifacts / "vae.onnx").unlink()
    with pytest.raises(mnistgen.ArtifactError, match="No such file"):
        mnistgen.load("vae", artifacts=artifacts)


def test_a_file_that_is_no_model_is_refused_though_its_hash_is_right(artifacts):
    (artifacts / "vae.onnx").write_bytes(b"no model")
    manifest = manifest_of(artifacts)
    manifest["models"]["vae"]["sha256"] = hashlib.sha256(b"no model").hexdigest()
    (artifacts / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(mnistgen.ArtifactError, match="cannot open the model"):
        mnistgen.load("vae", artifacts=artifacts)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "damaged"),
        ("[]", "no manifest of mnistgen"),
        ('{"schema": "1.0", "models": {"cgan": {}}}', "no manifest of mnistgen"),
        ('{"schema": "2.0", "models": {}}', r"has schema 2.0, and this mnistgen reads 1.0"),
        (None, "no manifest of mnistgen"),  # the true one, but for a type
        ('{"schema": "new", "models": {}}', "no manifest of mnistgen"),
    ],
)
def test_a_foreign_manifest_is_refused(artifacts, text, words):
    if text is None:
        manifest = manifest_of(artifacts)
        manifest["models"]["vae"]["latent_size"] = "2"
        text = json.dumps(manifest)
    (artifacts / "manifest.json").write_text(text)
    with pytest.raises(mnistgen.ArtifactError, match=words):
        mnistgen.load("cgan", artifacts=str(artifacts))


def test_a_later_minor_schema_is_read(artifacts):
    manifest = manifest_of(artifacts)
    manifest["schema"] = "1.7"
    manifest["models"]["cgan"]["new"] = "fact"
    (artifacts / "manifest.json").write_text(json.dumps(manifest))
    assert mnistgen.load("cgan", artifacts=artifacts).model.name == "cgan"


def test_a_missing_manifest_is_told(tmp_path):
    with pytest.raises(mnistgen.ArtifactError, match="There is no manifest"):
        mnistgen.load("cgan", artifacts=tmp_path)


def test_an_unknown_model_is_refused_with_the_names_of_those_that_there_are():
    with pytest.raises(mnistgen.UnknownModelError, match="no model 'dcgan': choose one of vae, gan, cgan, cgan-int8"):
        mnistgen.load("dcgan")
