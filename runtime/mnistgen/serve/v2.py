"""The Open Inference Protocol (KServe v2) below /v2, with tensors as JSON."""

import math
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
from mnistgen.manifest import Model
from mnistgen.request import Request
from mnistgen.serve import parameters
from mnistgen.serve.service import Service
from mnistgen.serve.settings import MOST_COUNT, MOST_TENSORS
from mnistgen.validation import shown

_KEYS = ("id", "parameters", "inputs", "outputs")
_PARAMETERS = ("seed", "start", "n", "digit", "binary_data_output")
"""The last is sent by Triton's client; responses are JSON in any case, as the protocol allows."""
_NO_STORE = {"Cache-Control": "no-store"}
Arrays = dict[str, NDArray[np.float64]]


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
    return JSONResponse({"name": "mnistgen", "version": __version__, "extensions": []}, headers=_NO_STORE)


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
        "inputs": [_tensor(name, [-1, width]) for name, width in _widths(model).items()],
        "outputs": [_tensor("image", [-1, 1, 28, 28])],
    }
    return JSONResponse(content, headers=_NO_STORE)


async def _infer(request: Any) -> Response:
    generator = _generator(request)
    if "inference-header-content-length" in request.headers:
        raise InputError("The body has binary tensors; expected JSON", code="invalid-tensor")
    given = await parameters.body(request, _KEYS, MOST_TENSORS)
    options, inputs = _object(given.get("parameters", {})), _inputs(generator.model, given.get("inputs", []))
    parameters.check_known(options, _PARAMETERS)
    for output in _objects(given.get("outputs", [])):
        parameters.choice("output", output.get("name"), ("image",))
    work = _decode(generator, inputs, options) if inputs else _draw(generator, options)
    images = await _service(request).run(work)  # (n, 28, 28)
    output = {**_tensor("image", [len(images), 1, 28, 28]), "data": images.ravel().tolist()}
    identity = {"id": str(given["id"])} if "id" in given else {}
    content = {"model_name": generator.model.name, "model_version": generator.model.sha256[:8], "outputs": [output]}
    return JSONResponse({**content, **identity}, headers=_NO_STORE)


def _decode(generator: Generator, inputs: Arrays, options: dict[str, Any]) -> Any:
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


def _inputs(model: Model, given: Any) -> Arrays:
    """Return the tensors of a request by name."""
    widths, found = _widths(model), {}
    for tensor in _objects(given):
        name = tensor.get("name")
        if not isinstance(name, str) or name not in widths or name in found:
            raise InputError(f"tensor is {shown(name)}; expected one of {', '.join(widths)}", code="invalid-tensor")
        if tensor.get("datatype") != "FP32":
            raise InputError(f"{name} is {shown(tensor.get('datatype'))}; expected FP32", code="invalid-tensor")
        found[name] = _array(name, tensor.get("shape"), tensor.get("data"), widths[name])
    return found


def _array(name: str, shape: Any, data: Any, width: int) -> NDArray[np.float64]:
    """Return the data of a tensor, flat or nested, as (n, width)."""
    expected = f"expected numbers of shape (n, {width}), n at most {MOST_COUNT}"
    try:
        array = np.asarray(data)
        is_valid = len(shape) == 2 and 1 <= shape[0] <= MOST_COUNT and shape[1] == width
        if is_valid and array.dtype.kind in "iuf" and math.prod(shape) == array.size:
            return array.reshape(shape).astype(np.float64)
    except (TypeError, ValueError, OverflowError, RecursionError):
        pass
    raise InputError(f"{name} has shape {shown(shape)}; {expected}", code="invalid-tensor")


def _widths(model: Model) -> dict[str, int]:
    return {"z": model.latent_size, **({"label": model.classes} if model.classes else {})}


def _tensor(name: str, shape: list[int]) -> dict[str, Any]:
    return {"name": name, "datatype": "FP32", "shape": shape}


def _objects(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise InputError("inputs and outputs must be lists", code="invalid-body")
    return [_object(each) for each in value]


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{shown(value)} is not a JSON object", code="invalid-body")
    return value


def _generator(request: Any) -> Generator:
    address = "@".join([request.path_params["model"], *filter(None, [request.path_params.get("version")])])
    generator, _ = _service(request).generator(address)
    return generator


def _service(request: Any) -> Service:
    service: Service = request.app.state.service
    return service
