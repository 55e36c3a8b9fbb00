"""Moving pictures: GIF and WebP."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistgen.errors import MissingPackageError

ENDINGS = (".gif", ".webp")


def encode(frames: NDArray[np.uint8], ending: str, milliseconds: int, loop: bool = True) -> bytes:
    """Frames (n, height, width), uint8, as a file of the kind `ending` (one of ENDINGS), to the last bit the same.

    Each frame is shown for as many `milliseconds`, over and over if it is to `loop`. Raises MissingPackageError without
    Pillow, or where Pillow was built without WebP.

    >>> animation.encode(frames, ".gif", milliseconds=50)
    """
    try:
        from PIL import Image, features
    except ImportError as error:
        raise MissingPackageError("Pillow is not installed: pip install pillow.") from error
    if ending == ".webp" and not features.check("webp"):
        raise MissingPackageError("This Pillow was built without WebP: pip install --force-reinstall pillow.")
    first, *others = (Image.fromarray(frame) for frame in frames)
    file = io.BytesIO()
    options: dict[str, Any] = {"save_all": True, "append_images": others, "duration": milliseconds}
    if ending == ".webp":
        options |= {"lossless": True, "loop": 0 if loop else 1}  # 0 is for ever
    elif loop:
        options["loop"] = 0  # a GIF that shall not loop says nothing of it
    first.save(file, ending[1:], **options)
    return file.getvalue()
