"""Records in files: written, read, replayed, and not trusted."""

import io
import json
import struct
import sys
import zipfile
import zlib
from typing import Annotated, NamedTuple

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

import mnistgen
from mnistgen import cli, provenance
from mnistgen.output import animation, formats, images
from mnistgen.provenance import container, records
from mnistgen.provenance.checks import check
from mnistgen.provenance.drawing import encode
from mnistgen.validation import one_of

KINDS = formats.CARRIERS
FACTS = {
    "mnistgen": "0.1.0", "schema": "1.0", "model": "cgan", "sha256": "0" * 64, "provider": "CPUExecutionProvider",
    "seed": 1, "start": 0, "n": 1, "digits": [5], "text": None, "format": "png", "scale": 1, "columns": 10,
    "invert": False,
}  # fmt: skip
"""Facts of a picture in the first schema."""
WALK = {
    "mnistgen": "0.1.0", "schema": "2.0", "kind": "walk", "model": "cgan", "sha256": "0" * 64,
    "provider": "CPUExecutionProvider", "seeds": [1, 2, 1], "digits": [3, 8, 3], "frames": 4, "loop": False,
    "format": "gif", "scale": 1, "milliseconds": 40,
}  # fmt: skip
MANIFOLD = {
    "mnistgen": "0.1.0", "schema": "2.0", "kind": "manifold", "model": "vae", "sha256": "0" * 64,
    "provider": "CPUExecutionProvider", "side": 3, "format": "png", "scale": 1,
}  # fmt: skip


@pytest.fixture
def call(run):
    """Call `mnistgen` with arguments."""
    return lambda *arguments: run(*arguments, command=cli.mnistgen)


def drawn(run, *arguments):
    """Draw a picture with `mnistgen-run`; return its name."""
    return made(run, "--seed", "7", *arguments)


def made(call, *arguments):
    """Run a command that writes a file; return its name."""
    code, out, err = call(*arguments, "--device", "cpu", "--json")
    assert (code, err) == (0, "")
    return json.loads(out)["path"]


def png(path, text, keyword="mnistgen", picture=None):
    texts = PngImagePlugin.PngInfo()
    texts.add_text(keyword, text)
    Image.fromarray(np.zeros((28, 28), dtype=np.uint8) if picture is None else picture).save(path, pnginfo=texts)


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


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "arguments",
    [
        ("--digit", "5"),
        ("--n", "12", "--start", "9223372036854774000", "--invert"),
        ("--model", "vae", "--n", "3"),
        ("--text", "10:45, 2026-11-22"),
    ],
)
def test_replayed_picture_has_equal_bytes(run, call, folder, kind, arguments):
    name = drawn(run, *arguments, "--format", kind)
    code, out, err = call("replay", name, "--device", "cpu")
    again = name.replace(f".{kind}", f"-replay.{kind}")
    assert (code, out, err) == (0, f"{again}  the same pixels  CPUExecutionProvider\n", "")
    assert (folder / again).read_bytes() == (folder / name).read_bytes()


@pytest.mark.parametrize(
    "arguments",
    [
        ("walk", "--seeds", "7", "--frames", "2"),
        ("walk", "--seeds", f"1,{2**64 - 1}", "--digits", "3,8", "--frames", "3", "--loop"),
        ("walk", "--seeds", "1-3", "--digits", "5", "--frames", "3", "--format", "webp", "--milliseconds", "33"),
        ("walk", "--seeds", "1,1,2", "--frames", "3", "--format", "webp", "--loop"),
        ("walk", "--seeds", "1,1,2", "--frames", "3", "--milliseconds", "60000"),
        ("walk", "--model", "gan", "--seeds", "1,2,3", "--frames", "4", "--format", "png"),
        ("walk", "--model", "vae", "--seeds", "1,2,3", "--frames", "1", "--format", "png", "--loop", "--scale", "3"),
        ("walk", "--model", "cgan-int8", "--seeds", "1,2", "--frames", "1"),
        ("manifold", "--side", "1"),
        ("manifold", "--side", "5", "--scale", "3"),
    ],
)
def test_replayed_walk_has_equal_bytes(call, folder, arguments):
    name = made(call, *arguments)
    code, out, err = call("replay", name, "--device", "cpu", "--out", f"again-{name}")
    assert (code, out, err) == (0, f"again-{name}  the same pixels  CPUExecutionProvider\n", "")
    assert (folder / f"again-{name}").read_bytes() == (folder / name).read_bytes()


