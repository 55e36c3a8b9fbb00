"""Arrange images in a grid, encode PNGs, and preview images in a terminal."""

import os
import shutil
import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mnistgen.errors import InputError, MissingPackageError, MnistgenError, no_memory
from mnistgen.memory import is_exhausted
from mnistgen.output import png
from mnistgen.output.limits import MOST_PIXELS
from mnistgen.validation import grey_levels, integer, shown

COLUMNS = 10
"""Images in a full row of a grid."""


def grid(digits: NDArray[np.uint8], scale: int = 1, columns: int = COLUMNS) -> NDArray[np.uint8]:
    """Arrange images in rows.

    Args:
        digits: Images (n, height, width), or one image (height, width), uint8.
        scale: Side of a pixel.
        columns: Images in a full row.

    Returns:
        One picture (height, width), uint8; missing images in the last row are 0.

    Raises:
        InputError: An argument is invalid, or the picture would have more than 89 million pixels.
    """
    images = grey_levels("digits", digits)  # (n, height, width)
    n, height, width = images.shape
    scale = integer("scale", scale, MOST_PIXELS, least=1, code="invalid-layout")
    columns = min(n, integer("columns", columns, MOST_PIXELS, least=1, code="invalid-layout"))
    rows = -(-n // columns)
    check_pixels(rows * height * scale * columns * width * scale)
    cells = np.zeros((rows * columns, height, width), dtype=np.uint8)
    cells[:n] = images
    picture = cells.reshape(rows, columns, height, width).swapaxes(1, 2).reshape(rows * height, columns * width)
    return picture.repeat(scale, 1).repeat(scale, 0)  # this order takes half the time


def encode_png(picture: NDArray[np.uint8], metadata: str | None = None, scale: int = 1) -> bytes:
    """Encode a picture as a grayscale PNG.

    Args:
        picture: Grey levels (height, width) or (1, height, width), uint8.
        metadata: Text that the PNG carries under the keyword "mnistgen".
        scale: Side of a pixel; the bytes are those of the enlarged picture.

    Raises:
        InputError: An argument is invalid, or the PNG would have more than 89 million pixels.
    """
    (levels,) = grey_levels("picture", picture, most=1)  # (height, width)
    scale = integer("scale", scale, MOST_PIXELS, least=1, code="invalid-layout")
    check_pixels(levels.size * scale**2)
    if not isinstance(metadata, str | None):
        raise InputError(f"metadata is {shown(metadata)}; expected a string", code="invalid-metadata")
    try:
        return png.encode(levels, scale, {} if metadata is None else {"mnistgen": metadata})
    except UnicodeEncodeError as error:
        raise InputError("metadata holds half of a surrogate pair", code="invalid-metadata") from error


def check_pixels(count: int) -> None:
    """Raise InputError if a picture of `count` pixels is too large."""
    if count > MOST_PIXELS:
        raise InputError(f"The picture would have {count:,} pixels; expected at most {MOST_PIXELS:,}", code="too-large")


def pillow_failed(error: ImportError) -> MnistgenError:
    """Return the error to raise if Pillow cannot be imported."""
    if is_exhausted(error):
        return no_memory("Pillow")
    return MissingPackageError("Pillow is not installed", code="pillow-missing", remedy="Run pip install pillow")


def preview(digits: NDArray[np.uint8]) -> str:
    """Show the first images (n, 28, 28) in half-block characters, as many as fit side by side in the terminal.

    If these are not all, the last line says how many.
    Grey levels use the terminal's 256 colors; with NO_COLOR (https://no-color.org) the preview is black and white. It
    is empty if the terminal cannot show the characters.
    """
    if not _encodes("▀▄█"):
        return ""
    width = shutil.get_terminal_size().columns
    fitting = max(1, width // digits.shape[2])
    first = digits[: min(fitting, COLUMNS)]
    picture = np.concatenate(list(first), axis=1)[:, :width]  # (28, width)
    lines = blocks(picture) if os.environ.get("NO_COLOR") else _lines(_grey_line, picture)
    return lines if len(first) == len(digits) else f"{lines}\n(the first {len(first)} of {len(digits)})"


def blocks(picture: NDArray[np.uint8]) -> str:
    """Show a picture (height, width) in black and white half-block characters, two pixels high each."""
    return _lines(_plain_line, picture)


def _lines(line: Callable[[NDArray[np.uint8], NDArray[np.uint8]], str], picture: NDArray[np.uint8]) -> str:
    return "\n".join(line(upper, lower) for upper, lower in zip(picture[::2], picture[1::2], strict=True))


def _encodes(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def _plain_line(upper: NDArray[np.uint8], lower: NDArray[np.uint8]) -> str:
    """Show two rows of pixels (width,) as one line of characters: ink or none."""
    return "".join(" ▀▄█"[(above > 127) + 2 * (below > 127)] for above, below in zip(upper, lower, strict=True))


def _grey_line(upper: NDArray[np.uint8], lower: NDArray[np.uint8]) -> str:
    """Show two rows of pixels (width,) as one line: the upper pixel is the foreground, the lower the background."""
    pairs = zip(_palette(upper), _palette(lower), strict=True)
    return "".join(f"\x1b[38;5;{above};48;5;{below}m▀" for above, below in pairs) + "\x1b[0m"


def _palette(pixels: NDArray[np.uint8]) -> list[int]:
    """Return numbers of the 256-color palette: 232 to 255 are greys, 16 is black."""
    return [16 if level == 0 else 231 + level for level in (pixels.astype(int) * 24 + 127) // 255]
