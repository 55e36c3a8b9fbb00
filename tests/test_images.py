"""Pictures of digits."""

import io
import sys

import numpy as np
import pytest
from PIL import Image, ImageSequence

import mnistgen
from mnistgen.output import animation, images

DIGITS = np.arange(13 * 784, dtype=np.uint32).astype(np.uint8).reshape(13, 28, 28)


def test_a_grid_has_rows_of_ten_and_leaves_the_rest_black():
    picture = images.grid(DIGITS)
    assert picture.shape == (56, 280)
    np.testing.assert_array_equal(picture[28:, 56:84], DIGITS[12])
    assert not picture[28:, 84:].any()


def test_scale_enlarges_each_pixel():
    np.testing.assert_array_equal(images.grid(DIGITS[:2], 3), images.grid(DIGITS[:2]).repeat(3, 0).repeat(3, 1))


def test_a_preview_shows_as_many_digits_as_fit(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "90")
    lines = images.preview(DIGITS).splitlines()
    assert (len(lines), len(lines[0])) == (14, 3 * 28)


def test_a_preview_is_cut_off_where_the_terminal_ends(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    lines = images.preview(np.full((1, 28, 214), 255, dtype=np.uint8)).splitlines()
    assert lines == ["█" * 80] * 14


def test_a_terminal_without_the_characters_gets_no_preview(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert images.preview(DIGITS) == ""


def test_missing_pillow_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(mnistgen.MissingPackageError, match="pip install pillow"):
        images.encode_png(DIGITS[0])


@pytest.mark.parametrize("ending", animation.ENDINGS)
@pytest.mark.parametrize("loop", [True, False])
def test_an_animation_holds_the_frames_to_the_last_bit(ending, loop):
    with Image.open(io.BytesIO(animation.encode(DIGITS, ending, 40, loop))) as file:
        file.load()
        assert file.info["duration"] == 40
        assert file.info.get("loop") == (0 if loop else 1 if ending == ".webp" else None)
        frames = [np.asarray(frame.convert("L")) for frame in ImageSequence.Iterator(file)]
    np.testing.assert_array_equal(frames, DIGITS)