def test_equal_walks_have_equal_records(call, folder):
    one = made(call, "walk", "--seeds", "1,2", "--digits", "3,8,3", "--frames", "1", "--out", "one.gif")
    other = made(call, "walk", "--seeds", "1,2,1", "--digits", "3,8,3", "--frames", "1", "--out", "other.gif")
    assert (folder / one).read_bytes() == (folder / other).read_bytes()


def test_replay_keeps_layout(run, call, folder):
    name = drawn(run, "--n", "5", "--scale", "3", "--columns", "2")
    code, out, _ = call("replay", name, "--out", "again.png", "--json")
    assert (code, json.loads(out)) == (0, {"path": "again.png", "same": True, "levels": 0, "differences": []})
    with Image.open("again.png") as file:
        assert file.size == (2 * 28 * 3, 3 * 28 * 3)


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
    said = container.pixels((folder / name).read_bytes(), name)
    made(call, *arguments, "--no-metadata")
    np.testing.assert_array_equal(container.pixels((folder / name).read_bytes(), name), said)
    for command in ("info", "replay"):
        code, out, err = call(command, name)
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert f"{name} carries no provenance" in err


def test_changed_walk_differs_from_replay(call, folder):
    name = made(call, "walk", "--seeds", "1,2", "--digits", "3", "--frames", "2", "--format", "png", "--scale", "1")
    with Image.open(name) as file:
        text, picture = file.text["mnistgen"], np.asarray(file).copy()
    picture[3, 40] += 3
    png("other.png", text, picture=picture)
    code, out, err = call("replay", "other.png", "--device", "cpu")
    assert (code, out) == (1, "other-replay.png  different pixels  CPUExecutionProvider\n")
    assert err == "mnistgen-run: other.png and its replay differ: 1 of 2352 pixels differ, by at most 3 levels.\n"
    png("wide.png", json.dumps(json.loads(text) | {"frames": 3}), picture=picture)
    assert "the size was 1 of 84×28, now 1 of 112×28" in call("replay", "wide.png")[2]


def test_replay_reports_model_version_and_pixels(run, call, folder, monkeypatch):
    name = drawn(run, "--digit", "5", "--scale", "1")
    with Image.open(name) as file:
        facts, picture = json.loads(file.text["mnistgen"]), np.asarray(file).copy()
    picture[3, 4] += 3
    png("old.png", json.dumps(facts | {"mnistgen": "0.0.9", "sha256": "ab" * 32}), picture=picture)
    code, out, err = call("replay", "old.png", "--device", "cpu")
    assert (code, out) == (1, "old-replay.png  different pixels  CPUExecutionProvider\n")
    assert err == (
        "mnistgen-run: old.png and its replay differ: "
        f"the model's SHA-256 was abababababab…, now {facts['sha256'][:12]}…; "
        f"the version of mnistgen was 0.0.9, now {mnistgen.__version__}; "
        "1 of 784 pixels differ, by at most 3 levels.\n"
    )
    assert (folder / "old-replay.png").exists()
    code, out, _ = call("replay", "old.png", "--json")
    facts = json.loads(out)
    assert (code, facts["same"], facts["levels"], len(facts["differences"])) == (1, False, 3, 3)


def test_replay_reports_version_alone(run, call, folder):
    name = drawn(run, "--digit", "5", "--scale", "1")
    with Image.open(name) as file:
        facts, picture = json.loads(file.text["mnistgen"]), np.asarray(file)
    png("old.png", json.dumps(facts | {"mnistgen": "0.0.9"}), picture=picture)
    code, out, err = call("replay", "old.png", "--device", "cpu")
    assert (code, out) == (1, "old-replay.png  the same pixels  CPUExecutionProvider\n")
    assert "differ: the version of mnistgen was 0.0.9, now" in err


def test_replay_reports_size(run, call, folder):
    png("x.png", json.dumps(FACTS | {"scale": 2}))
    code, out, err = call("replay", "x.png", "--device", "cpu")
    assert (code, out) == (1, "x-replay.png  different pixels  CPUExecutionProvider\n")
    assert "the size was 1 of 28×28, now 1 of 56×56" in err


