"""A fast generator, datasets that are cut off and damaged, and the command that dataset tests run."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mnistgen import dataset

SMALL = "from mnistgen.dataset import split; split.BLOCK = 16"
"""Code to run before the command: small blocks."""
WRITE = ("dataset", "digits", "--n", "400", "--model", "cgan-int8", "--device", "cpu")


class Painter:
    """A fast generator: an image is filled with a number that depends on its address and digit."""

    model = SimpleNamespace(name="painter", classes=10, latent_size=1, sha256="0" * 64)
    provider = "CPUExecutionProvider"

    def __init__(self):
        self.painted = 0

    def generate(self, n, *, digit, seed, start):
        self.painted += n
        numbers = (np.arange(start, start + n) * 10 + digit + seed) % 251
        return np.broadcast_to(numbers.astype(np.uint8)[:, None, None], (n, 28, 28)).copy()


def tree(folder):
    """Return the bytes of every file in `folder` by relative path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


class Cut(BaseException):
    """An exception that nothing catches, like a power cut."""


def cut_after(images, out, painter, **options):
    """Draw a dataset of 24 + 8 images in blocks of 4 and stop after this number of images; return the files."""

    def stop(what, done, n):
        if done >= images:
            raise Cut

    with pytest.raises(Cut):
        dataset.write(painter, out, 32, test=8, progress=stop, **options)
    folder = out / ".unfinished" / "idx"
    raw = folder / "MNIST" / "raw"
    return raw / "train-images-idx3-ubyte", raw / "train-labels-idx1-ubyte", folder / "train-hashes"


def zero_tail(path, size):
    """Replace the end of a file by zeros, as a power failure does with blocks that were not on the disk yet."""
    content = path.read_bytes()
    path.write_bytes(content[:-size] + bytes(size))


def flip(path, position):
    content = bytearray(path.read_bytes())
    content[position] ^= 0x10
    path.write_bytes(content)
