"""The training set or the test set of a dataset while it is drawn: MNIST's own IDX files, which grow by blocks."""

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
"""Images that are in memory at a time."""
_IMAGE, _LABEL = (28, 28), ()
_PREFIX = {"train": "train", "test": "t10k"}  # MNIST's names


class Split:
    """Images `start` to `start` + n - 1 of `seed`, n the sum of `counts`, in two files in the folder `raw`."""

    def __init__(self, name: str, raw: Path, counts: list[int], seed: int, start: int):
        self.name, self.counts, self.n = name, counts, sum(counts)
        self.images = raw / f"{_PREFIX[name]}-images-idx3-ubyte"
        self.labels = raw / f"{_PREFIX[name]}-labels-idx1-ubyte"
        self._shown = Labels(counts, seed, stream=list(_PREFIX).index(name))
        self._seed, self._start = seed, start

    def drawn(self) -> int:
        """How many images are whole in both files."""
        return min(_whole(self.images, _IMAGE), _whole(self.labels, _LABEL))

    def draw(self, generator: Generator, progress: Callable[[int], None]) -> None:
        """Draw the images that are missing; `progress` is told how many have been added."""
        done = self.drawn()
        with ExitStack() as stack:
            images = stack.enter_context(_reopened(self.images, (self.n, *_IMAGE), done))
            labels = stack.enter_context(_reopened(self.labels, (self.n, *_LABEL), done))
            for first in range(done, self.n, BLOCK):
                stop = min(self.n, first + BLOCK)
                shown = self._shown(first, stop)  # (b,)
                drawn = generator.generate(stop - first, digit=shown, seed=self._seed, start=self._start + first)
                for file, block in ((images, drawn), (labels, shown)):
                    file.write(block.tobytes())
                    file.flush()
                progress(stop - first)

    def blocks(self) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
        """What has been drawn: images (b, 28, 28), ink 255, and labels (b,), b at most 1024."""
        for images, labels in zip(records(self.images, _IMAGE), records(self.labels, _LABEL), strict=True):
            yield (
                np.frombuffer(images, np.uint8).reshape(-1, *_IMAGE),
                np.frombuffer(labels, np.uint8),
            )

    def facts(self) -> dict[str, Any]:
        """What dataset.json says of it; the SHA-256 is that of all pixels and then all labels, one byte each."""
        digest = hashlib.sha256()
        for path, shape in ((self.images, _IMAGE), (self.labels, _LABEL)):
            for block in records(path, shape):
                digest.update(block)
        return {"n": self.n, "start": self._start, "digits": self.counts, "sha256": digest.hexdigest()}


def records(path: Path, shape: tuple[int, ...]) -> Iterator[bytes]:
    """The content of an IDX file of records of `shape`, without its header, in blocks."""
    with path.open("rb") as file:
        file.seek(len(_header((0, *shape))))
        while block := file.read(BLOCK * _size(shape)):
            yield block


def _header(shape: tuple[int, ...]) -> bytes:
    """An IDX file's: two zeros, the type (8: a byte without sign), the number of dimensions, and the dimensions."""
    return struct.pack(f">4B{len(shape)}I", 0, 0, 8, len(shape), *shape)


def _size(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape, dtype=int))


def _whole(path: Path, shape: tuple[int, ...]) -> int:
    """How many whole records of `shape` the file has."""
    try:
        content = path.stat().st_size - len(_header((0, *shape)))
    except FileNotFoundError:
        return 0
    return max(0, content) // _size(shape)


def _reopened(path: Path, shape: tuple[int, ...], done: int) -> IO[bytes]:
    """The file, open for what follows its header and the first `done` records."""
    path.touch()
    file = path.open("r+b")
    header = _header(shape)
    file.write(header)
    file.seek(len(header) + done * _size(shape[1:]))
    file.truncate()
    return file
