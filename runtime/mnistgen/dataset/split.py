"""The training set or the test set of a dataset while it is drawn: MNIST's IDX files, extended block by block.

A third file holds the SHA-256 of each block. A draft is resumed after the last block that has its hash and its labels,
so it does not matter which blocks the disk had when the power failed: they need not be synced one by one.
"""

import hashlib
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from mnistgen.dataset.labels import Labels
from mnistgen.errors import OutputError
from mnistgen.generator import Generator

BLOCK = 1024
"""Images in memory at a time."""
_IMAGE, _LABEL = (28, 28), ()
_HASH = struct.Struct(">I32s")
"""Index of the first image after a block, and the SHA-256 of the block's pixels."""
_PREFIX = {"train": "train", "test": "t10k"}  # MNIST's names


class Split:
    """Images of a seed with their labels, in two files, and the hashes of their blocks in a third.

    Args:
        name: "train" or "test".
        folder: Folder of the hashes, and in MNIST/raw of the images and labels.
        counts: Number of images of each digit.
        seed: Seed of the images and of their order.
        start: Index of the first image.
    """

    def __init__(self, name: str, folder: Path, counts: list[int], seed: int, start: int):
        self.name, self.counts, self.n = name, counts, sum(counts)
        raw = folder / "MNIST" / "raw"
        self.images = raw / f"{_PREFIX[name]}-images-idx3-ubyte"
        self.labels = raw / f"{_PREFIX[name]}-labels-idx1-ubyte"
        self._hashes = folder / f"{name}-hashes"
        self._order = Labels(counts, seed, stream=list(_PREFIX).index(name))
        self._seed, self._start = seed, start
        self._kept: tuple[int, int] | None = None

    def drawn(self) -> int:
        """Return the number of images up to the first block that is missing or damaged."""
        self._kept = self._intact()
        return self._kept[1]

    def draw(self, generator: Generator, progress: Callable[[int], None]) -> None:
        """Draw the images that are missing; call `progress` with the number of each block."""
        blocks, done = self._kept or self._intact()
        self.images.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            image_file = stack.enter_context(_reopened(self.images, (self.n, *_IMAGE), done))
            label_file = stack.enter_context(_reopened(self.labels, (self.n, *_LABEL), done))
            hash_file = stack.enter_context(_opened(self._hashes))
            hash_file.truncate(blocks * _HASH.size)
            hash_file.seek(0, os.SEEK_END)
            for first in range(done, self.n, BLOCK):
                stop = min(self.n, first + BLOCK)
                labels = self._order(first, stop)  # (b,)
                images = generator.generate(stop - first, digit=labels, seed=self._seed, start=self._start + first)
                pixels = images.tobytes()
                record = _HASH.pack(stop, hashlib.sha256(pixels).digest())
                for file, content in ((image_file, pixels), (label_file, labels.tobytes()), (hash_file, record)):
                    file.write(content)
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
        """Return the facts for dataset.json; the SHA-256 is that of all pixels and then all labels, one byte each.

        Raises:
            OutputError: The files are not what was drawn, because the disk has damaged them.
        """
        digest, counts = hashlib.sha256(), np.zeros(len(self.counts), int)
        intact = self._intact(digest.update)[1]
        for block in records(self.labels, _LABEL):
            digest.update(block)
            counts += np.bincount(np.frombuffer(block, np.uint8), minlength=len(counts))[: len(counts)]
        if intact != self.n or counts.tolist() != self.counts:
            raise OutputError(
                f"{self.images.parent} was damaged while it was written",
                code="dataset-damaged",
                remedy="Check the disk, and repeat the command to draw the damaged images again",
            )
        return {"n": self.n, "start": self._start, "digits": self.counts, "sha256": digest.hexdigest()}

    def _intact(self, on_pixels: Callable[[bytes], None] = lambda pixels: None) -> tuple[int, int]:
        """Return the number of blocks up to the first that is missing or damaged, and of their images.

        Args:
            on_pixels: Called with parts of the pixels, in order.
        """
        done = blocks = 0
        try:
            with self._hashes.open("rb") as hashes, self.images.open("rb") as images, self.labels.open("rb") as labels:
                images.seek(len(idx_header((0, *_IMAGE))))
                labels.seek(len(idx_header((0, *_LABEL))))
                while len(record := hashes.read(_HASH.size)) == _HASH.size:
                    stop, expected = _HASH.unpack(record)
                    if not done < stop <= self.n:
                        break
                    digest = hashlib.sha256()
                    for first in range(done, stop, BLOCK):  # a block of another version may be larger
                        end = min(stop, first + BLOCK)
                        pixels = images.read((end - first) * _size(_IMAGE))
                        if labels.read(end - first) != self._order(first, end).tobytes():
                            return blocks, done
                        digest.update(pixels)
                        on_pixels(pixels)
                    if digest.digest() != expected:
                        break
                    done, blocks = stop, blocks + 1
        except FileNotFoundError:
            pass  # nothing is drawn
        return blocks, done


def records(path: Path, shape: tuple[int, ...]) -> Iterator[bytes]:
    """Yield the records of `shape` in an IDX file, without its header, in blocks."""
    with path.open("rb") as file:
        file.seek(len(idx_header((0, *shape))))
        while block := file.read(BLOCK * _size(shape)):
            yield block


def idx_header(shape: tuple[int, ...]) -> bytes:
    """Return an IDX header: two zeros, the type (8: unsigned byte), the number of dimensions, and the dimensions."""
    return struct.pack(f">4B{len(shape)}I", 0, 0, 8, len(shape), *shape)


def _size(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape, dtype=int))


def _opened(path: Path) -> IO[bytes]:
    """Open the file for reading and writing, create it if it is missing, and do not follow a symbolic link."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    return open(path, "r+b", opener=lambda name, _: os.open(name, flags, 0o666))


def _reopened(path: Path, shape: tuple[int, ...], done: int) -> IO[bytes]:
    """Open the file for writing after its header and the first `done` records."""
    file = _opened(path)
    header = idx_header(shape)
    file.write(header)
    file.seek(len(header) + done * _size(shape[1:]))
    file.truncate()
    return file
