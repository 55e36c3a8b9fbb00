"""Frames of a walk, with the record of how they were drawn."""

import os
from pathlib import Path
from typing import Any, Self, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from mnistgen import __version__
from mnistgen.errors import InputError
from mnistgen.output import formats, images
from mnistgen.output.formats import Frames
from mnistgen.output.limits import MOST_SCALE, SCALE
from mnistgen.provenance.checks import check
from mnistgen.provenance.records import LONGEST_MS, SHORTEST_MS, WALK_FORMATS, Walk
from mnistgen.validation import integer, shown
from mnistgen.walk import WalkRequest

MILLISECONDS = 40
"""Default time of a frame."""
SHEET_SCALE = 2
"""Default scale of a sheet of all frames."""
_PREVIEW_SCALE = 4
"""Maximum scale in a notebook."""


class AnimationLayout(TypedDict, total=False):
    """Options of `Animation.encode`."""

    scale: int
    milliseconds: int
    metadata: bool


class Animation:
    """Frames of a walk from digit to digit.

    Notebooks show it. `numpy.asarray`, `len`, indices and slices give its frames.

    >>> walk = mnistgen.load("cgan").walk(seeds=7, digits=[3, 8], loop=True)
    >>> walk.save("walk.gif")
    >>> walk[0].shape
    (28, 28)
    """

    def __init__(self, frames: Frames, record: Walk):
        self.frames = frames
        """Frames (length, 28, 28), uint8, ink 255."""
        self.record = record
        """How the frames were drawn; files carry it."""

    @classmethod
    def of(cls, frames: Frames, request: WalkRequest, provider: str) -> Self:
        """Return the frames (length, 28, 28) of a requested walk, drawn by the execution provider `provider`."""
        record = Walk(
            mnistgen=__version__,
            model=request.model.name,
            sha256=request.model.sha256,
            provider=provider,
            seeds=tuple(request.seeds),
            digits=tuple(request.digits) if request.model.classes else None,
            frames=request.frames,
            loop=request.loop,
            format="gif",
            scale=SCALE,
            milliseconds=MILLISECONDS,
        )
        return cls(frames, record)

    @property
    def array(self) -> NDArray[np.uint8]:
        """The frames (length, 28, 28), uint8, ink 255."""
        return self.frames

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seed of each stop."""
        return self.record.seeds

    @property
    def digits(self) -> tuple[int, ...] | None:
        """Digit of each stop; None if the model is unconditional."""
        return self.record.digits

    def encode(
        self,
        format: str | None = None,
        *,
        scale: int | None = None,
        milliseconds: int | None = None,
        metadata: bool = True,
    ) -> bytes:
        """Encode the frames as a file; equal arguments give equal bytes.

        Args:
            format: "gif", "webp", or "png" for a sheet with a row for each leg and the stops at both ends.
            scale: Side of a pixel: 8 by default, and 2 in a sheet.
            milliseconds: Time of each frame, 40 by default; a multiple of 10 in a GIF.
            metadata: Store how the frames were drawn.

        Raises:
            InputError: An argument is invalid, or the file would be too large or too long.
            MissingPackageError: Pillow is not installed.
        """
        record = _timed(self.record, format or self.record.format, scale, milliseconds)
        check(record)
        text = record.to_json() if metadata else None
        if record.milliseconds is None:
            sheet = images.grid(_legs(record, self.frames), columns=record.frames + 1)
            return images.encode_png(sheet, text, record.scale)
        from mnistgen.output import animation  # lazy: other files do not need it

        large = self.frames.repeat(record.scale, 1).repeat(record.scale, 2)
        return animation.encode(large, record.format, record.milliseconds, record.loop, text)

    def data_uri(self, format: str = "gif", **layout: Unpack[AnimationLayout]) -> str:
        """Return the encoded frames as a data URI, which a web page can show; the options are those of `encode`."""
        return formats.data_uri(format, self.encode(format, **layout))

    def save(self, path: str | os.PathLike[str], **layout: Unpack[AnimationLayout]) -> Path:
        """Write the frames to a file and return its path.

        The suffix selects the format. The other options are those of `encode`. The file is complete or does not exist.

        Raises:
            OutputError: The file cannot be written. Otherwise as `encode`.
        """
        return formats.save(path, lambda format: self.encode(format, **layout))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, bytes]:
        return {"image/gif": self.encode("gif", scale=min(self.record.scale, _PREVIEW_SCALE))}

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.frames, dtype=dtype)

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: Any) -> NDArray[np.uint8]:
        frames: NDArray[np.uint8] = self.frames[index]
        return frames

    def __repr__(self) -> str:
        return f"<mnistgen.Animation of {len(self)} frames, {self.record.model}, seeds {self.seeds[:4]}>"


def _timed(record: Walk, format: str, scale: int | None, milliseconds: int | None) -> Walk:
    """Return the record for a format, a scale and a time per frame."""
    if not isinstance(format, str) or format not in WALK_FORMATS:
        raise InputError(f"format is {shown(format)}; expected {', '.join(WALK_FORMATS)}", code="unknown-format")
    sheet = format == "png"
    if scale is None:
        scale = record.scale if sheet == (record.format == "png") else SHEET_SCALE if sheet else SCALE
    if milliseconds is None and not sheet:
        milliseconds = record.milliseconds or MILLISECONDS
    if milliseconds is not None:
        milliseconds = integer("milliseconds", milliseconds, LONGEST_MS + 1, least=SHORTEST_MS, code="invalid-time")
    scale = integer("scale", scale, MOST_SCALE + 1, least=1, code="invalid-layout")
    return record._replace(format=format, scale=scale, milliseconds=milliseconds)


def _legs(record: Walk, frames: Frames) -> NDArray[np.uint8]:
    """Return the legs of a walk one after another (legs · (frames + 1), 28, 28), each with the stops at both ends."""
    if record.loop:
        frames = np.concatenate([frames, frames[:1]])
    firsts = range(0, len(frames) - 1, record.frames)
    return np.concatenate([frames[first : first + record.frames + 1] for first in firsts])
