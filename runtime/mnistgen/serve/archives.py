"""Archives of digits in parts, written without seeking: npz, and tar as WebDataset reads it."""

import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnistgen.output.arrays import write_header
from mnistgen.output.images import encode_png
from mnistgen.output.tar import add_file


class Block(NamedTuple):
    """Digits that follow one another."""

    images: NDArray[np.uint8]
    """(b, 28, 28), ink 255."""
    digits: NDArray[np.uint8] | None
    """(b,), the digit of each image, if known."""


Blocks = Iterator[Block]


class _Sink(io.RawIOBase):
    """A file that gives away what has been written to it."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, content: object) -> int:
        """Keep a copy of `content`, an object with a buffer."""
        self._parts.append(bytes(content))  # type: ignore[call-overload]  # Python 3.11 has no type for buffers
        return len(self._parts[-1])

    def take(self) -> bytes:
        """Return what has been written since the last call."""
        content = b"".join(self._parts)
        self._parts.clear()
        return content


def npz(n: int, blocks: Blocks) -> Iterator[bytes]:
    """Yield an npz of `n` digits: `images` (n, 28, 28) and, if the digits are known, `digits` (n,), both uint8.

    It is not compressed; equal digits give equal bytes.
    """
    sink, known = _Sink(), []
    with zipfile.ZipFile(sink, "w") as archive:
        with archive.open(zipfile.ZipInfo("images.npy"), "w") as file:  # with a fixed date, 1980
            write_header(file, (n, 28, 28))
            for block in blocks:
                file.write(block.images.tobytes())
                if block.digits is not None:
                    known.append(block.digits)
                yield sink.take()
        if known:
            with archive.open(zipfile.ZipInfo("digits.npy"), "w") as file:
                write_header(file, (n,))
                file.write(np.concatenate(known).tobytes())
    yield sink.take()


def tar(n: int, blocks: Blocks) -> Iterator[bytes]:
    """Yield a tar of `n` digits: a PNG for each and, if the digits are known, a text file with the label.

    The names are 000000.png and 000000.cls; equal digits give equal bytes.
    """
    sink, number = _Sink(), 0
    with tarfile.open(fileobj=sink, mode="w|", format=tarfile.USTAR_FORMAT) as archive:
        for block in blocks:
            for i, image in enumerate(block.images):
                add_file(archive, f"{number:06}.png", encode_png(image))
                if block.digits is not None:
                    add_file(archive, f"{number:06}.cls", b"%d" % block.digits[i])
                number += 1
            yield sink.take()
    yield sink.take()


FORMATS: dict[str, Callable[[int, Blocks], Iterator[bytes]]] = {"npz": npz, "tar": tar}
