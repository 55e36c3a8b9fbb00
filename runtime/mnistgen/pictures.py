"""Draw digits and texts as pictures."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mnistgen import __version__
from mnistgen.image import Image
from mnistgen.output import images, limits
from mnistgen.provenance.records import Record
from mnistgen.request import Request
from mnistgen.validation import Integers, integer, integers, is_several

if TYPE_CHECKING:
    from mnistgen.generator import Generator


def draw_digits(
    generator: "Generator", digit: int | Integers | None, n: int | None, seed: int | None, start: int, verify: bool
) -> Image:
    """Return the picture for these arguments of `Generator.draw`."""
    given = None
    if digit is not None and is_several(digit):
        given = integers("digit", digit, 10, code="invalid-digit")
    if n is None:
        n = len(given or [0])
    n = integer("n", n, limits.MOST_DIGITS + 1, least=1, code="invalid-count")
    if given is not None:
        digit = [given[i % len(given)] for i in range(n)]
    return _draw(generator, Request.validate(generator.model, n, digit, seed, start, verify), verify)


def draw_text(generator: "Generator", text: str | int, seed: int | None, start: int, verify: bool) -> Image:
    """Return the picture for these arguments of `Generator.text`."""
    from mnistgen.text import check_text, digits_of, lay_out  # lazy: digits do not need it

    written = check_text(text)
    digits = digits_of(written)
    image = _draw(generator, Request.validate(generator.model, len(digits), digits, seed, start, verify), verify)
    picture, boxes = lay_out(written, image.frames)
    return Image(picture[None], image.record._replace(text=written), boxes, image.attempts)


def draw_each(generator: "Generator", requests: Sequence[Request]) -> list[Image]:
    """Draw a picture for each request, all in one run of the model.

    Args:
        generator: The generator.
        requests: At least one valid request; together they have few images.
    """
    frames, images, first = generator._generate_each(requests), [], 0  # (total, 28, 28)
    for request in requests:
        digits = request.digits_at(slice(0, request.n))
        images.append(_picture(generator, request, frames[first : first + request.n], digits))
        first += request.n
    return images


def _draw(generator: "Generator", request: Request, verify: bool) -> Image:
    digits = request.digits_at(slice(0, request.n))
    n, digit, seed, start = request.n, None if digits is None else digits.tolist(), request.seed, request.start
    if not verify:
        return _picture(generator, request, generator.generate(n, digit=digit, seed=seed, start=start), digits)
    verified = generator.generate_verified(n, digit=digit, seed=seed, start=start)
    attempts = tuple(verified.attempts.tolist())
    return _picture(generator, request, verified.images, verified.digits, attempts)


def _picture(
    generator: "Generator",
    request: Request,
    frames: NDArray[np.uint8],
    digits: NDArray[np.uint8] | None,
    attempts: tuple[int, ...] | None = None,
) -> Image:
    """Return the images (n, 28, 28) of a request as a picture; `attempts` if they were verified."""
    record = Record(
        mnistgen=__version__,
        model=request.model.name,
        sha256=request.model.sha256,
        provider=generator.provider,
        seed=request.seed,
        start=request.start,
        n=request.n,
        digits=None if digits is None else tuple(digits.tolist()),
        text=None,
        format="png",
        scale=limits.SCALE,
        columns=images.COLUMNS,
        invert=False,
        verified=attempts is not None,
    )
    return Image(frames, record, attempts=attempts)
