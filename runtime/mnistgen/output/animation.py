"""Encode animations as GIF or WebP."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistgen.errors import InputError, MissingPackageError
from mnistgen.output.images import pillow_failed

FORMATS = ("gif", "webp")
_LARGEST = {"gif": 65_535, "webp": 16_383}
"""Largest width and height that the format's header can hold."""
DESCRIPTION = 0x010E
"""EXIF tag ImageDescription, in which a WebP carries its metadata."""


def encode(
    frames: NDArray[np.uint8],
    format: str,
    milliseconds: int,
    loop: bool = True,
    metadata: str | None = None,
    paint: Callable[[Any], Any] = lambda frame: frame,
) -> bytes:
    """Encode frames as an animation; a single frame gives a still image. Both formats are lossless here.

    Args:
        frames: Frames (n, height, width), uint8.
        format: One of FORMATS.
        milliseconds: Time for which each frame is shown.
        loop: Repeat without end.
        metadata: ASCII text that the file carries: in a GIF as its comment, in a WebP as EXIF's description.
        paint: Function that colors a frame, a Pillow image of mode L.

    Raises:
        InputError: The frames are larger than the format allows.
        MissingPackageError: Pillow is not installed, or built without WebP.

    >>> animation.encode(frames, "gif", milliseconds=50)
    """
    Image = _pillow(format)  # noqa: N806  # a module
    _, height, width = frames.shape
    if max(height, width) > _LARGEST[format]:
        raise InputError(
            f"The image has {width}×{height} pixels; expected at most {_LARGEST[format]} per side in a {format}",
            code="too-large",
            remedy="Use a smaller scale, or a png",
        )
    first, *others = (paint(Image.fromarray(frame)) for frame in frames)
    options: dict[str, Any] = {"save_all": True, "append_images": others, "duration": milliseconds}
    if format == "webp":
        options |= {"lossless": True, "loop": 0 if loop else 1}  # 0 means forever
    elif loop:
        options["loop"] = 0  # a GIF that plays once has no such field
    if metadata is not None:
        options |= {"exif": _exif(metadata)} if format == "webp" else {"comment": metadata}
    file = io.BytesIO()
    first.save(file, format, **options)
    return file.getvalue()


def _pillow(format: str) -> Any:
    try:
        from PIL import Image, features
    except ImportError as error:
        raise pillow_failed(error) from error
    if format == "webp" and not features.check("webp"):
        raise MissingPackageError(
            "This Pillow is built without WebP",
            code="pillow-without-webp",
            remedy="Run pip install --force-reinstall pillow",
        )
    return Image


def _exif(metadata: str) -> bytes:
    from PIL import Image

    exif = Image.Exif()
    exif[DESCRIPTION] = metadata
    return exif.tobytes().removeprefix(b"Exif\0\0")  # JPEG's prefix; a WebP chunk begins with TIFF's header
