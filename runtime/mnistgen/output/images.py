"""Digits as pictures: one grid, a PNG, a preview in the terminal."""

import io
import os
import shutil
import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mnistgen.errors import MissingPackageError

COLUMNS = 10
"""Digits in a full row of a grid."""


def grid(digits: NDArray[np.uint8], scale: int = 1, columns: int = COLUMNS) -> NDArray[np.uint8]:
    """Digits (n, 28, 28) in rows of `columns` as one picture (height, width), uint8, each pixel `scale` × `scale`."""
    n, height, width = digits.shape
    columns = min(n, columns)
    rows = -(-n // columns)
    cells = np.zeros((rows * columns, height, width), dtype=np.uint8)
    cells[:n] = digits
    picture = cells.reshape(rows, columns, height, width).swapaxes(1, 2).reshape(rows * height, columns * width)
    return picture.repeat(scale, 0).repeat(scale, 1)


def encode_png(picture: NDArray[np.uint8], metadata: str | None = None) -> bytes:
    """A picture (height, width), uint8, as a grey PNG; raises MissingPackageError without Pillow.

    The `metadata` stand in it as a text with the keyword "mnistgen".
    """
    try:
        from PIL import Image, PngImagePlugin
    except ImportError as error:
        raise MissingPackageError("Pillow is not installed: pip install pillow.") from error
    file = io.BytesIO()
    file.name = "picture.png"  # since Pillow loads five formats for one that is named otherwise
    texts = PngImagePlugin.PngInfo()
    if metadata is not None:
        texts.add_text("mnistgen", metadata)
    Image.fromarray(picture).save(file, pnginfo=texts)
    return file.getvalue()


def preview(digits: NDArray[np.uint8]) -> str:
    """As many of the digits (n, 28, 28) as fit beside each other into the terminal, in half-block characters.

    Grey by the terminal's 256 colours, or black and white under NO_COLOR (https://no-color.org); empty where the
    terminal cannot show the characters.
    """
    if not _encodes("▀▄█"):
        return ""
    width = shutil.get_terminal_size().columns
    fitting = max(1, width // digits.shape[2])
    picture = np.concatenate(list(digits[: min(fitting, COLUMNS)]), axis=1)[:, :width]  # (28, width)
    return blocks(picture) if os.environ.get("NO_COLOR") else _lines(_grey_line, picture)


def blocks(picture: NDArray[np.uint8]) -> str:
    """A picture (height, width), uint8, in black and white half-block characters, each two pixels high."""
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
    """Two rows of pixels (width,) as one line of characters, ink or none."""
    return "".join(" ▀▄█"[(above > 127) + 2 * (below > 127)] for above, below in zip(upper, lower, strict=True))


def _grey_line(upper: NDArray[np.uint8], lower: NDArray[np.uint8]) -> str:
    """Two rows of pixels (width,) as one line: the upper pixel is the foreground, the lower the background."""
    pairs = zip(_grey(upper), _grey(lower), strict=True)
    return "".join(f"\x1b[38;5;{above};48;5;{below}m▀" for above, below in pairs) + "\x1b[0m"


def _grey(pixels: NDArray[np.uint8]) -> list[int]:
    """Colour numbers of the 256-colour palette: 232 to 255 are its greys, 16 its black."""
    return [16 if level == 0 else 231 + level for level in (pixels.astype(int) * 24 + 127) // 255]
