"""Records in files: written, shown and read."""

import io
import json
import sys
from typing import Annotated, NamedTuple

import numpy as np
import pytest
from PIL import Image
from record_helpers import FACTS, MANIFOLD, WALK, drawn, made, png

import mnistgen
from mnistgen import provenance
from mnistgen.animation import Animation
from mnistgen.output import animation, images, limits
from mnistgen.provenance import container, records
from mnistgen.provenance.checks import check, shape_of
from mnistgen.validation import one_of

KINDS = limits.CARRIERS


@pytest.mark.parametrize("kind", KINDS)
def test_info_shows_picture(run, call, folder, cgan, kind):
    name = drawn(run, "--digit", "3,1", "--start", "4", "--format", kind, "--invert")
    code, out, err = call("info", name, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == FACTS | {
        "mnistgen": mnistgen.__version__, "schema": "1.1", "kind": "picture", "sha256": cgan.model.sha256, "seed": 7,
        "start": 4, "n": 2, "digits": [3, 1], "format": kind, "scale": 1 if kind == "npz" else 8, "invert": True,
        "verified": False,
    }  # fmt: skip
    code, out, _ = call("info", name)
    lines = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert (code, lines["digits"], lines["sha256"], lines["invert"]) == (0, "3,1", cgan.model.sha256, "yes")
    assert "text" not in lines


@pytest.mark.parametrize(
    ("kind", "ending", "milliseconds"), [("gif", "gif", 40), ("webp", "webp", 33), ("png", "png", None)]
)
def test_info_shows_walk(call, folder, cgan, kind, ending, milliseconds):
    options = ["--milliseconds", str(milliseconds)] if milliseconds else []
    options += ["--seeds", "1,2,3", "--digits", "3,8", "--frames", "2", "--loop", "--out", f"x.{ending}"]
    name = made(call, "walk", *options)
    code, out, err = call("info", name, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == WALK | {
        "mnistgen": mnistgen.__version__, "sha256": cgan.model.sha256, "seeds": [1, 2, 3], "digits": [3, 8, 3],
        "frames": 2, "loop": True, "format": kind, "scale": 2 if kind == "png" else 8, "milliseconds": milliseconds,
    }  # fmt: skip
    lines = dict(line.split(maxsplit=1) for line in call("info", name)[1].splitlines())
    assert (lines["kind"], lines["seeds"], lines["digits"], lines["loop"]) == ("walk", "1,2,3", "3,8,3", "yes")
    assert lines.get("milliseconds") == (str(milliseconds) if milliseconds else None)


def test_info_shows_manifold(call, folder):
    name = made(call, "manifold", "--side", "3", "--scale", "5")
    facts = json.loads(call("info", name, "--json")[1])
    sha256 = mnistgen.load("vae", device="cpu").model.sha256
    assert facts == MANIFOLD | {"mnistgen": mnistgen.__version__, "sha256": sha256, "scale": 5}
    lines = dict(line.split(maxsplit=1) for line in call("info", name)[1].splitlines())
    assert (lines["kind"], lines["side"], lines["sha256"]) == ("manifold", "3", sha256)


def test_largest_record_is_kept(run, call, folder):
    name = drawn(run, "--n", "1000", "--model", "cgan-int8", "--seed", str(2**64 - 1), "--format", "png")
    facts = json.loads(call("info", name, "--json")[1])
    assert (facts["seed"], len(facts["digits"])) == (2**64 - 1, 1000)


@pytest.mark.parametrize("kind", KINDS)
def test_no_metadata_picture_has_no_record(run, call, folder, kind):
    name = drawn(run, "--no-metadata", "--format", kind)
    for command in ("info", "replay"):
        code, out, err = call(command, name)
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert f"{name} carries no provenance" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("walk", "--seeds", "7", "--frames", "1", "--out", "x.gif"),
        ("walk", "--seeds", "7", "--frames", "1", "--out", "x.webp"),
        ("walk", "--seeds", "7", "--frames", "1", "--out", "x.png"),
        ("manifold", "--side", "2", "--out", "x.png"),
    ],
)
def test_no_metadata_walk_has_equal_pixels(call, folder, arguments):
    name = made(call, *arguments)
    shape = shape_of(provenance.read(folder / name))
    said = container.pixels((folder / name).read_bytes(), name, shape)
    made(call, *arguments, "--no-metadata")
    np.testing.assert_array_equal(container.pixels((folder / name).read_bytes(), name, shape), said)
    for command in ("info", "replay"):
        code, out, err = call(command, name)
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert f"{name} carries no provenance" in err


