"""The kinds of files that digits are written to: a function for each."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mnistgen.errors import InputError
from mnistgen.output import images

if TYPE_CHECKING:
    from mnistgen.provenance import Record

Frames = NDArray[np.uint8]
"""Digits (n, 28, 28), ink 255, or one text (1, 28, width)."""

LAYOUT = {
    "png": ("scale", "columns"),
    "gif": ("scale",),
    "webp": ("scale",),
    "npy": (),
    "npz": (),
    "svg": ("scale", "columns"),
    "txt": ("columns",),
}
"""The kinds, and what each lets one choose of its layout."""
CARRIERS = ("png", "gif", "webp", "npz")
"""Kinds that carry a record of how they were drawn."""
TEXTS = ("svg", "txt")
"""Kinds that a terminal can show."""
MOST_DIGITS = 1000
"""Digits in one picture at most; more belong into an array of the API."""
MOST_PIXELS = 89_000_000
"""Pixels in one picture at most, a byte each; Pillow takes larger ones for attacks."""
MOST_SCALE = 64
SCALE = 8
"""Enlargement of a picture for which none is asked."""
MILLISECONDS = 500
"""For which a moving picture shows each digit."""


def kind_of(out: Path | None, asked: str | None) -> str:
    """The kind of file to write: the one `asked` for, else what `out` ends in, else png.

    Raises InputError where the two contradict each other, and for endings of no kind.
    """
    ending = out.suffix.lower().removeprefix(".") if out else ""
    if asked and ending not in ("", asked):
        raise InputError(f"{out} is no {asked} file: give --out a name that ends in .{asked}, or leave out --format.")
    if out is None or str(out) == "-":
        return asked or "png"
    if not asked and ending not in LAYOUT:
        raise InputError(
            f"{out} is no file that mnistgen writes: end --out in {', '.join(f'.{kind}' for kind in LAYOUT)}."
        )
    return asked or ending


def encode(frames: Frames, record: "Record", metadata: bool = True) -> bytes:
    """The bytes of a file of the record's format and layout; equal arguments give equal bytes.

    Unless without `metadata`, one of CARRIERS carries the record. Raises MissingPackageError without Pillow,
    and InputError for frames larger than the format allows.
    """
    return _ENCODERS[record.format](frames, record, record.to_json() if metadata else None)


def _png(frames: Frames, record: "Record", metadata: str | None) -> bytes:
    return images.encode_png(_sheet(frames, record, record.scale), metadata)


def _animation(frames: Frames, record: "Record", metadata: str | None) -> bytes:
    """A GIF or WebP, a frame for each digit."""
    from mnistgen.output import animation

    large = _shown(frames, record).repeat(record.scale, 1).repeat(record.scale, 2)
    return animation.encode(large, f".{record.format}", MILLISECONDS, metadata=metadata)


def _npy(frames: Frames, record: "Record", metadata: str | None) -> bytes:
    file = io.BytesIO()
    np.save(file, _shown(frames, record))
    return file.getvalue()


def _npz(frames: Frames, record: "Record", metadata: str | None) -> bytes:
    arrays: dict[str, NDArray[np.generic]] = {"images": _shown(frames, record)}
    if record.digits is not None:
        arrays["digits"] = np.array(record.digits, dtype=np.uint8)
    if metadata is not None:
        arrays["mnistgen"] = np.array(metadata)
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # which mistakes the names for options
    return file.getvalue()


def _svg(frames: Frames, record: "Record", metadata: str | None) -> bytes:
    """A rectangle for each run of equal pixels in a row, those of one grey in a group."""
    picture = _sheet(frames, record)
    height, width = picture.shape
    begins = np.ones(picture.shape, dtype=bool)
    begins[:, 1:] = picture[:, 1:] != picture[:, :-1]
    y, x = np.nonzero(begins)  # (runs,) each
    length = np.diff(np.flatnonzero(begins), append=picture.size)
    grey = picture[y, x]
    paper = 255 if record.invert else 0
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width * record.scale}" height="{height * record.scale}" '
        f'viewBox="0 0 {width} {height}" shape-rendering="crispEdges">\n'
        f'<rect width="{width}" height="{height}" fill="{_colour(paper)}"/>\n'
    ]
    for shade in np.unique(grey[grey != paper]):
        runs = zip(x[grey == shade], y[grey == shade], length[grey == shade], strict=True)
        rectangles = "".join(f'<rect x="{x}" y="{y}" width="{length}" height="1"/>' for x, y, length in runs)
        parts.append(f'<g fill="{_colour(shade)}">{rectangles}</g>\n')
    return "".join([*parts, "</svg>\n"]).encode()


def _txt(frames: Frames, record: "Record", metadata: str | None) -> bytes:
    lines = images.blocks(_sheet(frames, record)).split("\n")
    return "".join(f"{line.rstrip()}\n" for line in lines).encode()


_ENCODERS = {
    "png": _png, "gif": _animation, "webp": _animation, "npy": _npy, "npz": _npz, "svg": _svg, "txt": _txt,
}  # fmt: skip


def _sheet(frames: Frames, record: "Record", scale: int = 1) -> NDArray[np.uint8]:
    """All frames in one picture (height, width)."""
    return _shown(images.grid(frames, scale, record.columns), record)


def _shown(ink: NDArray[np.uint8], record: "Record") -> NDArray[np.uint8]:
    return 255 - ink if record.invert else ink


def _colour(grey: int) -> str:
    return f"#{grey:02x}{grey:02x}{grey:02x}"
