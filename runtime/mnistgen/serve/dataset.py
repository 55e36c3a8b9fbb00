"""The route POST /v1/dataset: many digits as npz or tar, sent while they are drawn."""

import secrets
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

from starlette.responses import Response, StreamingResponse

from mnistgen.generator import Generator
from mnistgen.request import Request
from mnistgen.serve import archives, parameters
from mnistgen.serve.archives import Block, Blocks
from mnistgen.serve.service import Service
from mnistgen.serve.settings import MOST_DATASET

KEYS = ("model", "n", "digits", "seed", "start", "verify", "format")
FORMATS = ("npz", "tar")
_MEDIA_TYPES = {"npz": "application/zip", "tar": "application/x-tar"}
_BLOCK = 64
"""Digits that are drawn at a time, between which other requests get their turn."""


async def dataset(request: Any) -> Response:
    """Answer POST /v1/dataset."""
    parameters.check_is_json(request)
    given = await parameters.body(request, KEYS)
    format = parameters.choice("format", given.get("format", "npz"), FORMATS)
    service: Service = request.app.state.service
    generator, _ = service.generator(str(given.get("model", "cgan")))
    verify = parameters.flag("verify", given.get("verify", False))
    drawn = _request(given, generator, verify)
    service.streams.check()
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="{generator.model.name}-{drawn.seed}.{format}"',
        "Mnistgen-Seed": str(drawn.seed),
    }
    parts = archives.FORMATS[format](drawn.n, _blocks(generator, drawn, verify))
    return StreamingResponse(_sent(service, parts), headers=headers, media_type=_MEDIA_TYPES[format])


def _request(given: dict[str, Any], generator: Generator, verify: bool) -> Request:
    """Return the validated request; given digits repeat, as in all routes."""
    n = parameters.count(given.get("n", 1000), MOST_DATASET)
    seed = parameters.seed(given["seed"]) if "seed" in given else secrets.randbits(64)
    start = parameters.index("start", given.get("start", 0))
    digits = parameters.digits(given["digits"]) if "digits" in given else None
    digit = None if digits is None else [digits[i % len(digits)] for i in range(n)]
    return Request.validate(generator.model, n, digit, seed, start, verify)


def _blocks(generator: Generator, drawn: Request, verify: bool) -> Blocks:
    """Yield the digits in blocks."""
    for first in range(0, drawn.n, _BLOCK):
        part = drawn.part(first, min(first + _BLOCK, drawn.n))
        digits = part.digits_at(slice(0, part.n))
        if verify:
            verified = generator.generate_verified(part.n, digit=digits, seed=part.seed, start=part.start)
            yield Block(verified.images, verified.digits)
        else:
            yield Block(generator.generate(part.n, digit=digits, seed=part.seed, start=part.start), digits)


async def _sent(service: Service, parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the parts of the archive, each drawn in a thread; a closed connection ends the work."""
    with service.streams.open():
        while (part := await service.gate.run_after_others(partial(next, parts, None))) is not None:
            yield part
