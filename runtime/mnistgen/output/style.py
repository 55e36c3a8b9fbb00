"""Pictures in color, with a transparent background, or enlarged with soft edges."""

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mnistgen.errors import InputError
from mnistgen.output.images import pillow_failed
from mnistgen.validation import shown

if TYPE_CHECKING:
    from PIL.Image import Image

TRANSPARENT = "none"
"""Name of the color of a transparent background."""
RESAMPLINGS = ("nearest", "smooth")
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
_LARGEST_JPEG = 65_500


def encode(ink: NDArray[np.uint8], format: str, scale: int, color: str, paper: str, resample: str) -> bytes:
    """Encode a picture in color.

    Args:
        ink: Amount of ink (height, width), uint8, from 0, paper, to 255.
        format: "png" or "jpg".
        scale: Side of a pixel.
        color: Color of the ink: a name of CSS, or "#rrggbb".
        paper: Color of the background, or TRANSPARENT.
        resample: One of RESAMPLINGS.

    Raises:
        InputError: A color or the resampling is invalid, or a jpg would be transparent or too large.
        MissingPackageError: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise pillow_failed(error) from error
    if resample not in RESAMPLINGS:
        raise InputError(f"resample is {shown(resample)}; expected nearest or smooth", code="invalid-style")
    if format == "jpg" and paper == TRANSPARENT:
        raise InputError("A jpg cannot be transparent", code="option-conflict", remedy="Use a png")
    size = (ink.shape[1] * scale, ink.shape[0] * scale)
    if format == "jpg" and max(size) > _LARGEST_JPEG:
        raise InputError(
            f"The picture has {size[0]}×{size[1]} pixels; expected at most {_LARGEST_JPEG} per side in a jpg",
            code="too-large",
        )
    smooth = Image.Resampling.LANCZOS if resample == "smooth" else Image.Resampling.NEAREST
    picture = _painted(Image.fromarray(ink).resize(size, smooth), color, paper)
    file = io.BytesIO()
    if format == "jpg":
        picture.save(file, "JPEG", quality=95)
    else:
        picture.save(file, "PNG")
    return file.getvalue()


def painter(format: str, color: str, paper: str) -> "Callable[[Image], Image]":
    """Return a function that colors a frame of an animation, given as an image of mode L, the amount of ink.

    Args:
        format: "gif" or "webp".
        color: Color of the ink, as in `encode`.
        paper: Color of the background, as in `encode`.

    Raises:
        InputError: A color is invalid, or a gif would be transparent.
    """
    if format == "gif" and paper == TRANSPARENT:
        raise InputError(
            "A gif cannot be transparent, as it has no soft edges", code="option-conflict", remedy="Use a webp"
        )
    if format == "webp":
        return lambda ink: _painted(ink, color, paper)
    palette = bytes(value for shade in _shades(color, paper) for value in shade)

    def with_palette(ink: "Image") -> "Image":
        ink.putpalette(palette)  # the amount of ink becomes the index of its color
        return ink

    return with_palette


def fills(color: str, paper: str) -> tuple[str, ...]:
    """Return the attributes of an SVG's shape for each amount of ink from 0 to 255; raise InputError for no color."""
    if paper == TRANSPARENT:
        front = _hexadecimal(rgb("color", color))
        return tuple(f'fill="{front}" fill-opacity="{level / 255:.4g}"' for level in range(256))
    return tuple(f'fill="{_hexadecimal(shade)}"' for shade in _shades(color, paper))


def _shades(color: str, paper: str) -> list[tuple[int, ...]]:
    """Return the 256 colors from `paper` to `color`."""
    front, back = rgb("color", color), rgb("paper", paper)
    return [
        tuple(round((ink * level + ground * (255 - level)) / 255) for ink, ground in zip(front, back, strict=True))
        for level in range(256)
    ]


def _hexadecimal(color: tuple[int, ...]) -> str:
    return f"#{bytes(color).hex()}"


def _painted(ink: "Image", color: str, paper: str) -> "Image":
    """Return a picture of which `ink`, an image of mode L, tells the amount of ink at each pixel."""
    from PIL import Image

    front, back = rgb("color", color), None if paper == TRANSPARENT else rgb("paper", paper)
    if (front, back) == (WHITE, BLACK):
        return ink
    picture = Image.new("RGB", ink.size, front)
    if back is None:
        picture.putalpha(ink)
        return picture
    return Image.composite(picture, Image.new("RGB", ink.size, back), ink)


def rgb(name: str, color: Any) -> tuple[int, int, int]:
    """Return a color as red, green and blue.

    Raises:
        InputError: It is no color.
        MissingPackageError: Pillow is not installed.
    """
    try:
        from PIL import ImageColor
    except ImportError as error:
        raise pillow_failed(error) from error
    try:
        red, green, blue = ImageColor.getrgb(color)[:3]
    except (ValueError, AttributeError, TypeError) as error:
        raise InputError(
            f"{name} is {shown(color)}; expected a color such as red or #ff0000", code="invalid-style"
        ) from error
    return red, green, blue
