"""Numbers and dates as one image: handwritten digits, with plain strokes for the characters between them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistgen.errors import InputError
from mnistgen.validation import shown

HEIGHT = 28
DIGITS = "0123456789"
_ADVANCE = 22
"""Pixels from one digit to the next: their margins overlap, their ink hardly ever."""
_INK = 64
"""Level from which a pixel counts as ink; fainter ones are the soft edge of a stroke."""
_RADIUS = 1.3
"""Radius of the pen for strokes, in pixels: about as thick as the digits' strokes."""

Point = tuple[float, float]
_STROKES: dict[str, tuple[int, list[tuple[Point, Point]]]] = {
    " ": (12, []),
    ".": (9, [((4, 22), (4, 22))]),
    ",": (9, [((4.5, 22), (3, 25))]),
    ":": (9, [((4, 11), (4, 11)), ((4, 21), (4, 21))]),
    "-": (16, [((4, 14.5), (11, 14.5))]),
    "+": (18, [((3.5, 14.5), (13.5, 14.5)), ((8.5, 9.5), (8.5, 19.5))]),
    "/": (18, [((3.5, 26), (13.5, 2.5))]),
}
"""Width of each character, and its strokes from (x, y) to (x, y), in pixels; a stroke of length 0 is a dot."""


@dataclass(frozen=True)
class Box:
    """Bounding box of a digit's ink, in pixels."""

    digit: int
    x: int
    """Leftmost column."""
    y: int
    """Topmost row."""
    width: int
    height: int


def digits_of(text: str) -> list[int]:
    """Return the digits in a valid `text`."""
    return [int(character) for character in text if character in DIGITS]


def width_of(text: str) -> int:
    """Return the width of a valid `text` in pixels."""
    return sum(map(_advance, text)) + HEIGHT - _ADVANCE


def check_text(text: str | int) -> str:
    """Return `text`, or a number as text; check that it holds a digit, and only characters that can be drawn.

    Raises:
        InputError: It does not.
    """
    if isinstance(text, int | np.integer) and not isinstance(text, bool) and abs(text) < 10**100:
        text = str(text)
    if not isinstance(text, str) or not set(text) <= {*DIGITS, *_STROKES} or not set(text) & {*DIGITS}:
        raise InputError(
            f"text is {shown(text)}; expected at least one digit, and only digits, spaces and - . : / , +",
            code="invalid-text",
        )
    return text


def lay_out(text: str, images: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], tuple[Box, ...]]:
    """Arrange images of digits in one row, with strokes for the other characters.

    Args:
        text: A valid text (`check_text`).
        images: One image (28, 28), ink 255, per digit of `text`: (n, 28, 28).

    Returns:
        The picture (28, width), uint8, ink 255, and the box of each digit, in reading order.
    """
    picture = np.zeros((HEIGHT, width_of(text)), dtype=np.uint8)
    boxes: list[Box] = []
    x = 0
    for character in text:
        if character in DIGITS:
            drawn, left = images[len(boxes)], x  # (28, 28)
            boxes.append(_box(drawn, int(character), left))
        else:
            drawn, left = _draw(character), x + (HEIGHT - _ADVANCE) // 2  # (28, width)
        cell = picture[:, left : left + drawn.shape[1]]
        np.maximum(cell, drawn, out=cell)
        x += _advance(character)
    return picture, tuple(boxes)


def ground_truth(text: str, boxes: tuple[Box, ...], scale: int) -> dict[str, Any]:
    """Return, for JSON, the size of a picture enlarged by `scale` and each digit with its box [x, y, width, height]."""
    digits = [
        {"digit": box.digit, "box": [scale * side for side in (box.x, box.y, box.width, box.height)]} for box in boxes
    ]
    return {"text": text, "width": scale * width_of(text), "height": scale * HEIGHT, "digits": digits}


def _advance(character: str) -> int:
    return _ADVANCE if character in DIGITS else _STROKES[character][0]


def _box(drawn: NDArray[np.uint8], digit: int, left: int) -> Box:
    """Return the box of the ink of an image (28, 28) at column `left`; the whole cell if there is none."""
    inked = drawn >= _INK
    if not inked.any():
        return Box(digit, left, 0, HEIGHT, HEIGHT)
    columns, rows = np.flatnonzero(inked.any(0)), np.flatnonzero(inked.any(1))
    x, y = int(columns[0]), int(rows[0])
    return Box(digit, left + x, y, int(columns[-1]) - x + 1, int(rows[-1]) - y + 1)


def _draw(character: str) -> NDArray[np.uint8]:
    """Draw the strokes of a character (28, width); a pixel's level is the share that the pen covers."""
    width, strokes = _STROKES[character]
    ink = np.zeros((HEIGHT, width))
    for start, end in strokes:
        ink = np.maximum(ink, np.clip(_RADIUS + 0.5 - _distance(start, end, width), 0, 1))
    return np.rint(ink * 255).astype(np.uint8)


def _distance(start: Point, end: Point, width: int) -> NDArray[np.float64]:
    """Return the distance of each pixel (28, width) from the line between two points."""
    y, x = np.mgrid[:HEIGHT, :width]
    (x0, y0), (dx, dy) = start, (end[0] - start[0], end[1] - start[1])
    along = np.clip(((x - x0) * dx + (y - y0) * dy) / ((dx * dx + dy * dy) or 1), 0, 1)
    distance: NDArray[np.float64] = np.hypot(x - x0 - along * dx, y - y0 - along * dy)
    return distance
