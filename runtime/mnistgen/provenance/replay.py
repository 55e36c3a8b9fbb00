"""Drawing a picture, walk or manifold again, and what differs."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnistgen import __version__
from mnistgen.generator import Generator
from mnistgen.provenance import AnyRecord, container


@dataclass(frozen=True)
class Replay:
    """A picture drawn again, beside the original."""

    record: AnyRecord
    """Of the new picture."""
    content: bytes
    """The new picture's file."""
    levels: int | None
    """By how many of 255 grey levels a pixel differs at most; None where the pictures are not of the same size."""
    differences: tuple[str, ...]
    """What is not as it was, each in a few words; empty where all is."""


def replay(path: Path, record: AnyRecord, generator: Generator) -> Replay:
    """The picture at `path`, drawn again by its `record`, which provenance.read gives, and compared pixel by pixel.

    Raises ProvenanceError where its pixels cannot be read, InputError where the generator cannot draw what is asked,
    DeviceError, MissingPackageError.

    >>> record = provenance.read(path)
    >>> replay(path, record, mnistgen.load(record.model)).differences
    ()
    """
    old = container.pixels(container.read(path), path)
    now = record._replace(
        mnistgen=__version__,
        model=generator.model.name,
        sha256=generator.model.sha256,
        provider=generator.provider,
    )
    content = now.redraw(generator)
    new = container.pixels(content, path)
    levels = _levels(old, new)
    return Replay(now, content, levels, tuple(_differences(record, now, old, new, levels)))


def _levels(old: NDArray[np.uint8], new: NDArray[np.uint8]) -> int | None:
    if old.shape != new.shape:
        return None
    return int((np.maximum(old, new) - np.minimum(old, new)).max())


def _differences(
    record: AnyRecord, now: AnyRecord, old: NDArray[np.uint8], new: NDArray[np.uint8], levels: int | None
) -> Iterator[str]:
    if record.sha256 != now.sha256:
        yield f"the model's file is another (SHA-256 {record.sha256[:12]}… then, {now.sha256[:12]}… now)"
    if record.mnistgen != now.mnistgen:
        yield f"mnistgen is another version ({record.mnistgen} then, {now.mnistgen} now)"
    if levels is None:
        yield f"the pictures are of other sizes ({_size(old)} then, {_size(new)} now)"
    elif levels:
        count = int((old != new).sum())
        yield f"{count} of {old.size} pixels differ, by at most {levels} levels{_devices(record, now)}"


def _size(frames: NDArray[np.uint8]) -> str:
    n, height, width = frames.shape
    return f"{n} of {width}×{height}"


def _devices(record: AnyRecord, now: AnyRecord) -> str:
    return "" if record.provider == now.provider else f" ({record.provider} then, {now.provider} now)"
