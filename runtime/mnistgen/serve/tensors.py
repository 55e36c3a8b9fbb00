"""Tensors of the Open Inference Protocol: in JSON, or as binary data behind it."""

import json
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.responses import Response

from mnistgen.errors import InputError
from mnistgen.manifest import Model
from mnistgen.serve import parameters
from mnistgen.serve.settings import MOST_COUNT
from mnistgen.validation import shown

LENGTH = "Inference-Header-Content-Length"
"""Header with the length of the JSON, if binary data follow it."""
_FLOAT = np.dtype("<f4")
Arrays = dict[str, NDArray[np.float64]]


def split(request: Any, content: bytes) -> tuple[bytes, bytes]:
    """Return the JSON of a body and the binary data behind it.

    Raises:
        InputError: The header with the length is invalid.
    """
    if (given := request.headers.get(LENGTH)) is None:
        return content, b""
    length = parameters.number(LENGTH, given, len(content) + 1, code="invalid-tensor")
    return content[:length], content[length:]


def read(model: Model, given: Any, binary: bytes) -> Arrays:
    """Return the tensors of a request by name.

    Args:
        model: Their model.
        given: The list in the request's JSON.
        binary: Data of those that are not in the JSON, one after the other.

    Raises:
        InputError: A tensor is not known, or has another type or shape.
    """
    widths, found = widths_of(model), {}
    for tensor in objects(given):
        name = tensor.get("name")
        if not isinstance(name, str) or name not in widths or name in found:
            raise InputError(f"tensor is {shown(name)}; expected one of {', '.join(widths)}", code="invalid-tensor")
        if tensor.get("datatype") != "FP32":
            raise InputError(f"{name} is {shown(tensor.get('datatype'))}; expected FP32", code="invalid-tensor")
        data = tensor.get("data")
        if "binary_data_size" in (options := object_of(tensor.get("parameters", {}))):
            size = parameters.number(
                "binary_data_size", options["binary_data_size"], len(binary) + 1, code="invalid-tensor"
            )
            data, binary = binary[:size], binary[size:]
        found[name] = _array(name, tensor.get("shape"), data, widths[name])
    if binary:
        raise InputError(f"The body has {len(binary)} more bytes than its tensors", code="invalid-tensor")
    return found


def wants_binary(given: dict[str, Any], outputs: list[dict[str, Any]]) -> bool:
    """Return whether a request asks for binary data, for the output or for all."""
    chosen = [object_of(output.get("parameters", {})).get("binary_data") for output in outputs]
    wanted = chosen[0] if chosen and chosen[0] is not None else given.get("binary_data_output", False)
    return parameters.flag("binary_data", wanted)


def respond(content: dict[str, Any], images: NDArray[np.float32], as_binary: bool, headers: dict[str, str]) -> Response:
    """Return the response `content` with the tensor `image`, from images (n, 28, 28)."""
    output: dict[str, Any] = describe("image", [len(images), 1, 28, 28])
    data = images.astype(_FLOAT).tobytes() if as_binary else b""
    output |= {"parameters": {"binary_data_size": len(data)}} if as_binary else {"data": images.ravel().tolist()}
    text = json.dumps({**content, "outputs": [output]}, separators=(",", ":")).encode()
    if not as_binary:
        return Response(text, headers=headers, media_type="application/json")
    return Response(text + data, headers={**headers, LENGTH: str(len(text))}, media_type="application/octet-stream")


def widths_of(model: Model) -> dict[str, int]:
    """Return the width of each input of a model."""
    return {"z": model.latent_size, **({"label": model.classes} if model.classes else {})}


def describe(name: str, shape: list[int]) -> dict[str, Any]:
    """Return the facts about a tensor."""
    return {"name": name, "datatype": "FP32", "shape": shape}


def objects(value: Any) -> list[dict[str, Any]]:
    """Return a list of JSON objects; raise InputError if it is none."""
    if not isinstance(value, list):
        raise InputError("inputs and outputs must be lists", code="invalid-body")
    return [object_of(each) for each in value]


def object_of(value: Any) -> dict[str, Any]:
    """Return a JSON object; raise InputError if it is none."""
    if not isinstance(value, dict):
        raise InputError(f"{shown(value)} is not a JSON object", code="invalid-body")
    return value


def _array(name: str, shape: Any, data: Any, width: int) -> NDArray[np.float64]:
    """Return the data of a tensor, bytes or numbers, flat or nested, as (n, width)."""
    try:
        array = np.frombuffer(data, _FLOAT) if isinstance(data, bytes) else np.asarray(data)
        is_valid = len(shape) == 2 and 1 <= shape[0] <= MOST_COUNT and shape[1] == width
        if is_valid and array.dtype.kind in "iuf" and math.prod(shape) == array.size:
            return array.reshape(shape).astype(np.float64)
    except (TypeError, ValueError, OverflowError, RecursionError):
        pass
    expected = f"expected numbers of shape (n, {width}), n at most {MOST_COUNT}"
    raise InputError(f"{name} has shape {shown(shape)}; {expected}", code="invalid-tensor")
