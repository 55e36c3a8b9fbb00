"""Numbers and dates as one picture: digits by hand, the characters between them as plain strokes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mnistgen.errors import InputError

if TYPE_CHECKING:
    from mnistgen.generator import Generator

HEIGHT = 28
DIGITS = "0123456789"
_ADVANCE = 22
"""Pixels from one digit to the next: they overlap in their margins, and hardly ever in their ink."""
_INK = 64
"""Level from which on a pixel counts as ink; fainter ones are a stroke's soft edge."""
_RADIUS = 1.3
"""Of the pen that draws the strokes, in pixels: about as thick as the digits' own."""

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
"""Width of each other character, and its strokes from (x, y) to (x, y), in pixels; one of no length is a dot."""


@dataclass(frozen=True)
class Box:
    """Where a digit's ink is in a picture, in pixels."""

    digit: int
    x: int
    """The leftmost column."""
    y: int
    """The topmost row."""
    width: int
    height: int


@dataclass(frozen=True, eq=False)
class Text:
    """A number or date in handwriting."""

    text: str
    picture: NDArray[np.uint8]
    """(28, width), ink 255."""
    boxes: tuple[Box, ...]
    """Of each digit, in reading order."""
    attempts: tuple[int, ...] | None = None
    """Draws that each digit took, where they were verified."""


def digits_of(text: str) -> list[int]:
    """The digits in `text`, which check_text has passed."""
    return [int(character) for character in text if character in DIGITS]


def width_of(text: str) -> int:
    """Pixels that `text`, which check_text has passed, is wide."""
    return sum(map(_advance, text)) + HEIGHT - _ADVANCE


def check_text(text: str) -> None:
    """Raise InputError unless `text` has digits, and else nothing but what can be drawn."""
    if not isinstance(text, str) or not set(text) <= {*DIGITS, *_STROKES} or not set(text) & {*DIGITS}:
        raise InputError(
            f"{str(text)[:40]!r} cannot be written: a text has at least one digit from 0 to 9, and else only the "
            "characters - . : / , + and the space."
        )


def write(generator: "Generator", text: str, seed: int, start: int, verify: bool = False) -> Text:
    """`text` as a picture, its digits the images of `seed` from `start` on, one after the other."""
    check_text(text)
    digits = digits_of(text)
    hands, attempts = _hands(generator, digits, seed, start, verify)  # (n, 28, 28)
    picture = np.zeros((HEIGHT, width_of(text)), dtype=np.uint8)
    boxes: list[Box] = []
    x = 0
    for character in text:
        if character in DIGITS:
            drawn, left = hands[len(boxes)], x  # (28, 28)
            boxes.append(_box(drawn, int(character), left))
        else:
            drawn, left = _draw(character), x + (HEIGHT - _ADVANCE) // 2  # (28, width)
        cell = picture[:, left : left + drawn.shape[1]]
        np.maximum(cell, drawn, out=cell)
        x += _advance(character)
    return Text(text, picture, tuple(boxes), attempts)


def _hands(
    generator: "Generator", digits: list[int], seed: int, start: int, verify: bool
) -> tuple[NDArray[np.uint8], tuple[int, ...] | None]:
    """The digits (n, 28, 28), and the draws that each took where they are verified."""
    if not verify:
        return generator.generate(len(digits), digit=digits, seed=seed, start=start), None
    verified = generator.generate_verified(len(digits), digit=digits, seed=seed, start=start)
    return verified.images, tuple(verified.attempts.tolist())


def ground_truth(text: str, boxes: tuple[Box, ...], scale: int) -> dict[str, Any]:
    """For JSON: the picture's size when it is enlarged by `scale`, each digit's value and box [x, y, width, height]."""
    digits = [
        {"digit": box.digit, "box": [scale * side for side in (box.x, box.y, box.width, box.height)]} for box in boxes
    ]
    return {"text": text, "width": scale * width_of(text), "height": scale * HEIGHT, "digits": digits}


def _advance(character: str) -> int:
    return _ADVANCE if character in DIGITS else _STROKES[character][0]


def _box(drawn: NDArray[np.uint8], digit: int, left: int) -> Box:
    """Around the ink of a digit (28, 28) that stands `left` in the picture; around all of it where it has none."""
    inked = drawn >= _INK
    if not inked.any():
        return Box(digit, left, 0, HEIGHT, HEIGHT)
    columns, rows = np.flatnonzero(inked.any(0)), np.flatnonzero(inked.any(1))
    x, y = int(columns[0]), int(rows[0])
    return Box(digit, left + x, y, int(columns[-1]) - x + 1, int(rows[-1]) - y + 1)


def _draw(character: str) -> NDArray[np.uint8]:
    """A character's strokes, (28, width), each pixel as dark as the pen covers it."""
    width, strokes = _STROKES[character]
    ink = np.zeros((HEIGHT, width))
    for start, end in strokes:
        ink = np.maximum(ink, np.clip(_RADIUS + 0.5 - _distance(start, end, width), 0, 1))
    return np.rint(ink * 255).astype(np.uint8)


def _distance(start: Point, end: Point, width: int) -> NDArray[np.float64]:
    """How far each pixel, (28, width), is from the line between two points."""
    y, x = np.mgrid[:HEIGHT, :width]
    (x0, y0), (dx, dy) = start, (end[0] - start[0], end[1] - start[1])
    along = np.clip(((x - x0) * dx + (y - y0) * dy) / ((dx * dx + dy * dy) or 1), 0, 1)
    distance: NDArray[np.float64] = np.hypot(x - x0 - along * dx, y - y0 - along * dy)
    return distance
