"""The shipped models and their manifest (contracts C2 and C3), and damaged ones."""

import hashlib
import io
import json

import pytest
from conftest import FLOAT16, MODELS, ROOT
from PIL import Image

import mnistgen
from mnistgen.manifest import Manifest


def manifest_of(folder):
    return json.loads((folder / "manifest.json").read_text())


@pytest.mark.parametrize("name", MODELS)
def test_manifest_describes_shipped_files(name):
    model = Manifest(ROOT / "artifacts").model(name)
    file = (ROOT / "artifacts" / model.file).read_bytes()
    weights = (ROOT / "artifacts" / "weights" / f"{name.partition('-')[0]}.safetensors").read_bytes()
    assert (len(file), hashlib.sha256(file).hexdigest()) == (model.bytes, model.sha256)
    assert hashlib.sha256(weights).hexdigest() == model.weights_sha256
    if name == "cgan-int8":
        assert model.precision == "int8"
        assert 1e-3 < model.verification["largest_difference"] <= 0.5
    elif name in FLOAT16:
        assert model.precision == "float16"
        assert 1e-4 < model.verification["largest_difference"] <= 1 / 255
    else:
        assert model.precision == "float32"
        assert model.verification["largest_difference"] <= 1e-5


@pytest.mark.parametrize(
    ("name", "recipe", "epochs"), [("vae", "tuned", 40), ("gan", "tuned", 20), ("cgan", "tuned", 20)]
)
def test_shipped_models_are_fully_trained(name, recipe, epochs):
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
    with pytest.raises(mnistgen.ArtifactError, match=r"cgan.onnx") as caught:
        mnistgen.load("cgan", artifacts=artifacts)
    assert caught.value.code == "model-hash-mismatch"


def test_truncated_model_is_rejected(artifacts):
    model = artifacts / "gan.onnx"
    model.write_bytes(model.read_bytes()[:1000])
    with pytest.raises(mnistgen.ArtifactError) as caught:
        mnistgen.load("gan", artifacts=artifacts)
    assert caught.value.code == "model-hash-mismatch"


def test_missing_model_is_reported(artifacts):
    (artifacts / "vae.onnx").unlink()
    with pytest.raises(mnistgen.ArtifactError, match="No such file") as caught:
        mnistgen.load("vae", artifacts=artifacts)
    assert caught.value.code == "model-missing"


