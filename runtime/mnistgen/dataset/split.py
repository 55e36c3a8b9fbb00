"""The training set or the test set of a dataset while it is drawn: MNIST's IDX files, extended block by block."""

import hashlib
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from mnistgen.dataset.labels import Labels
from mnistgen.generator import Generator

BLOCK = 1024
"""Images in memory at a time."""
_IMAGE, _LABEL = (28, 28), ()
_PREFIX = {"train": "train", "test": "t10k"}  # MNIST's names


class Split:
    """Images of a seed with their labels, in two files.

    Args:
        name: "train" or "test".
        raw: Folder of the files.
        counts: Number of images of each digit.
        seed: Seed of the images and of their order.
        start: Index of the first image.
    """

    def __init__(self, name: str, raw: Path, counts: list[int], seed: int, start: int):
        self.name, self.counts, self.n = name, counts, sum(counts)
        self.images = raw / f"{_PREFIX[name]}-images-idx3-ubyte"
        self.labels = raw / f"{_PREFIX[name]}-labels-idx1-ubyte"
        self._order = Labels(counts, seed, stream=list(_PREFIX).index(name))
        self._seed, self._start = seed, start

    def drawn(self) -> int:
        """Return the number of images that are complete in both files."""
        return min(_complete(self.images, _IMAGE), _complete(self.labels, _LABEL))

    def draw(self, generator: Generator, progress: Callable[[int], None]) -> None:
        """Draw the images that are missing; call `progress` with the number of each block."""
        done = self.drawn()
        with ExitStack() as stack:
            image_file = stack.enter_context(_reopened(self.images, (self.n, *_IMAGE), done))
            label_file = stack.enter_context(_reopened(self.labels, (self.n, *_LABEL), done))
            for first in range(done, self.n, BLOCK):
                stop = min(self.n, first + BLOCK)
                labels = self._order(first, stop)  # (b,)
                images = generator.generate(stop - first, digit=labels, seed=self._seed, start=self._start + first)
                for file, block in ((image_file, images), (label_file, labels)):
                    file.write(block.tobytes())
                    file.flush()
                progress(stop - first)

    def blocks(self) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
        """Yield what has been drawn: images (b, 28, 28), ink 255, and labels (b,), b at most 1024."""
        for images, labels in zip(records(self.images, _IMAGE), records(self.labels, _LABEL), strict=True):
            yield (
                np.frombuffer(images, np.uint8).reshape(-1, *_IMAGE),
                np.frombuffer(labels, np.uint8),
            )

    def facts(self) -> dict[str, Any]:
        """Return the facts for dataset.json; the SHA-256 is that of all pixels and then all labels, one byte each."""
        digest = hashlib.sha256()
        for path, shape in ((self.images, _IMAGE), (self.labels, _LABEL)):
            for block in records(path, shape):
                digest.update(block)
        return {"n": self.n, "start": self._start, "digits": self.counts, "sha256": digest.hexdigest()}


def records(path: Path, shape: tuple[int, ...]) -> Iterator[bytes]:
    """Yield the records of `shape` in an IDX file, without its header, in blocks."""
    with path.open("rb") as file:
        file.seek(len(_header((0, *shape))))
        while block := file.read(BLOCK * _size(shape)):
            yield block


def _header(shape: tuple[int, ...]) -> bytes:
    """Return an IDX header: two zeros, the type (8: unsigned byte), the number of dimensions, and the dimensions."""
    return struct.pack(f">4B{len(shape)}I", 0, 0, 8, len(shape), *shape)


def _size(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape, dtype=int))


def _complete(path: Path, shape: tuple[int, ...]) -> int:
    """Return the number of complete records of `shape` in the file."""
    try:
        content = path.stat().st_size - len(_header((0, *shape)))
    except FileNotFoundError:
        return 0
    return max(0, content) // _size(shape)


def _reopened(path: Path, shape: tuple[int, ...], done: int) -> IO[bytes]:
    """Open the file for writing after its header and the first `done` records."""
    path.touch()
    file = path.open("r+b")
    header = _header(shape)
    file.write(header)
    file.seek(len(header) + done * _size(shape[1:]))
    file.truncate()
    return file