def test_first_schema_is_readable(folder):
    line = (
        '{"mnistgen": "0.1.0", "schema": "1.0", "model": "cgan", "sha256": '
        '"15f4d9a146763567e794253aba63417f89d6a89359185c5d2ae8aba06c4f5a90", "provider": "CPUExecutionProvider", '
        '"seed": 7, "start": 4, "n": 2, "digits": [3, 1], "text": null, "format": "png", "scale": 8, "columns": 10, '
        '"invert": false}'  # exactly as schema 1.0 wrote it
    )
    png("x.png", line)
    record = provenance.read(folder / "x.png")
    assert isinstance(record, provenance.Record)
    assert (record.seed, record.start, record.digits, record.scale, record.invert) == (7, 4, (3, 1), 8, False)
    assert json.loads(record.to_json()) == json.loads(line) | {"schema": "1.1", "kind": "picture", "verified": False}


def test_new_fields_keep_old_records_readable(folder, monkeypatch):
    class Newer(NamedTuple):
        mnistgen: Annotated[str, lambda value: True]
        mood: Annotated[str, one_of("good", "bad")] = "good"

    monkeypatch.setitem(records.KINDS, "picture", Newer)
    monkeypatch.setattr("mnistgen.provenance.checks.check", lambda record: None)
    png("old.png", json.dumps(FACTS))
    png("new.png", json.dumps(FACTS | {"mood": "bad"}))
    assert [provenance.read(folder / name).mood for name in ("old.png", "new.png")] == ["good", "bad"]
    png("wrong.png", json.dumps(FACTS | {"mood": "odd"}))
    with pytest.raises(mnistgen.ProvenanceError, match="its field mood is missing or invalid"):
        provenance.read(folder / "wrong.png")


@pytest.mark.parametrize("kind", records.WALK_FORMATS)
def test_longest_walk_fits_each_format(folder, kind):
    walk = records.Walk(
        "0.1.0", "cgan", "0" * 64, "CPUExecutionProvider", seeds=(2**64 - 1,) * 1000, digits=(9,) * 1000, frames=1,
        loop=True, format=kind, scale=1, milliseconds=None if kind == "png" else 40,
    )  # fmt: skip
    check(walk)
    (folder / "x").write_bytes(Animation(np.zeros((1000, 28, 28), dtype=np.uint8), walk).encode())
    assert provenance.read(folder / "x") == walk


def test_unknown_fields_are_ignored(folder):
    png("x.png", json.dumps(FACTS | {"schema": "1.7", "mood": "good"}))
    assert provenance.read(folder / "x.png").digits == (5,)


def test_missing_pillow_is_reported(call, folder, monkeypatch):
    png("x.png", json.dumps(FACTS))
    monkeypatch.setitem(sys.modules, "PIL", None)
    code, _, err = call("info", "x.png")
    assert (code, err) == (1, "mnistgen-run: Pillow is not installed. Run pip install pillow.\n")


def test_metadata_is_readable_by_pillow(cgan):
    text = json.dumps(FACTS)
    frames = cgan.generate(2, seed=1)
    with Image.open(io.BytesIO(images.encode_png(frames[0], text))) as file:
        assert file.text == {"mnistgen": text}
    with Image.open(io.BytesIO(animation.encode(frames, "gif", 40, metadata=text))) as file:
        assert file.info["comment"] == text.encode()
    for count in (1, 2):
        webp = animation.encode(frames[:count], "webp", 40, metadata=text)
        assert b"EXIF" in webp
        assert b"Exif\0\0" not in webp  # the prefix of JPEG only
        with Image.open(io.BytesIO(webp)) as file:
            assert file.getexif() == {animation.DESCRIPTION: text}


def test_files_hold_no_local_paths(run, call, folder, tmp_path):
    for name in (drawn(run), made(call, "walk", "--frames", "1"), made(call, "manifold", "--side", "2")):
        assert str(tmp_path).encode() not in (folder / name).read_bytes()
