"""Invalid and hostile values end in a typed error with a code, and their text cannot control a terminal."""

import json
import threading
import warnings

import click
import numpy as np
import onnx_writer as w
import pytest
from PIL import Image
from test_model_file import METADATA, custom, model

import mnistgen
from mnistgen import dataset, doctor, provenance
from mnistgen.cli import failures, group, shared
from mnistgen.manifest import Manifest

HUGE = 10**5000
"""An integer that Python refuses to print."""
LOOP: list = []
LOOP.append(LOOP)


def kind(value: object) -> str:
    """Return the name of a parameter, which may not be printable."""
    return type(value).__name__


NESTED = "[" * 100_000 + "]" * 100_000


def write(gen, folder, **arguments):
    return dataset.write(gen, folder, **{"n": 20, "test": 5, **arguments})


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        ("unknown-model", {"model": 5}),
        ("unknown-model", {"model": ["cgan"]}),
        ("unknown-model", {"model": np.arange(3)}),
        ("unknown-model", {"model": HUGE}),
        ("unknown-model", {"model": "x" * 10_000}),
        ("unknown-device", {"device": None}),
        ("unknown-device", {"device": np.array(["cpu", "cpu"])}),
        ("unknown-device", {"device": HUGE}),
        ("invalid-path", {"artifacts": 3}),
        ("invalid-path", {"artifacts": b"artifacts"}),
        ("invalid-path", {"artifacts": HUGE}),
        ("invalid-threads", {"threads": "two"}),
        ("invalid-threads", {"threads": HUGE}),
        ("invalid-threads", {"threads": [HUGE]}),
        ("invalid-threads", {"threads": LOOP}),
    ],
    ids=kind,
)
def test_load_rejects_wrong_types(code, arguments):
    with pytest.raises(mnistgen.InputError) as caught:
        mnistgen.load(**arguments)
    assert caught.value.code == code
    assert len(caught.value.problem) < 300


@pytest.mark.parametrize("path", [None, 5, b"x.onnx", HUGE, ["x.onnx"]], ids=kind)
def test_paths_of_wrong_types(cgan, path):
    for call in (
        lambda: mnistgen.Generator.from_file(path),
        lambda: provenance.read(path),
        lambda: dataset.write(cgan, path, 20, test=5),
        lambda: doctor.examine(path) if path is not None else mnistgen.Generator.from_file(path),
    ):
        with pytest.raises(mnistgen.InputError) as caught:
            call()
        assert caught.value.code == "invalid-path"


def test_null_character_in_path():
    with pytest.raises(mnistgen.ArtifactError):
        mnistgen.Generator.from_file("a\0b.onnx")
    with pytest.raises(mnistgen.ArtifactError):
        mnistgen.load(artifacts="a\0b")
    with pytest.raises(mnistgen.ProvenanceError):
        provenance.read("a\0b.png")


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.longdouble])
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_decode_rejects_infinite_values(cgan, kind, value):
    with pytest.raises(mnistgen.InputError) as caught:
        cgan.decode(np.full((1, 128), value, kind), np.eye(10)[:1])
    assert caught.value.code == "invalid-latent"


@pytest.mark.parametrize(
    "z", [np.full((1, 128), np.iinfo(np.int64).min), LOOP, [[HUGE] * 128], object(), [["1"] * 128]], ids=kind
)
def test_decode_rejects_other_values(cgan, z):
    with pytest.raises(mnistgen.InputError) as caught:
        cgan.decode(z, np.eye(10)[:1])
    assert caught.value.code == "invalid-latent"


def test_decode_accepts_small_types(cgan):
    for kind in (np.float16, np.int8, np.uint8, bool):
        assert cgan.decode(np.ones((1, 128), kind), np.eye(10, dtype=np.float16)[:1]).shape == (1, 28, 28)


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        ("invalid-shares", {"shares": [HUGE] * 10}),
        ("invalid-shares", {"shares": LOOP}),
        ("invalid-test-size", {"test": HUGE}),
        ("invalid-test-size", {"test": [HUGE]}),
        ("unknown-kind", {"kind": ["idx"]}),
        ("unknown-kind", {"kind": HUGE}),
    ],
    ids=kind,
)
def test_dataset_rejects_wrong_types(cgan, folder, code, arguments):
    with pytest.raises(mnistgen.InputError) as caught:
        write(cgan, folder / "digits", **arguments)
    assert (caught.value.code, list(folder.iterdir())) == (code, [])


def test_dataset_rejects_nested_json(cgan, folder):
    (folder / "digits").mkdir()
    (folder / "digits" / "dataset.json").write_text(NESTED)
    with pytest.raises(mnistgen.OutputError) as caught:
        write(cgan, folder / "digits")
    assert caught.value.code == "output-exists"


def test_provenance_rejects_nested_json(folder):
    picture = np.zeros((28, 28), np.uint8)
    for value in ("[" * 40_000 + "]" * 40_000, "1" * 5000):
        (folder / "x.png").write_bytes(mnistgen.encode_png(picture, f'{{"mnistgen": "0.1.0", "schema": {value}}}'))
        with pytest.raises(mnistgen.ProvenanceError) as caught:
            provenance.read(folder / "x.png")
        assert caught.value.code == "provenance-damaged"


