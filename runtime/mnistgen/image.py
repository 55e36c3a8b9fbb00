"""Digits as one picture, with the record of how they were drawn."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from mnistgen.errors import InputError
from mnistgen.output import formats, images
from mnistgen.output.formats import Frames, Layout
from mnistgen.output.limits import LAYOUT, MOST_DIGITS, MOST_SCALE
from mnistgen.provenance.checks import check
from mnistgen.provenance.records import Record
from mnistgen.validation import integer, shown

if TYPE_CHECKING:
    from mnistgen.text import Box

_PREVIEW_SCALE = 4
"""Maximum scale in a notebook."""


Resampling = Literal["nearest", "smooth"]
"""How a picture is enlarged."""


class ImageLayout(TypedDict, total=False):
    """Options of `Image.encode`."""

    scale: int
    columns: int
    invert: bool
    color: str
    paper: str
    resample: Resampling
    metadata: bool


class Image:
    """Digits as one picture: a single digit, rows of digits, or a text.

    Notebooks show it. `numpy.asarray` gives its pixels.

    >>> image = mnistgen.draw(5, seed=7)
    >>> image.save("five.png")
    >>> image.data_uri()  # for an <img> of a web page
    """

    def __init__(
        self,
        frames: Frames,
        record: Record,
        boxes: "tuple[Box, ...]" = (),
        attempts: tuple[int, ...] | None = None,
    ):
        self.frames = frames
        """The digits (n, 28, 28), or one text (1, 28, width); uint8, ink 255."""
        self.record = record
        """How the picture was drawn; files carry it."""
        self.boxes = boxes
        """Bounding box of each digit of a text, in reading order."""
        self.attempts = attempts
        """Attempts at each digit, if verified."""

    @property
    def array(self) -> NDArray[np.uint8]:
        """The picture (height, width), uint8, ink 255, at scale 1."""
        return images.grid(self.frames, columns=self.record.columns)

    @property
    def seed(self) -> int:
        """Seed of the digits, also if it was random."""
        return self.record.seed

    @property
    def digits(self) -> tuple[int, ...] | None:
        """Digit of each image; None if the model is unconditional and none were requested."""
        return self.record.digits

    def encode(
        self,
        format: str | None = None,
        *,
        scale: int | None = None,
        columns: int | None = None,
        invert: bool | None = None,
        color: str | None = None,
        paper: str | None = None,
        resample: Resampling | None = None,
        metadata: bool = True,
    ) -> bytes:
        """Encode the picture as a file; equal arguments give equal bytes.

        Args:
            format: "png", "jpg", "gif", "webp", "svg", "npy", "npz" or "txt"; a GIF or WebP shows the digits one after
                another.
            scale: Side of a pixel, 8 by default.
            columns: Digits per row, 10 by default.
            invert: Draw black on white.
            color: Color of the ink, except in arrays and txt: a name of CSS, or "#rrggbb".
            paper: Color of the background; "none" makes a png, webp or svg transparent.
            resample: "smooth" enlarges with soft edges instead of squares.
            metadata: Store how the picture was drawn, if the format carries it. A picture with another color, paper or
                resampling carries nothing, because `replay` compares grey levels.

        Raises:
            InputError: An argument is invalid or has no effect on the format, or the picture would be too large.
            MissingPackageError: Pillow is not installed.
        """
        style = {"color": color, "paper": paper, "resample": resample}
        record = _arranged(self.record, format or self.record.format, scale, columns, invert, style)
        check(record)
        text = record.to_json() if metadata and not any(style.values()) else None
        layout = Layout(record.format, record.scale, record.columns, record.invert, **style)
        return formats.encode(self.frames, layout, digits=record.digits, metadata=text)

    def png(self, **layout: Unpack[ImageLayout]) -> bytes:
        """Encode the picture as a PNG; the options are those of `encode`."""
        return self.encode("png", **layout)

    def data_uri(self, format: str = "png", **layout: Unpack[ImageLayout]) -> str:
        """Return the encoded picture as a data URI, which a web page can show; the options are those of `encode`."""
        return formats.data_uri(format, self.encode(format, **layout))

    def save(self, path: str | os.PathLike[str], **layout: Unpack[ImageLayout]) -> Path:
        """Write the picture to a file and return its path.

        The suffix selects the format. The other options are those of `encode`. The file is complete or does not exist.

        Raises:
            OutputError: The file cannot be written. Otherwise as `encode`.
        """
        return formats.save(path, lambda format: self.encode(format, **layout))

    def _repr_png_(self) -> bytes:
        return self.png(scale=min(self.record.scale, _PREVIEW_SCALE))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.array, dtype=dtype)

    def __repr__(self) -> str:
        height, width = self.array.shape
        return f"<mnistgen.Image {width}×{height}, {self.record.model}, seed {self.seed}>"


def _arranged(
    record: Record,
    format: str,
    scale: int | None,
    columns: int | None,
    invert: bool | None,
    style: dict[str, str | None],
) -> Record:
    """Return the record for a format and a layout; raise InputError for options without effect."""
    if not isinstance(format, str) or format not in LAYOUT:
        raise InputError(f"format is {shown(format)}; expected {', '.join(LAYOUT)}", code="unknown-format")
    for name, value in {"scale": scale, "columns": columns, **style}.items():
        if value is not None and name not in LAYOUT[format]:
            raise InputError(f"{name} has no effect on a {format}", code="option-conflict", remedy="Leave it out")
    if scale is None:
        scale = record.scale if "scale" in LAYOUT[format] else 1
    if columns is None:
        columns = record.columns
    return record._replace(
        format=format,
        scale=integer("scale", scale, MOST_SCALE + 1, least=1, code="invalid-layout"),
        columns=integer("columns", columns, MOST_DIGITS + 1, least=1, code="invalid-layout"),
        invert=record.invert if invert is None else bool(invert),
    )
