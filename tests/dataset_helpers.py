"""A fast generator, and the command that dataset tests run."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np

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