def test_text_rejects_huge_integer(cgan):
    with pytest.raises(mnistgen.InputError, match="text is too large"):
        cgan.text(HUGE)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("classes", -10),
        ("classes", 3),
        ("classes", True),
        ("latent_size", 0),
        ("latent_size", -1),
        ("latent_size", 10**9),
        ("bytes", -1),
        ("flops", -1),
        ("epochs", -1),
        ("file", "../secret.onnx"),
        ("file", "/etc/passwd"),
        ("file", ".."),
        ("sha256", "x" * 64),
        ("precision", "float3"),
        ("value_range", [0.0, float("nan")]),
        ("value_range", [0.0]),
        ("inputs", {"z": ["N", -1]}),
        ("inputs", {"z": ["N", [128]]}),
        ("inputs", {"z": "N"}),
        ("training", {"deep": json.loads("[" * 50 + "]" * 50)}),
        ("recipe", "x" * 10_000),
    ],
)
def test_manifest_rejects_impossible_values(artifacts, field, value):
    path = artifacts / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["models"]["cgan"][field] = value
    path.write_text(json.dumps(manifest))
    with pytest.raises(mnistgen.ArtifactError) as caught:
        mnistgen.load("cgan", artifacts=artifacts)
    assert caught.value.code == "manifest-damaged"


@pytest.mark.parametrize("name", ["", "a/b", "../x", "x" * 1000, "\x1b[31m"])
def test_manifest_rejects_names(artifacts, name):
    path = artifacts / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["models"][name] = manifest["models"]["cgan"]
    path.write_text(json.dumps(manifest))
    with pytest.raises(mnistgen.ArtifactError) as caught:
        Manifest(artifacts)
    assert caught.value.code == "manifest-damaged"


@pytest.mark.parametrize(
    "content",
    [
        NESTED,
        '{"schema": ' + NESTED + "}",
        '{"schema": "1.0", "models": {"cgan": ' + NESTED + "}}",
        '{"schema": "1.0", "models": ' + "1" * 5000 + "}",
        '{"schema": "' + "1" * 5000 + '.0", "models": {}}',
        '{"schema": [1], "models": {}}',
        '{"schema": "1.0", "models": []}',
    ],
)
def test_manifest_rejects_hostile_json(artifacts, content):
    (artifacts / "manifest.json").write_text(content)
    with pytest.raises(mnistgen.ArtifactError) as caught:
        mnistgen.load("cgan", artifacts=artifacts)
    assert caught.value.code == "manifest-damaged"


def sparse(path, size=1 << 40):
    """Create a file of a terabyte that takes no space; skip if the file system refuses."""
    with path.open("wb") as file:
        try:
            file.truncate(size)
        except OSError as error:
            pytest.skip(f"needs sparse files ({error})")
    return path


def test_huge_files_are_not_read(run, folder, artifacts):
    path = sparse(folder / "huge.onnx")
    code, out, err = run("--model-path", str(path))
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "has 1099511627776 bytes; expected at most" in err
    with pytest.raises(mnistgen.ArtifactError) as caught:
        mnistgen.Generator.from_file(path)
    assert caught.value.code == "model-too-large"
    sparse(artifacts / "cgan.onnx")
    with pytest.raises(mnistgen.ArtifactError) as caught:
        mnistgen.load("cgan", artifacts=artifacts)
    assert caught.value.code == "model-too-large"
    sparse(artifacts / "manifest.json")
    with pytest.raises(mnistgen.ArtifactError) as caught:
        mnistgen.load("cgan", artifacts=artifacts)
    assert caught.value.code == "manifest-damaged"


def test_missing_threads_are_reported(run, folder, monkeypatch):
    def start(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    gen = mnistgen.load("vae", device="cpu", threads=2)
    with pytest.raises(mnistgen.DeviceError) as caught:
        gen.generate(100)
    assert caught.value.code == "threads-unavailable"
    assert gen.generate(1).shape == (1, 28, 28)  # needs no thread


@pytest.mark.parametrize("operator", [b"\xff\x1b[31m", "\x1b]0;title\x07\u202e" * 500, "Evil\n" * 5000])
def test_operator_names_are_escaped(run, folder, operator):
    path = custom(folder / "evil.onnx", [w.node(operator, ["z"], ["image"])])
    code, out, err = run("--model-path", str(path), "--format", "txt", "--out", "-")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.removesuffix("\n").isprintable()
    assert len(err) < 2000


def test_foreign_text_is_escaped_and_cut():
    assert failures.plain("a\n b\t\x1b[31m\x9b\u202e\udc80é€5") == r"a b \x1b[31m\x9b\u202e\udc80é€5"
    long = failures.plain(f"start {'x' * 100_000} end.")
    assert len(long) < 2000
    assert (long[:5], long[-4:]) == ("start", "end.")


def test_device_warnings_are_escaped(capfd):
    @click.command()
    def warn() -> None:
        warnings.warn("falling back \x1b[31m" + "x" * 10_000, mnistgen.DeviceWarning, stacklevel=1)

    assert shared.call(warn, "mnistgen", []) == 0
    shown = capfd.readouterr().err
    assert shown.startswith(r"mnistgen: falling back \x1b[31m")
    assert len(shown) < 2000


def test_doctor_escapes_foreign_text(run, artifacts):
    path = artifacts / "manifest.json"
    path.unlink()
    renamed = artifacts.rename(artifacts.with_name("\x1b[31m"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared, "artifacts_folder", lambda: renamed)
        _, out, _ = run("doctor", command=group.mnistgen)
    assert "\x1b" not in out


@pytest.mark.filterwarnings("default")  # as in a program, where a warning is printed
def test_damaged_exif_prints_nothing(run, folder):
    exif = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x0e\x01\x02\0\xff\xff\xff\x7f\0\0\0\x10" * 3
    Image.new("RGB", (28, 28)).save(folder / "x.webp", exif=exif)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        code, out, err = run("info", str(folder / "x.webp"), command=group.mnistgen)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert caught == []


def test_long_metadata_of_own_models(folder):
    path = model(folder / "long name (1).onnx", METADATA | {"recipe": "x" * 100_000})
    assert len(mnistgen.Generator.from_file(path).model.recipe) == 1000
