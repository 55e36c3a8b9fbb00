"""Hostile, foreign and damaged files are rejected in one line."""

import io
import json
import struct
import sys
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image
from record_helpers import FACTS, MANIFOLD, WALK, png

import mnistgen
from mnistgen import provenance
from mnistgen.output import animation, limits

KINDS = limits.CARRIERS


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
    ("facts", "key"), [(facts, key) for facts in (FACTS, WALK, MANIFOLD) for key in facts if key != "kind"]
)
def test_missing_field_is_rejected(folder, facts, key):
    png("x.png", json.dumps({other: value for other, value in facts.items() if other != key}))
    with pytest.raises(
        mnistgen.ProvenanceError, match="no provenance" if key == "mnistgen" else f"its field {key} is missing"
    ):
        provenance.read(folder / "x.png")


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


@pytest.mark.skipif(sys.platform == "win32", reason="needs devices")
def test_devices_are_not_read(call, folder):
    code, _, err = call("info", "/dev/zero")
    assert (code, err.count("\n")) == (1, 1)
    assert "/dev/zero" in err
    assert call("info", "missing.png")[0] == 2


def test_gif_with_many_frames_is_rejected_early(call, folder):
    frame = Image.fromarray(np.zeros((28, 28), np.uint8))
    others = [Image.fromarray(np.full((28, 28), i % 255 + 1, np.uint8)) for i in range(300)]
    comment = json.dumps(WALK | {"frames": 1})  # three frames
    frame.save("x.gif", save_all=True, append_images=others, duration=40, comment=comment)
    code, out, err = call("replay", "x.gif")
    assert (code, out) == (1, "")
    assert "4 frames of 28×28 pixels; expected 3 frames" in err


def test_gif_that_grows_is_rejected_before_decoding(call, folder):
    first, second = (Image.fromarray(np.full((28, 28), level, np.uint8)) for level in (0, 200))
    comment = json.dumps(FACTS | {"format": "gif", "n": 2, "digits": [5, 5], "scale": 1})
    first.save("x.gif", save_all=True, append_images=[second], duration=40, comment=comment)
    content = bytearray((folder / "x.gif").read_bytes())
    size = content.rindex(b",\0\0\0\0" + 2 * struct.pack("<H", 28)) + 5
    content[size : size + 4] = struct.pack("<HH", 9000, 8000)
    (folder / "x.gif").write_bytes(content)
    code, out, err = call("replay", "x.gif")
    assert (code, out) == (1, "")
    assert "9000×8000 pixels; expected 28×28" in err


def test_npz_with_many_entries_is_rejected_early(call, folder):
    members = {f"x{i}": b"" for i in range(200)}
    file = io.BytesIO()
    np.save(file, np.array(json.dumps(FACTS | {"format": "npz"})))
    (folder / "x.npz").write_bytes(archive(mnistgen=file.getvalue(), **members))
    for command in ("info", "replay"):
        code, out, err = call(command, "x.npz")
        assert (code, out, err.count("\n")) == (1, "", 1)