def test_replay_of_own_model_needs_path(run, call, folder, artifacts):
    png("x.png", json.dumps(FACTS | {"model": "mine"}))
    code, _, err = call("replay", "x.png")
    assert (code, "--model-path" in err) == (
        2,
        True,
    )
    name = drawn(run, "--model-path", str(artifacts / "gan.onnx"))
    code, out, _ = call("replay", name, "--model-path", str(artifacts / "gan.onnx"), "--device", "cpu")
    assert (code, out) == (0, "gan-seed7-replay.png  the same pixels  CPUExecutionProvider\n")


def test_replay_does_not_overwrite_original(run, call, folder):
    name = drawn(run)
    before = (folder / name).read_bytes()
    code, _, err = call("replay", name, "--out", f"../here/{name}")
    assert (code, "--out" in err) == (2, True)
    code, _, err = call("replay", name, "--out", "x.gif")
    assert (code, "x.gif; expected a name that ends in .png" in err) == (2, True)
    assert [path.name for path in folder.iterdir()] == [name]
    assert (folder / name).read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema": "3.0"}, "is 3.0; expected 1.0 to 2.0"),
        ({"schema": "0.9"}, "is 0.9; expected 1.0 to 2.0"),
        ({"kind": "film"}, "its field kind is missing or invalid"),
        ({"kind": None}, "its field kind is missing or invalid"),
        ({"kind": ["walk"]}, "its field kind is missing or invalid"),
        ({"kind": "walk"}, "its field seeds is missing or invalid"),
        ({"schema": 1}, "its field schema is missing or invalid"),
        ({"schema": "\x1b[2J"}, "its field schema is missing or invalid"),
        ({"mnistgen": "\x1b[2J"}, "its field mnistgen is missing or invalid"),
        ({"model": "../../etc/passwd"}, "its field model is missing or invalid"),
        ({"sha256": "0"}, "its field sha256 is missing or invalid"),
        ({"provider": None}, "its field provider is missing or invalid"),
        ({"seed": -1}, "its field seed is missing or invalid"),
        ({"seed": 2**64}, "its field seed is missing or invalid"),
        ({"seed": 1.0}, "its field seed is missing or invalid"),
        ({"seed": float("nan")}, "its field seed is missing or invalid"),
        ({"seed": True}, "its field seed is missing or invalid"),
        ({"start": 2**63}, "its field start is missing or invalid"),
        ({"n": 10**12, "digits": None}, "its field n is missing or invalid"),
        ({"n": 2}, "1 digits for 2 images"),
        ({"digits": []}, "its field digits is missing or invalid"),
        ({"digits": [10]}, "its field digits is missing or invalid"),
        ({"digits": [[5]]}, "its field digits is missing or invalid"),
        ({"digits": "5"}, "its field digits is missing or invalid"),
        ({"text": 5}, "its field text is missing or invalid"),
        ({"text": "\x1b[2J5"}, "expected at least one digit"),
        ({"text": "6"}, "differ from those of its text"),
        ({"text": "5" + " " * 1000}, "its field text is missing or invalid"),
        ({"format": "svg\n"}, "its field format is missing or invalid"),
        ({"format": "svg"}, "its field format is missing or invalid"),
        ({"format": ["png"]}, "its field format is missing or invalid"),
        ({"scale": 65}, "its field scale is missing or invalid"),
        ({"scale": 64, "n": 1000, "digits": [5] * 1000}, "expected at most 89000000"),
        ({"columns": 0}, "its field columns is missing or invalid"),
        ({"invert": 1}, "its field invert is missing or invalid"),
    ],
)
@pytest.mark.parametrize("command", ["info", "replay"])
def test_hostile_picture_record_is_rejected(call, folder, command, changes, words):
    assert_refused(call, command, FACTS | changes, words)


