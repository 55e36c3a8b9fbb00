"""The kinds of dataset; each is built from the IDX files that the images were drawn into."""

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnistgen.dataset.split import Split, records
from mnistgen.errors import InputError, MissingPackageError, install_command, no_memory
from mnistgen.memory import is_exhausted
from mnistgen.output.arrays import write_header
from mnistgen.output.images import encode_png
from mnistgen.validation import shown

Build = Callable[[Path, Split, Callable[[int], None]], None]
"""Writes a split into a folder, and reports how many images it has added."""


@dataclass(frozen=True)
class Kind:
    """A kind of dataset."""

    entries: tuple[str, ...]
    """Names of its files and folders."""
    build: Build | None
    """None if the IDX files themselves are the result."""
    package: str | None = None
    """Package that it needs besides mnistgen's own; the extra of the kind's name installs it."""


def find_kind(name: str) -> Kind:
    """Return the kind called `name`.

    Raises:
        InputError: There is no such kind.
        MissingPackageError: Its package is not installed.
    """
    if not isinstance(name, str) or name not in KINDS:
        raise InputError(f"kind is {shown(name)}; expected one of {', '.join(KINDS)}", code="unknown-kind")
    kind = KINDS[name]
    if kind.package:
        check_package(name, kind.package)
    return kind


def check_package(name: str, package: str) -> None:
    """Raise MissingPackageError if the package that the kind called `name` needs is not installed."""
    try:
        import_module(package)
    except ImportError as error:
        if is_exhausted(error):
            raise no_memory(package) from error
        raise MissingPackageError(
            f"A {name} dataset needs {package}, which cannot be imported ({error})",
            code="package-missing",
            remedy=f"Run {install_command(name)}",
        ) from error


def _build_npz(folder: Path, split: Split, progress: Callable[[int], None]) -> None:
    """Add two arrays to mnist.npz, uncompressed, so that its bytes do not depend on the version of zlib."""
    with zipfile.ZipFile(folder / "mnist.npz", "a") as archive:
        _add_array(archive, f"x_{split.name}", split.images, (split.n, 28, 28), progress)
        _add_array(archive, f"y_{split.name}", split.labels, (split.n,))


def _add_array(
    archive: zipfile.ZipFile,
    name: str,
    source: Path,
    shape: tuple[int, ...],
    progress: Callable[[int], None] = lambda added: None,
) -> None:
    member = zipfile.ZipInfo(f"{name}.npy")  # a fixed date, 1980
    member.create_system = 3  # a fixed system, Unix
    with archive.open(member, "w", force_zip64=True) as file:
        write_header(file, shape)
        size = int(np.prod(shape[1:], dtype=int))
        for block in records(source, shape[1:]):
            file.write(block)
            progress(len(block) // size)


def _build_png(folder: Path, split: Split, progress: Callable[[int], None]) -> None:
    """Write a file for each image, in a folder for each digit, numbered in the order of the other kinds."""
    (folder / split.name).mkdir()
    for digit, count in enumerate(split.counts):
        if count:  # torchvision's ImageFolder refuses empty folders
            (folder / split.name / str(digit)).mkdir()
    number = 0
    for images, labels in split.blocks():
        for image, label in zip(images, labels, strict=True):
            (folder / split.name / str(label) / f"{number:06}.png").write_bytes(encode_png(image))
            number += 1
        progress(len(images))


def _build_parquet(folder: Path, split: Split, progress: Callable[[int], None]) -> None:
    """Write a table of images and labels."""
    from mnistgen.dataset.parquet import write_parquet  # lazy: needs an extra

    def blocks() -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
        for images, labels in split.blocks():
            yield images, labels
            progress(len(images))

    write_parquet(folder / f"{split.name}.parquet", len(split.counts), blocks())


KINDS = {
    "idx": Kind(("MNIST",), None),
    "npz": Kind(("mnist.npz",), _build_npz),
    "png": Kind(("train", "test"), _build_png),
    "parquet": Kind(("train.parquet", "test.parquet"), _build_parquet, package="pyarrow"),
}
