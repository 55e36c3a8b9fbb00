"""PNGs, as Pillow and a strict reader see them."""

import io
import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

import mnistgen
from mnistgen.output import images

RANDOM = np.random.default_rng(0)


def pictures():
    """Yield pictures of all kinds of rows, and scales."""
    for size in ((1, 1), (1, 9), (9, 1), (28, 28), (56, 280), (5, 3000)):
        for levels in (2, 256):
            picture = RANDOM.integers(0, levels, size, dtype=np.uint8)
            yield from ((picture, 1), (picture, 3), (picture.repeat(3, 0), 2), (picture * 0, 8), (picture * 0 + 255, 1))


def decoded(content):
    with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
        image.load()
        assert image.mode == "L"
        return np.asarray(image), image.text


def chunks(content):
    """Return the kind and the content of each chunk."""
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    found, position = [], 8
    while position < len(content):
        (length,) = struct.unpack(">I", content[position : position + 4])
        kind, part, checksum = struct.unpack(f">4s{length}sI", content[position + 4 : position + 12 + length])
        assert zlib.crc32(kind + part) == checksum
        found.append((kind, part))
        position += 12 + length
    return found


def test_pillow_reads_the_pixels():
    for picture, scale in pictures():
        read, texts = decoded(images.encode_png(picture, scale=scale))
        np.testing.assert_array_equal(read, picture.repeat(scale, 0).repeat(scale, 1))
        assert texts == {}


def test_bytes_are_those_of_the_enlarged_picture():
    for picture, scale in pictures():
        enlarged = picture.repeat(scale, 0).repeat(scale, 1)
        assert images.encode_png(picture, "x", scale) == images.encode_png(enlarged, "x")


def test_chunks():
    found = chunks(images.encode_png(np.zeros((2, 3), np.uint8), "text", 2))
    assert [kind for kind, _ in found] == [b"IHDR", b"tEXt", b"IDAT", b"IEND"]
    assert found[0][1] == struct.pack(">IIBBBBB", 6, 4, 8, 0, 0, 0, 0)
    assert found[1][1] == b"mnistgen\0text"
    rows = np.frombuffer(zlib.decompress(found[2][1]), np.uint8).reshape(4, 7)
    np.testing.assert_array_equal(rows[:, 0], [0, 2, 2, 2])  # the first row is stored, and the others repeat it
    assert not rows[:, 1:].any()


@pytest.mark.parametrize("text", ["", "plain", "café", "数字 ✓", "line\nline", "x" * 100_000])
def test_text_is_kept(text):
    assert decoded(mnistgen.encode_png(np.zeros((1, 1), np.uint8), text))[1] == {"mnistgen": text}


def test_invalid_text_and_scale():
    picture = np.zeros((1, 1), np.uint8)
    for code, arguments in (
        ("invalid-metadata", {"metadata": "\ud800"}),
        ("invalid-layout", {"scale": 0}),
        ("invalid-layout", {"scale": 1.5}),
        ("too-large", {"scale": 10_000}),
    ):
        with pytest.raises(mnistgen.InputError) as caught:
            mnistgen.encode_png(picture, **arguments)
        assert caught.value.code == code


@pytest.mark.parametrize("scale", [1, 8])
def test_digits_are_about_as_small_as_with_pillow(cgan, scale):
    own = others = 0
    for digit in cgan.generate(30, seed=1):
        own += len(images.encode_png(digit, scale=scale))
        file = io.BytesIO()
        Image.fromarray(images.grid(digit, scale)).save(file, "png", compress_type=zlib.Z_RLE)
        others += len(file.getvalue())
    assert own < 1.02 * others


def test_pillow_is_not_needed(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    content = images.encode_png(np.zeros((2, 3), np.uint8))
    assert chunks(content)[-1] == (b"IEND", b"")