def test_non_model_with_right_hash_is_rejected(artifacts):
    (artifacts / "vae.onnx").write_bytes(b"no model")
    manifest = manifest_of(artifacts)
    manifest["models"]["vae"]["sha256"] = hashlib.sha256(b"no model").hexdigest()
    (artifacts / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(mnistgen.ArtifactError) as caught:
        mnistgen.load("vae", artifacts=artifacts)
    assert caught.value.code == "model-refused"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "manifest-damaged"),
        ("[]", "manifest-damaged"),
        ('{"schema": "1.0", "models": {"cgan": {}}}', "manifest-damaged"),
        ('{"schema": "2.0", "models": {}}', "schema-unknown"),
        ('{"schema": "new", "models": {}}', "manifest-damaged"),
    ],
)
def test_foreign_manifest_is_rejected(artifacts, text, code):
    (artifacts / "manifest.json").write_text(text)
    with pytest.raises(mnistgen.ArtifactError) as caught:
        mnistgen.load("cgan", artifacts=str(artifacts))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("latent_size", "2"),
        ("label_bias", [0] * 10),
        ("label_bias", [0]),
        ("label_bias", None),
        ("label_temperature", 0.1),
        ("label_map", ["0" * 128] * 127),
        ("label_map", ["x" * 128] * 128),
        ("label_temperature", -1),
    ],
)
def test_wrong_fact_is_rejected(artifacts, field, value):
    manifest = manifest_of(artifacts)
    manifest["models"]["vae"][field] = value
    (artifacts / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(mnistgen.ArtifactError) as caught:
        mnistgen.load("cgan", artifacts=artifacts)
    assert caught.value.code == "manifest-damaged"


def test_later_minor_schema_is_read(artifacts):
    manifest = manifest_of(artifacts)
    manifest["schema"] = "1.7"
    manifest["models"]["cgan"]["new"] = "fact"
    (artifacts / "manifest.json").write_text(json.dumps(manifest))
    assert mnistgen.load("cgan", artifacts=artifacts).model.name == "cgan"


def test_missing_manifest_is_reported(tmp_path):
    with pytest.raises(mnistgen.ArtifactError) as caught:
        mnistgen.load("cgan", artifacts=tmp_path)
    assert caught.value.code == "manifest-missing"


def test_unknown_model_lists_models():
    with pytest.raises(mnistgen.UnknownModelError, match=f"'dcgan'; expected one of {', '.join(MODELS)}") as caught:
        mnistgen.load("dcgan")
    assert caught.value.code == "unknown-model"


def test_only_changed_files_are_written(tmp_path):
    pytest.importorskip("onnxscript")  # without it, the package export exits
    write_artifacts = pytest.importorskip("export.artifacts").write_artifacts
    picture = Image.linear_gradient("L")

    def png(image: Image.Image, level: int) -> bytes:
        file = io.BytesIO()
        image.save(file, "PNG", compress_level=level)
        return file.getvalue()

    before = {"model.onnx": b"model", "old.txt": b"old", "same.png": png(picture, 1), "damaged.png": b"\x89PNG"}
    before["other.png"] = png(picture, 1)
    for name, content in before.items():
        (tmp_path / name).write_bytes(content)
    files = {name: (tmp_path / name).stat().st_ino for name in before}
    after = {**before, "old.txt": b"new", "same.png": png(picture, 9), "damaged.png": png(picture, 9), "new.txt": b""}
    after["other.png"] = png(picture.rotate(90), 9)
    write_artifacts({tmp_path / name: content for name, content in after.items()})
    assert {name: (tmp_path / name).read_bytes() for name in after} == {**after, "same.png": before["same.png"]}
    kept = {name for name, number in files.items() if (tmp_path / name).stat().st_ino == number}
    assert kept == {"model.onnx", "same.png"}


@pytest.mark.parametrize(
    ("quality", "certified"),
    [
        ({}, False),
        ({"thresholds": {"fid": {"at_most": 5}}, "missed_thresholds": []}, True),
        ({"thresholds": {"fid": {"at_most": 5}}, "missed_thresholds": ["fid is 6"]}, False),
        ({"thresholds": {}, "missed_thresholds": []}, False),
        ({"thresholds": {"fid": {"at_most": 5}}}, False),
    ],
)
def test_certificate_decides_whether_a_model_is_certified(artifacts, quality, certified):
    manifest = manifest_of(artifacts)
    manifest["models"]["vae"] |= {"quality": quality, "certified": not certified}  # the certificate counts
    (artifacts / "manifest.json").write_text(json.dumps(manifest))
    model = Manifest(artifacts).model("vae")
    assert model.certified is certified
    assert model.facts()["certified"] is certified


def test_manifest_of_schema_1_0_is_read(artifacts):
    manifest = manifest_of(artifacts)
    manifest["schema"] = "1.0"
    for model in manifest["models"].values():
        del model["certified"]
    (artifacts / "manifest.json").write_text(json.dumps(manifest))
    assert all(model.certified for model in Manifest(artifacts).models.values())


def test_shipped_manifest_marks_its_models_as_certified():
    models = manifest_of(ROOT / "artifacts")["models"]
    assert {name: model["certified"] for name, model in models.items()} == dict.fromkeys(models, True)


def test_uncertified_models_are_listed_as_such(artifacts, call):
    manifest = manifest_of(artifacts)
    del manifest["models"]["vae"]["quality"]
    (artifacts / "manifest.json").write_text(json.dumps(manifest))
    code, out, _ = call("models", "--artifacts", str(artifacts))
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert code == 0
    assert {name for name, line in lines.items() if line.endswith(", not certified")} == {"vae"}
    listed = json.loads(call("models", "--json", "--artifacts", str(artifacts))[1])
    assert (listed["vae"]["certified"], listed["cgan"]["certified"]) == (False, True)
