"""Moving pictures: GIF and WebP."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistgen.errors import InputError, MissingPackageError

ENDINGS = (".gif", ".webp")
_LARGEST = {".gif": 65_535, ".webp": 16_383}
"""Pixels that the formats' own fields for width and height can tell."""
DESCRIPTION = 0x010E
"""EXIF's tag ImageDescription, where a WebP keeps its metadata."""


def encode(
    frames: NDArray[np.uint8], ending: str, milliseconds: int, loop: bool = True, metadata: str | None = None
) -> bytes:
    """Frames (n, height, width), uint8, as a file of the kind `ending` (one of ENDINGS), to the last bit the same.

    Each frame is shown for as many `milliseconds`, over and over if it is to `loop`; one alone is a still. `metadata`
    is ASCII text that the file carries: a GIF as its comment, a WebP as EXIF's description. Raises InputError for
    frames larger than the format allows, MissingPackageError without Pillow, or where Pillow was built without WebP.

    >>> animation.encode(frames, ".gif", milliseconds=50)
    """
    try:
        from PIL import Image, features
    except ImportError as error:
        raise MissingPackageError("Pillow is not installed: pip install pillow.") from error
    if ending == ".webp" and not features.check("webp"):
        raise MissingPackageError("This Pillow was built without WebP: pip install --force-reinstall pillow.")
    _, height, width = frames.shape
    if max(height, width) > _LARGEST[ending]:
        raise InputError(
            f"{width}×{height} pixels are more than the {_LARGEST[ending]} that a {ending[1:]} has at most on a side: "
            "take a smaller scale, or a png."
        )
    first, *others = (Image.fromarray(frame) for frame in frames)
    file = io.BytesIO()
    options: dict[str, Any] = {"save_all": True, "append_images": others, "duration": milliseconds}
    if ending == ".webp":
        options |= {"lossless": True, "loop": 0 if loop else 1}  # 0 is for ever
    elif loop:
        options["loop"] = 0  # a GIF that shall not loop says nothing of it
    if metadata is not None:
        options |= {"exif": _exif(metadata)} if ending == ".webp" else {"comment": metadata}
    first.save(file, ending[1:], **options)
    return file.getvalue()


def _exif(metadata: str) -> bytes:
    from PIL import Image

    exif = Image.Exif()
    exif[DESCRIPTION] = metadata
    return exif.tobytes().removeprefix(b"Exif\0\0")  # which is JPEG's; a WebP's chunk begins with TIFF's header