def assert_refused(call, command, facts, words):
    png("x.png", json.dumps(facts))
    code, out, err = call(command, "x.png")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert words in err
    assert "\x1b" not in err


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema": "3.0"}, "is 3.0; expected 1.0 to 2.0"),
        ({"mnistgen": "\x1b[2J"}, "its field mnistgen is missing or invalid"),
        ({"model": "../../etc/passwd"}, "its field model is missing or invalid"),
        ({"sha256": "0"}, "its field sha256 is missing or invalid"),
        ({"provider": None}, "its field provider is missing or invalid"),
        ({"seeds": 7}, "its field seeds is missing or invalid"),
        ({"seeds": []}, "its field seeds is missing or invalid"),
        ({"seeds": [7], "digits": [3]}, "its field seeds is missing or invalid"),
        ({"seeds": [1, -1]}, "its field seeds is missing or invalid"),
        ({"seeds": [1, 2**64]}, "its field seeds is missing or invalid"),
        ({"seeds": [1, True]}, "its field seeds is missing or invalid"),
        ({"seeds": [1, 2.0]}, "its field seeds is missing or invalid"),
        ({"seeds": [1, "\x1b[2J"]}, "its field seeds is missing or invalid"),
        ({"seeds": [1, [2]]}, "its field seeds is missing or invalid"),
        ({"seeds": [1] * 1001, "digits": None}, "its field seeds is missing or invalid"),
        ({"seeds": [1, 2]}, "3 digits for 2 stops"),
        ({"digits": [3, 10, 3]}, "its field digits is missing or invalid"),
        ({"digits": "383"}, "its field digits is missing or invalid"),
        ({"digits": [3, 8]}, "2 digits for 3 stops"),
        ({"frames": 0}, "its field frames is missing or invalid"),
        ({"frames": 10**12}, "its field frames is missing or invalid"),
        ({"frames": 1000}, "2001 frames; expected at most 1000"),
        ({"frames": 334, "loop": True}, "1002 frames"),
        ({"frames": 300, "scale": 64}, "expected at most 89000000"),
        ({"loop": 1}, "its field loop is missing or invalid"),
        ({"format": "npz"}, "its field format is missing or invalid"),
        ({"format": ["gif"]}, "its field format is missing or invalid"),
        ({"scale": 65}, "its field scale is missing or invalid"),
        ({"milliseconds": 10}, "its field milliseconds is missing or invalid"),
        ({"milliseconds": 10**12}, "its field milliseconds is missing or invalid"),
        ({"milliseconds": 33}, "multiple of 10"),
        ({"milliseconds": 600_000}, "expected at most 600000"),
        ({"milliseconds": None}, "None for a gif"),
        ({"format": "png"}, "40 for a png"),
        ({"format": "png", "milliseconds": None, "frames": 1, "seeds": [1] * 1000, "digits": None, "scale": 9},
         "expected at most 89000000"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["info", "replay"])
def test_hostile_walk_record_is_rejected(call, folder, command, changes, words):
    assert_refused(call, command, WALK | changes, words)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "walk"}, "its field seeds is missing or invalid"),
        ({"side": 0}, "its field side is missing or invalid"),
        ({"side": 101}, "its field side is missing or invalid"),
        ({"side": 3.0}, "its field side is missing or invalid"),
        ({"side": "\x1b[2J"}, "its field side is missing or invalid"),
        ({"format": "gif"}, "its field format is missing or invalid"),
        ({"scale": 0}, "its field scale is missing or invalid"),
        ({"side": 100, "scale": 64}, "expected at most 89000000"),
    ],
)
@pytest.mark.parametrize("command", ["info", "replay"])
def test_hostile_manifold_record_is_rejected(call, folder, command, changes, words):
    assert_refused(call, command, MANIFOLD | changes, words)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (WALK | {"model": "gan"}, "The gan is unconditional"),
        (MANIFOLD | {"model": "cgan"}, "The cgan has 128 latent dimensions"),
    ],
)
def test_replay_rejects_impossible_requests(call, folder, facts, words):
    png("x.png", json.dumps(facts))
    code, out, err = call("replay", "x.png")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err


@pytest.mark.parametrize(
    ("facts", "key"), [(facts, key) for facts in (FACTS, WALK, MANIFOLD) for key in facts if key != "kind"]
)
def test_missing_field_is_rejected(folder, facts, key):
    png("x.png", json.dumps({other: value for other, value in facts.items() if other != key}))
    with pytest.raises(
        mnistgen.ProvenanceError, match="no provenance" if key == "mnistgen" else f"its field {key} is missing"
    ):
        provenance.read(folder / "x.png")


