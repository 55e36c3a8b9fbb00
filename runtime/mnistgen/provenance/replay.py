"""Draw a file again and compare."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnistgen import __version__
from mnistgen.generator import Generator
from mnistgen.provenance import container
from mnistgen.provenance.checks import shape_of
from mnistgen.provenance.drawing import encode
from mnistgen.provenance.records import AnyRecord


@dataclass(frozen=True)
class Replay:
    """A file drawn again, compared with the original."""

    record: AnyRecord
    """Record of the new file."""
    content: bytes
    """The new file."""
    levels: int | None
    """Largest difference of a pixel, of 255 grey levels; None if the sizes differ."""
    differences: tuple[str, ...]
    """What differs, in words; empty if nothing does."""


def replay(path: Path, record: AnyRecord, generator: Generator) -> Replay:
    """Draw the file at `path` again and compare the pixels.

    Args:
        path: A file that mnistgen wrote.
        record: What provenance.read returns for it.
        generator: The model that draws again.

    Raises:
        ProvenanceError: The file's pixels cannot be read, or their number is not that of its record.
        InputError: The generator cannot draw what the record asks for.

    >>> record = provenance.read(path)
    >>> replay(path, record, mnistgen.load(record.model)).differences
    ()
    """
    old = container.pixels(container.read(path), path, shape_of(record))  # before the work of drawing
    now = record._replace(
        mnistgen=__version__,
        model=generator.model.name,
        sha256=generator.model.sha256,
        provider=generator.provider,
    )
    content = encode(now, generator)
    new = container.pixels(content, path, shape_of(now))
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
        yield f"the model's SHA-256 was {record.sha256[:12]}…, now {now.sha256[:12]}…"
    if record.mnistgen != now.mnistgen:
        yield f"the version of mnistgen was {record.mnistgen}, now {now.mnistgen}"
    if levels is None:
        yield f"the size was {_size(old)}, now {_size(new)}"
    elif levels:
        count = int((old != new).sum())
        yield f"{count} of {old.size} pixels differ, by at most {levels} levels{_providers(record, now)}"


def _size(frames: NDArray[np.uint8]) -> str:
    n, height, width = frames.shape
    return f"{n} of {width}×{height}"


def _providers(record: AnyRecord, now: AnyRecord) -> str:
    return "" if record.provider == now.provider else f" (the provider was {record.provider}, now {now.provider})"
