"""The route POST /v1/generate: several digits as JSON, an array or a picture."""

import base64
import json
import secrets
from functools import partial
from typing import Any

from starlette.responses import Response

from mnistgen.generator import Generator
from mnistgen.serve import parameters
from mnistgen.serve.cache import Body
from mnistgen.serve.drawing import Drawing
from mnistgen.serve.service import Service

KEYS = ("model", "n", "digits", "seed", "start", "verify", "format", "encoding", "scale", "invert")
FORMATS = ("json", "npy", "png")
ENCODINGS = ("base64", "lists")


async def generate(request: Any) -> Response:
    """Answer POST /v1/generate."""
    parameters.check_is_json(request)
    given = await parameters.body(request, KEYS)
    format = parameters.choice("format", given.get("format", "json"), FORMATS)
    encoding = parameters.choice("encoding", given.get("encoding", "base64"), ENCODINGS)
    service: Service = request.app.state.service
    generator, _ = service.generator(str(given.get("model", "cgan")))
    drawing = _drawing(given, generator, "npy" if format == "json" else format)
    drawing.check(generator.model)
    work = partial(_as_json, generator, drawing, encoding) if format == "json" else partial(drawing.body, generator)
    body = await service.run(work)
    headers = {"Cache-Control": "no-store", "Mnistgen-Seed": str(drawing.seed)}
    return Response(body.content, headers=headers, media_type=body.media_type)


def _drawing(given: dict[str, Any], generator: Generator, format: str) -> Drawing:
    return Drawing(
        model=generator.model.name,
        seed=parameters.seed(given["seed"]) if "seed" in given else secrets.randbits(64),
        start=parameters.index("start", given.get("start", 0)),
        n=parameters.count(given["n"]) if "n" in given else None,
        digits=parameters.digits(given["digits"]) if "digits" in given else None,
        format=format,
        scale=parameters.scale(given["scale"]) if "scale" in given else None,
        invert=parameters.flag("invert", given.get("invert", False)),
        verify=parameters.flag("verify", given.get("verify", False)),
    )


def _as_json(generator: Generator, drawing: Drawing, encoding: str) -> Body:
    """Return the digits as JSON; the seed is a string, because JavaScript rounds larger numbers than 2**53."""
    image = drawing.draw(generator)
    frames = 255 - image.frames if drawing.invert else image.frames  # (n, 28, 28)
    record = image.record
    content: dict[str, Any] = {
        "model": record.model,
        "sha256": record.sha256,
        "mnistgen": record.mnistgen,
        "provider": record.provider,
        "seed": str(record.seed),
        "start": str(record.start),
        "n": record.n,
        "digits": record.digits,
        "attempts": image.attempts,
        "shape": frames.shape,
        "encoding": encoding,
        "images": frames.tolist() if encoding == "lists" else base64.b64encode(frames.tobytes()).decode(),
    }
    return Body.of(json.dumps(content, separators=(",", ":")).encode(), "application/json")