def test_first_schema_is_readable(folder):
    line = (
        '{"mnistgen": "0.1.0", "schema": "1.0", "model": "cgan", "sha256": '
        '"3588f2547fc940f7d339f212cc724bd9d91b803ed69dd1565dde7b9c1b5e96bc", "provider": "CPUExecutionProvider", '
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
    (folder / "x").write_bytes(encode(walk, np.zeros((1000, 28, 28), dtype=np.uint8)))
    assert provenance.read(folder / "x") == walk


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("five", "carries no provenance"),
        ("[]", "carries no provenance"),
        ('{"mnistgen": ', "it is not JSON"),
        ('{"mnistgen": ' + "[" * 50_000, "it is not JSON"),
        ('{"mnistgen": ' + "9" * 50_000 + "}", "it is not JSON"),
        ('{"mnistgen": "' + "9" * 200_000 + '"}', "it has 200016 characters"),
    ],
)
def test_foreign_metadata_is_rejected(folder, text, words):
    for name in ("x.png", "x.gif", "x.webp", "x.npz"):
        path = folder / name
        if name == "x.png":
            png(path, text)
        elif name == "x.npz":
            np.savez(path, mnistgen=np.array(text))
        elif len(text) < 60_000 or name == "x.gif":  # an EXIF field has its limits
            path.write_bytes(animation.encode(np.zeros((1, 9, 9), dtype=np.uint8), path.suffix[1:], 40, metadata=text))
        else:
            continue
        with pytest.raises(mnistgen.ProvenanceError) as raised:
            provenance.read(path)
        assert words in str(raised.value)


def test_unknown_fields_are_ignored(folder):
    png("x.png", json.dumps(FACTS | {"schema": "1.7", "mood": "good"}))
    assert provenance.read(folder / "x.png").digits == (5,)


def bomb():
    """Return the header of a PNG that claims 30,000 × 30,000 pixels."""
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    return b"\x89PNG\r\n\x1a\n" + chunk


def archive(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as written:
        for name, content in members.items():
            written.writestr(f"{name}.npy", content)
    return file.getvalue()


def pickled():
    file = io.BytesIO()
    np.save(file, np.array([object], dtype=object), allow_pickle=True)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"five", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\0\0\0\0WEBP", b"PK\3\4damaged", b"%!PS-Adobe-3.0", bomb(),
     archive(mnistgen=pickled()), archive(mnistgen=b"\x93NUMPY\1\0"), archive(mnistgen=b"")],
)  # fmt: skip
@pytest.mark.parametrize("command", ["info", "replay"])
def test_foreign_and_damaged_files_are_rejected(call, folder, command, content):
    (folder / "x.png").write_bytes(content)
    code, out, err = call(command, "x.png")
    assert (code, out, err) == (1, "", "mnistgen-run: x.png is damaged, or not a PNG, GIF, WebP or npz.\n")


def test_huge_array_header_is_rejected(call, folder):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (10**13, 28, 28)})
    file = io.BytesIO()
    np.save(file, np.array(json.dumps(FACTS | {"format": "npz"})))
    (folder / "x.npz").write_bytes(archive(mnistgen=file.getvalue(), images=header.getvalue()))
    code, out, err = call("replay", "x.npz")
    assert (code, out, err) == (1, "", "mnistgen-run: x.npz is damaged, or not a PNG, GIF, WebP or npz.\n")


@pytest.mark.parametrize("kind", KINDS)
def test_truncated_picture_is_reported(run, call, folder, kind):
    name = drawn(run, "--n", "3", "--format", kind)
    whole = (folder / name).read_bytes()
    for share in (0.1, 0.5, 0.9):
        (folder / name).write_bytes(whole[: int(share * len(whole))])
        code, _, err = call("replay", name, "--device", "cpu")
        assert (code, err.count("\n")) == (1, 1)


@pytest.mark.parametrize("kind", records.WALK_FORMATS)
def test_truncated_walk_is_reported(call, folder, kind):
    name = made(call, "walk", "--seeds", "1,2", "--digits", "3", "--frames", "3", "--format", kind)
    whole = (folder / name).read_bytes()
    for share in (0.1, 0.5, 0.9):
        (folder / name).write_bytes(whole[: int(share * len(whole))])
        code, _, err = call("replay", name, "--device", "cpu")
        assert (code, err.count("\n")) == (1, 1)


@pytest.mark.skipif(sys.platform == "win32", reason="needs devices")
def test_devices_are_not_read(call, folder):
    code, _, err = call("info", "/dev/zero")
    assert (code, err.count("\n")) == (1, 1)
    assert "/dev/zero" in err
    assert call("info", "missing.png")[0] == 2


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
