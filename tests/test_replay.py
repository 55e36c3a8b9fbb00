"""Files drawn again by their records."""

import json

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image, PngImagePlugin
from record_helpers import FACTS, MANIFOLD, WALK, drawn, made, png

import mnistgen
from mnistgen import provenance
from mnistgen.output import limits
from mnistgen.provenance import records
from mnistgen.provenance.replay import replay

KINDS = limits.CARRIERS
SAMPLES = sorted((ROOT / "artifacts" / "samples").iterdir())


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_committed_sample_is_replayed(path):
    record = provenance.read(path)
    again = replay(path, record, mnistgen.load(record.model, device="cpu"))
    assert record.sha256 == again.record.sha256, "draw the samples again, see CONTRIBUTING.md"
    assert again.levels is not None
    assert again.levels <= 1  # CPUs may round differently


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
    assert "84×28 pixels; expected 112×28" in call("replay", "wide.png")[2]


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


def test_size_is_compared_before_drawing(call, folder, monkeypatch):
    monkeypatch.setattr("mnistgen.provenance.replay.encode", None)
    png("x.png", json.dumps(FACTS | {"scale": 2}))
    code, out, err = call("replay", "x.png", "--device", "cpu")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "28×28 pixels; expected 56×56" in err


def disguised(digit, kind):
    """Return an image that equals `digit` (28, 28) once it is converted to 8-bit grey levels, but looks different."""
    if kind == "transparent":
        alpha = np.where(np.arange(28) < 14, 0, 255) * np.ones((28, 1))
        return Image.fromarray(np.dstack([digit, alpha.astype(np.uint8)]), "LA")
    if kind == "transparent level":
        image = Image.fromarray(digit)
        image.info["transparency"] = 255
        return image
    if kind == "colored":
        return Image.fromarray(np.dstack([digit, digit, np.where(digit == 255, 254, digit)]), "RGB")
    return Image.fromarray(digit.astype(np.uint16))  # mode I;16


@pytest.mark.parametrize("kind", ["transparent", "transparent level", "colored", "16 bit"])
@pytest.mark.filterwarnings("ignore:.*mode.*:DeprecationWarning")
def test_disguised_pixels_are_rejected(run, call, folder, kind):
    name = drawn(run, "--digit", "5", "--scale", "1")
    with Image.open(name) as file:
        text, digit = file.text["mnistgen"], np.asarray(file)
    texts = PngImagePlugin.PngInfo()
    texts.add_text("mnistgen", text)
    image = disguised(digit, kind)
    image.save("disguised.png", pnginfo=texts, **image.info)
    code, out, err = call("replay", "disguised.png")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "opaque 8-bit grey levels" in err
    assert not (folder / "disguised-replay.png").exists()


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
    ("facts", "words"),
    [
        (WALK | {"model": "gan", "format": "png", "milliseconds": None}, "The gan is unconditional"),
        (MANIFOLD | {"model": "cgan"}, "The cgan has 128 latent dimensions"),
    ],
)
def test_replay_rejects_impossible_requests(call, folder, facts, words):
    png("x.png", json.dumps(facts), picture=np.zeros((56, 140) if "seeds" in facts else (84, 84), np.uint8))
    code, out, err = call("replay", "x.png")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err


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
