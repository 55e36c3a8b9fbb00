"""The routes below /v1: digits by address."""

import secrets
from typing import Any
from urllib.parse import quote, urlencode

from starlette.responses import JSONResponse, RedirectResponse, Response

from mnistgen import __version__
from mnistgen.generator import Generator
from mnistgen.serve import parameters
from mnistgen.serve.cache import Body
from mnistgen.serve.drawing import Drawing, checked_text
from mnistgen.serve.service import Service
from mnistgen.serve.settings import DAY, YEAR

_OPTIONS = ("scale", "invert", "verify")
_DIGIT = ("digit", *_OPTIONS)
_GRID = ("n", "digits", "seed", "start", *_OPTIONS)
_TEXT = ("model", "seed", "start", *_OPTIONS)


async def digit(request: Any) -> Response:
    """Answer GET /v1/{model}/{seed}/{index}.{format}."""
    path, given = request.path_params, parameters.query(request, _DIGIT)
    generator, is_fixed = _service(request).generator(path["model"])
    drawing = Drawing(
        generator.model.name,
        seed=parameters.seed(path["seed"]),
        start=parameters.index("index", path["index"]),
        digits=(parameters.digit(given["digit"]),) if "digit" in given else None,
        format=path["format"],
        **_options(given),
    )
    return await _picture(request, generator, drawing, is_fixed)


async def random_digit(request: Any) -> Response:
    """Answer GET /v1/{model}/random.{format}: redirect to a random seed."""
    path, given = request.path_params, parameters.query(request, _DIGIT)
    generator, _ = _service(request).generator(path["model"])
    digits = (parameters.digit(given["digit"]),) if "digit" in given else None
    seed = secrets.randbits(32)
    Drawing(path["model"], seed, digits=digits, format=path["format"], **_options(given)).check(generator.model)
    return _redirect(f"/v1/{path['model']}/{seed}/0.{path['format']}", given)


async def grid(request: Any) -> Response:
    """Answer GET /v1/{model}/grid.png."""
    given = parameters.query(request, _GRID)
    generator, is_fixed = _service(request).generator(request.path_params["model"])
    drawing = Drawing(
        generator.model.name,
        seed=_seed(given),
        start=parameters.index("start", given.get("start", "0")),
        n=parameters.count(given["n"]) if "n" in given else None,
        digits=parameters.digits(given["digits"]) if "digits" in given else None,
        **_options(given),
    )
    return await _seeded_picture(request, generator, drawing, is_fixed, given)


async def text(request: Any) -> Response:
    """Answer GET /v1/text/{text}.png."""
    given = parameters.query(request, _TEXT)
    generator, is_fixed = _service(request).generator(given.get("model", "cgan"))
    drawing = Drawing(
        generator.model.name,
        seed=_seed(given),
        start=parameters.index("start", given.get("start", "0")),
        text=checked_text(request.path_params["text"]),
        **_options(given),
    )
    return await _seeded_picture(request, generator, drawing, is_fixed, given)


async def models(request: Any) -> Response:
    """Answer GET /v1/models."""
    facts = [
        {"name": model.name, **{key: value for key, value in model.facts().items() if key != "file"}}
        for model in _service(request).models
    ]
    content = {"mnistgen": __version__, "models": facts}
    return JSONResponse(content, headers={"Cache-Control": "no-cache"})


async def health(request: Any) -> Response:
    """Answer GET /healthz: the process runs."""
    return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})


async def ready(request: Any) -> Response:
    """Answer GET /readyz: every model has drawn a digit."""
    is_ready = _service(request).ready
    content = {"status": "ready" if is_ready else "starting"}
    return JSONResponse(content, 200 if is_ready else 503, headers={"Cache-Control": "no-store"})


async def _picture(request: Any, generator: Generator, drawing: Drawing, is_fixed: bool) -> Response:
    """Answer with a picture; `is_fixed` if its address names the version of the model."""
    body = await _service(request).encoded(generator, drawing)
    age = f"public, max-age={YEAR}, immutable" if is_fixed else f"public, max-age={DAY}"
    return conditional(request, body, age)


async def _seeded_picture(
    request: Any, generator: Generator, drawing: Drawing, is_fixed: bool, given: dict[str, str]
) -> Response:
    """Answer with a picture; if `given` has no seed, redirect to the address with the random one of the drawing."""
    if "seed" in given:
        return await _picture(request, generator, drawing, is_fixed)
    drawing.check(generator.model)
    return _redirect(request.url.path, {**given, "seed": str(drawing.seed)})


def conditional(request: Any, body: Body, cache_control: str) -> Response:
    """Return the body, or 304 if the client has it."""
    if _matches(request.headers.get("if-none-match"), body.tag):
        return Response(status_code=304, headers={"ETag": body.tag, "Cache-Control": cache_control})
    return Picture(body, cache_control)


class Picture(Response):  # type: ignore[misc]  # mypy does not follow Starlette
    """A response with a picture; it sets its headers by itself, which takes less time than Starlette's constructor."""

    def __init__(self, body: Body, cache_control: str):
        self.status_code, self.background, self.body = 200, None, body.content
        self.raw_headers = [
            (b"etag", body.tag.encode()),
            (b"cache-control", cache_control.encode()),
            (b"content-length", b"%d" % len(body.content)),
            (b"content-type", body.media_type.encode()),
        ]


def _matches(header: str | None, tag: str) -> bool:
    if header is None:
        return False
    return header.strip() == "*" or tag in [given.strip().removeprefix("W/") for given in header.split(",")]


def _options(given: dict[str, str]) -> dict[str, Any]:
    """Return the options of any drawing that the query string holds."""
    return {
        "scale": parameters.scale(given["scale"]) if "scale" in given else None,
        "invert": parameters.flag("invert", given.get("invert", "false")),
        "verify": parameters.flag("verify", given.get("verify", "false")),
    }


def _seed(given: dict[str, str]) -> int:
    return parameters.seed(given["seed"]) if "seed" in given else secrets.randbits(32)


def _redirect(path: str, given: dict[str, str]) -> Response:
    location = quote(path, safe="/:@,+.") + (f"?{urlencode(given)}" if given else "")
    return RedirectResponse(location, 302, headers={"Cache-Control": "no-store"})


def _service(request: Any) -> Service:
    service: Service = request.app.state.service
    return service
