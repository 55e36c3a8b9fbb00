"""The formats of shards. Equal images and labels give equal bytes, with one version of zlib and of pyarrow."""

import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from mnistgen.dataset.split import idx_header
from mnistgen.output.arrays import write_header
from mnistgen.output.images import encode_png
from mnistgen.output.tar import add_file


class Block(NamedTuple):
    """Images that follow one another."""

    first: int
    """Index of the first image in the dataset."""
    images: NDArray[np.uint8]
    """(b, 28, 28), ink 255."""
    labels: NDArray[np.uint8]
    """(b,)."""


class Contents(NamedTuple):
    """What a shard holds."""

    n: int
    classes: int
    blocks: Iterator[Block]


@dataclass(frozen=True)
class Format:
    """A format of shards."""

    suffixes: tuple[str, ...]
    """Ends of the names of a shard's files."""
    write: Callable[[list[Path], Contents], None]
    """Writes new files, in the order of `suffixes`."""
    package: str | None = None
    """Package that it needs besides mnistgen's own; the extra of the format's name installs it."""


def _write_idx(paths: list[Path], contents: Contents) -> None:
    """Write MNIST's format: a file of images and a file of labels."""
    with paths[0].open("xb") as images, paths[1].open("xb") as labels:
        images.write(idx_header((contents.n, 28, 28)))
        labels.write(idx_header((contents.n,)))
        for block in contents.blocks:
            images.write(block.images.tobytes())
            labels.write(block.labels.tobytes())


def _write_npz(paths: list[Path], contents: Contents) -> None:
    """Write two arrays with Keras' names, uncompressed, so that the bytes do not depend on the version of zlib."""
    labels = []
    with zipfile.ZipFile(paths[0], "x") as archive:
        with archive.open(_member("x_train"), "w", force_zip64=True) as file:
            write_header(file, (contents.n, 28, 28))
            for block in contents.blocks:
                file.write(block.images.tobytes())
                labels.append(block.labels)
        with archive.open(_member("y_train"), "w", force_zip64=True) as file:
            write_header(file, (contents.n,))
            file.write(np.concatenate(labels).tobytes())


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(f"{name}.npy")  # a fixed date, 1980
    member.create_system = 3  # a fixed system, Unix
    return member


def _write_parquet(paths: list[Path], contents: Contents) -> None:
    from mnistgen.dataset.parquet import write_parquet  # lazy: needs an extra

    write_parquet(paths[0], contents.classes, ((block.images, block.labels) for block in contents.blocks))


def _write_webdataset(paths: list[Path], contents: Contents) -> None:
    """Write a tar with a PNG and a label for each image. The name is the image's index, so no two shards share one."""
    with ExitStack() as stack:
        archive = stack.enter_context(tarfile.open(paths[0], "x", format=tarfile.USTAR_FORMAT))
        for block in contents.blocks:
            for i, (image, label) in enumerate(zip(block.images, block.labels, strict=True), block.first):
                add_file(archive, f"{i:010}.png", encode_png(image))
                add_file(archive, f"{i:010}.cls", b"%d" % label)
            cast(Any, archive).members.clear()  # tarfile would keep them all


FORMATS = {
    "idx": Format(("-images-idx3-ubyte", "-labels-idx1-ubyte"), _write_idx),
    "npz": Format((".npz",), _write_npz),
    "parquet": Format((".parquet",), _write_parquet, package="pyarrow"),
    "webdataset": Format((".tar",), _write_webdataset),
}
