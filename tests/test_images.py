"""Grids, PNGs, previews and animations."""

import io
import sys

import numpy as np
import pytest
from PIL import Image, ImageSequence

import mnistgen
from mnistgen.output import animation, images

DIGITS = np.arange(13 * 784, dtype=np.uint32).astype(np.uint8).reshape(13, 28, 28)


def test_grid_has_rows_of_ten():
    picture = images.grid(DIGITS)
    assert picture.shape == (56, 280)
    np.testing.assert_array_equal(picture[28:, 56:84], DIGITS[12])
    assert not picture[28:, 84:].any()


def test_scale_enlarges_pixels():
    np.testing.assert_array_equal(images.grid(DIGITS[:2], 3), images.grid(DIGITS[:2]).repeat(3, 0).repeat(3, 1))


def test_one_image_is_enough():
    np.testing.assert_array_equal(mnistgen.grid(DIGITS[3]), DIGITS[3])
    assert mnistgen.encode_png(DIGITS[3:4]) == mnistgen.encode_png(DIGITS[3])


@pytest.mark.parametrize(
    ("code", "call"),
    [
        ("invalid-image", lambda: mnistgen.grid("digits")),
        ("invalid-image", lambda: mnistgen.grid([[0]])),
        ("invalid-image", lambda: mnistgen.grid(DIGITS[0, 0])),
        ("invalid-image", lambda: mnistgen.grid(DIGITS[:0])),
        ("invalid-image", lambda: mnistgen.grid(DIGITS / 255)),
        ("invalid-layout", lambda: mnistgen.grid(DIGITS, 0)),
        ("invalid-layout", lambda: mnistgen.grid(DIGITS, 1.5)),
        ("invalid-layout", lambda: mnistgen.grid(DIGITS, columns="10")),
        ("invalid-layout", lambda: mnistgen.grid(DIGITS, columns=-1)),
        ("too-large", lambda: mnistgen.grid(DIGITS, 1000)),
        ("invalid-image", lambda: mnistgen.encode_png(None)),
        ("invalid-image", lambda: mnistgen.encode_png(DIGITS)),
        ("invalid-image", lambda: mnistgen.encode_png(DIGITS[0].astype(int))),
        ("too-large", lambda: mnistgen.encode_png(np.zeros((10_000, 10_000), np.uint8))),
        ("invalid-metadata", lambda: mnistgen.encode_png(DIGITS[0], 5)),
        ("invalid-metadata", lambda: mnistgen.encode_png(DIGITS[0], b"text")),
    ],
)
def test_invalid_pictures(code, call):
    with pytest.raises(mnistgen.InputError) as caught:
        call()
    assert caught.value.code == code


def test_preview_fits_terminal_width(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "90")
    lines = images.preview(DIGITS).splitlines()
    assert (len(lines), len(lines[0])) == (15, 3 * 28)
    assert lines[-1] == "(the first 3 of 13)"


def test_preview_is_cut_at_terminal_width(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    lines = images.preview(np.full((1, 28, 214), 255, dtype=np.uint8)).splitlines()
    assert lines == ["█" * 80] * 14


def test_preview_needs_block_characters(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert images.preview(DIGITS) == ""


def test_missing_pillow_is_reported(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(mnistgen.MissingPackageError) as caught:
        animation.encode(DIGITS, "gif", 40)
    assert caught.value.code == "pillow-missing"
    assert "pip install pillow" in caught.value.remedy


@pytest.mark.parametrize("kind", animation.FORMATS)
@pytest.mark.parametrize("loop", [True, False])
def test_animation_is_lossless(kind, loop):
    with Image.open(io.BytesIO(animation.encode(DIGITS, kind, 40, loop))) as file:
        file.load()
        assert file.info["duration"] == 40
        assert file.info.get("loop") == (0 if loop else 1 if kind == "webp" else None)
        frames = [np.asarray(frame.convert("L")) for frame in ImageSequence.Iterator(file)]
    np.testing.assert_array_equal(frames, DIGITS)
