"""One picture: what a request asks for, and its bytes, which equal those of `mnistgen run` with the same options."""

from typing import NamedTuple

from mnistgen.errors import InputError
from mnistgen.generator import Generator
from mnistgen.image import Image
from mnistgen.manifest import Model
from mnistgen.output import images
from mnistgen.output.limits import LAYOUT, MEDIA_TYPES, SCALE
from mnistgen.request import Request
from mnistgen.serve.cache import Body
from mnistgen.serve.settings import MOST_PIXELS, MOST_TEXT
from mnistgen.text import HEIGHT, check_text, digits_of, width_of
from mnistgen.validation import shown

FORMATS = ("png", "svg", "webp", "npy", "txt")
"""Formats of single digits; grids and texts are PNGs."""


class Drawing(NamedTuple):
    """A picture; equal drawings have equal bytes."""

    model: str
    seed: int
    start: int = 0
    n: int | None = None
    """Number of digits; None for as many as are given, or one."""
    digits: tuple[int, ...] | None = None
    text: str | None = None
    format: str = "png"
    scale: int | None = None
    invert: bool = False
    verify: bool = False

    def check(self, model: Model) -> Request:
        """Return the request of its digits; raise InputError if the drawing is invalid, before it takes a thread."""
        if self.format not in FORMATS:
            raise InputError(f"format is {shown(self.format)}; expected {', '.join(FORMATS)}", code="unknown-format")
        if self.scale is not None and "scale" not in LAYOUT[self.format]:
            raise InputError(f"scale has no effect on a {self.format}", code="option-conflict", remedy="Leave it out")
        digits, n = self.digits, self.n or len(self.digits or [0])
        if self.text is not None:
            digits = tuple(digits_of(checked_text(self.text)))
            n = len(digits)
        digit = None if digits is None else [digits[i % len(digits)] for i in range(n)]
        request = Request.validate(model, n, digit, self.seed, self.start, self.verify)
        self._check_size(n)
        return request

    @property
    def is_digit(self) -> bool:
        """Whether it is one digit that is not verified."""
        return self.text is None and self.n is None and len(self.digits or [0]) == 1 and not self.verify

    def draw(self, generator: Generator) -> Image:
        """Return the picture."""
        if self.text is not None:
            return generator.text(self.text, seed=self.seed, start=self.start, verify=self.verify)
        digit = None if self.digits is None else list(self.digits)
        return generator.draw(digit, n=self.n, seed=self.seed, start=self.start, verify=self.verify)

    def body(self, generator: Generator) -> Body:
        """Return the encoded picture."""
        return self.encode(self.draw(generator))

    def encode(self, image: Image) -> Body:
        """Return the encoded picture of an image that was drawn for it."""
        content = image.encode(self.format, scale=self.scale, invert=self.invert)
        return Body.of(content, MEDIA_TYPES[self.format])

    def _check_size(self, n: int) -> None:
        columns = min(n, images.COLUMNS)
        pixels = 28 * columns * 28 * -(-n // columns) if self.text is None else HEIGHT * width_of(self.text)
        pixels *= (self.scale or SCALE) ** 2
        if self.format in ("png", "webp") and pixels > MOST_PIXELS:
            raise InputError(
                f"The picture has {pixels:,} pixels; expected at most {MOST_PIXELS:,}",
                code="too-large",
                remedy="Use fewer digits or a smaller scale",
            )


def checked_text(text: str) -> str:
    """Return a text that can be drawn; raise InputError if it is too long, or cannot."""
    if len(text) > MOST_TEXT:
        raise InputError(f"text has {len(text)} characters; expected at most {MOST_TEXT}", code="invalid-text")
    return check_text(text)
