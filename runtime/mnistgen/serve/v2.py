"""The Open Inference Protocol (KServe v2) below /v2."""

import secrets
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mnistgen import __version__
from mnistgen.errors import InputError
from mnistgen.generator import Generator
from mnistgen.latents import one_hot
from mnistgen.request import Request
from mnistgen.serve import parameters, tensors
from mnistgen.serve.service import Service
from mnistgen.serve.settings import MOST_TENSORS
from mnistgen.validation import shown

_KEYS = ("id", "parameters", "inputs", "outputs")
_PARAMETERS = ("seed", "start", "n", "digit", "binary_data_output")
_NO_STORE = {"Cache-Control": "no-store"}


def routes() -> list[Any]:
    """Return the routes."""
    model = "/v2/models/{model}"
    version = f"{model}/versions/{{version}}"
    return [
        Route("/v2", _server),
        Route("/v2/health/live", _live),
        Route("/v2/health/ready", _ready),
        *(Route(path, _metadata) for path in (model, version)),
        *(Route(f"{path}/ready", _model_ready) for path in (model, version)),
        *(Route(f"{path}/infer", _infer, methods=["POST"]) for path in (model, version)),
    ]


async def _server(request: Any) -> Response:
    return JSONResponse(
        {"name": "mnistgen", "version": __version__, "extensions": ["binary_tensor_data"]}, headers=_NO_STORE
    )


async def _live(request: Any) -> Response:
    return JSONResponse({"live": True}, headers=_NO_STORE)


async def _ready(request: Any) -> Response:
    is_ready = _service(request).ready
    return JSONResponse({"ready": is_ready}, 200 if is_ready else 503, headers=_NO_STORE)


async def _model_ready(request: Any) -> Response:
    return JSONResponse({"name": _generator(request).model.name, "ready": True}, headers=_NO_STORE)


async def _metadata(request: Any) -> Response:
    model = _generator(request).model
    content = {
        "name": model.name,
        "versions": [model.sha256[:8]],
        "platform": "onnx_onnxv1",
        "inputs": [tensors.describe(name, [-1, width]) for name, width in tensors.widths_of(model).items()],
        "outputs": [tensors.describe("image", [-1, 1, 28, 28])],
    }
    return JSONResponse(content, headers=_NO_STORE)


async def _infer(request: Any) -> Response:
    generator = _generator(request)
    text, binary = tensors.split(request, await parameters.read(request, MOST_TENSORS))
    given = parameters.parse(text, _KEYS)
    identity = given.get("id", "")
    if not isinstance(identity, str):
        raise InputError(f"id is {shown(identity)}; expected a string", code="invalid-body")
    options = tensors.object_of(given.get("parameters", {}))
    parameters.check_known(options, _PARAMETERS)
    inputs = tensors.read(generator.model, given.get("inputs", []), binary)
    outputs = tensors.objects(given.get("outputs", []))
    for output in outputs:
        parameters.choice("output", output.get("name"), ("image",))
    as_binary = tensors.wants_binary(options, outputs)
    work = _decode(generator, inputs, options) if inputs else _draw(generator, options)
    images = await _service(request).run(work)  # (n, 28, 28)
    content = {"model_name": generator.model.name, "model_version": generator.model.sha256[:8]}
    if identity:
        content["id"] = identity
    return tensors.respond(content, images, as_binary, _NO_STORE)


def _decode(generator: Generator, inputs: tensors.Arrays, options: dict[str, Any]) -> Any:
    """Return the call that decodes the tensors of the request."""
    if set(options) - {"binary_data_output"}:
        raise InputError(
            "Tensors and parameters are both given", code="option-conflict", remedy="Leave out the parameters"
        )
    if "z" not in inputs:
        raise InputError("The tensor z is missing", code="invalid-tensor")
    return partial(generator.decode, inputs["z"], inputs.get("label"))


def _draw(generator: Generator, options: dict[str, Any]) -> Any:
    """Return the call that draws the images of a seed."""
    seed = parameters.seed(options["seed"]) if "seed" in options else secrets.randbits(64)
    start = parameters.index("start", options.get("start", 0))
    n = parameters.count(options.get("n", 1))
    digit = parameters.digit(options["digit"]) if "digit" in options else None
    drawn = Request.validate(generator.model, n, digit, seed, start)
    return partial(_float_images, generator, drawn)


def _float_images(generator: Generator, drawn: Request) -> NDArray[np.float32]:
    digits = drawn.digits_at(slice(0, drawn.n))
    label = None if digits is None else one_hot(digits, generator.model.classes)
    return generator.decode(drawn.latents(), label)


def _generator(request: Any) -> Generator:
    address = "@".join([request.path_params["model"], *filter(None, [request.path_params.get("version")])])
    generator, _ = _service(request).generator(address)
    return generator


def _service(request: Any) -> Service:
    service: Service = request.app.state.service
    return service
