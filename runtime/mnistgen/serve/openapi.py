"""The OpenAPI 3.1 document of the server."""

import json
from typing import Any

from mnistgen import __version__
from mnistgen.latents import INDEX_END, SEED_END
from mnistgen.manifest import Model
from mnistgen.output.limits import MEDIA_TYPES
from mnistgen.serve import dataset, generate, openapi_v2
from mnistgen.serve.drawing import FORMATS
from mnistgen.serve.settings import MOST_COUNT, MOST_DATASET, MOST_SCALE, MOST_TEXT

Schema = dict[str, Any]


def document(served: list[Model], has_metrics: bool) -> bytes:
    """Return the document, as JSON, of a server of these models, with or without /metrics."""
    models = [model.name for model in sorted(served, key=lambda model: not model.classes)]  # examples name the first
    model = _path("model", _model(models), "Model, or model@ and at least 8 characters of its SHA-256.", models[0])
    return json.dumps(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "mnistgen",
                "version": __version__,
                "description": "Handwritten digits. Image i of a seed is always the same.",
                "license": {"name": "MIT", "identifier": "MIT"},
            },
            "paths": _paths(model, models, has_metrics),
            "components": {
                "schemas": {
                    "Problem": _PROBLEM,
                    "Generate": _generate_schema(models),
                    "Dataset": _digits_schema(models, MOST_DATASET, dataset.FORMATS),
                    "Digits": _DIGITS,
                    **openapi_v2.SCHEMAS,
                }
            },
        }
    ).encode()


def _paths(model: Schema, models: list[str], has_metrics: bool) -> Schema:
    digit = _query("digit", _integer(0, 9), "Digit, for conditional models.", 5)
    digits = {"type": "string", "pattern": "^[0-9]+$|^[0-9](,[0-9])*$", "maxLength": MOST_COUNT}
    several = _query("digits", digits, "Digits, which repeat: 314 or 3,1,4.", "314")
    count = _query("n", _integer(1, MOST_COUNT), "Number of digits.", 20)
    address = [_path("seed", _seed(), "Seed.", "7"), _path("index", _index(), "Index of the image.", "0")]
    format = _path("format", {"type": "string", "enum": list(FORMATS)}, "Format of the picture.", "png")
    seed = _query("seed", _seed(), "Seed; without one, a redirect to a random seed.", "7")
    start = _query("start", _index(), "Index of the first image.", "0")
    text = {"type": "string", "minLength": 1, "maxLength": MOST_TEXT, "pattern": "^[-0-9 .:/,+]*[0-9][-0-9 .:/,+]*$"}
    written = _path("text", text, "Digits, spaces and - . : / , + between them.", "2026-11-22")
    writer = _query("model", _model(models), "Model, a conditional one.", "cgan")
    pictures: Schema = {media: {} for media in dict.fromkeys(MEDIA_TYPES[name] for name in FORMATS)}
    png: Schema = {"image/png": {}}
    paths = {
        "/v1/{model}/{seed}/{index}.{format}": _get(
            "One digit by its address.",
            [model, *address, format, digit, *_OPTIONS],
            pictures,
        ),
        "/v1/{model}/random.{format}": _get(
            "Redirect to the address of a digit with a random seed.", [model, format, digit, *_OPTIONS], {}
        ),
        "/v1/{model}/grid.png": _get(
            "Digits in rows of ten.",
            [model, count, several, seed, start, *_OPTIONS],
            png,
        ),
        "/v1/text/{text}.png": _get(
            "A number or date in handwriting.",
            [written, writer, seed, start, *_OPTIONS],
            png,
        ),
        "/v1/generate": {"post": _post_generate()},
        "/v1/dataset": {"post": _post_dataset()},
        "/v1/models": _get("The models and their quality certificates.", [], {"application/json": _OBJECT}),
        "/healthz": _get("Whether the process runs.", [], {"application/json": _OBJECT}),
        "/readyz": _get("Whether each model has drawn a digit.", [], {"application/json": _OBJECT}),
        "/openapi.json": _get("This document.", [], {"application/json": _OBJECT}),
        **openapi_v2.paths(_model(models), models[0], _errors()),
    }
    if has_metrics:
        paths["/metrics"] = _get("Metrics for Prometheus.", [], {"text/plain": {}})
    return paths


def _get(summary: str, parameters: list[Schema], content: Schema) -> Schema:
    responses: Schema = {"200": {"description": "The result.", "content": content}} if content else {}
    if any(parameter["name"] == "model" for parameter in parameters):
        responses["302"] = {"description": "See the address in Location.", "headers": {"Location": _HEADER}}
        responses["304"] = {"description": "The client has it."}
    if not content:
        del responses["304"]
    return {"get": {"summary": summary, "parameters": parameters, "responses": {**responses, **_errors()}}}


def _post_generate() -> Schema:
    example = {"model": "cgan", "digits": [3, 1, 4], "seed": "7"}
    content: Schema = {
        "application/json": {"schema": {"$ref": "#/components/schemas/Digits"}},
        "application/octet-stream": {},
        "image/png": {},
    }
    return _post("Several digits as JSON, as an array (npy) or as a PNG.", "Generate", example, content)


def _post_dataset() -> Schema:
    content: Schema = {"application/zip": {}, "application/x-tar": {}}
    example = {"model": "cgan", "n": 1000, "seed": "7", "format": "npz"}
    return _post("Many digits as npz or tar, sent while they are drawn.", "Dataset", example, content)


def _post(summary: str, schema: str, example: Schema, content: Schema) -> Schema:
    body = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}, "example": example}}
    headers = {"Mnistgen-Seed": {**_HEADER, "description": "Seed of the digits."}}
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": body},
        "responses": {"200": {"description": "The digits.", "headers": headers, "content": content}, **_errors()},
    }


def _errors() -> Schema:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"default": {"description": "An error, with a code of docs/errors.md.", "content": problem}}


def _path(name: str, schema: Schema, description: str, example: Any) -> Schema:
    return {**_query(name, schema, description, example), "in": "path", "required": True}


def _query(name: str, schema: Schema, description: str, example: Any) -> Schema:
    return {"name": name, "in": "query", "description": description, "schema": schema, "example": example}


def _integer(least: int, most: int) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most}


def _model(models: list[str]) -> Schema:
    return {"type": "string", "anyOf": [{"enum": models}, {"pattern": "^[^/@]+@[0-9a-f]{8,64}$"}]}


def _seed() -> Schema:
    return {"type": "string", "pattern": "^(0|[1-9][0-9]{0,19})$", "description": f"An integer below {SEED_END}."}


def _index() -> Schema:
    return {"type": "string", "pattern": "^(0|[1-9][0-9]{0,19})$", "description": f"An integer below {INDEX_END}."}


def _digits_schema(models: list[str], most: int, formats: tuple[str, ...], **more: Schema) -> Schema:
    """Return the schema of a body that asks for up to `most` digits."""
    digit = _integer(0, 9)
    numbers = {"oneOf": [_seed(), {"type": "integer", "minimum": 0}]}
    properties = {
        "model": _model(models),
        "n": _integer(1, most),
        "digits": {"oneOf": [digit, {"type": "array", "items": digit, "minItems": 1, "maxItems": MOST_COUNT}]},
        "seed": numbers,
        "start": numbers,
        "verify": {"type": "boolean", "description": "Draw illegible digits again."},
        "format": {"enum": list(formats)},
        **more,
    }
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _generate_schema(models: list[str]) -> Schema:
    return _digits_schema(
        models,
        MOST_COUNT,
        generate.FORMATS,
        encoding={"enum": list(generate.ENCODINGS), "description": "Of the images in JSON."},
        scale={**_integer(1, MOST_SCALE), "description": "For png."},
        invert={"type": "boolean", "description": "Black on white."},
    )


_HEADER: Schema = {"schema": {"type": "string"}}
_OBJECT: Schema = {"schema": {"type": "object"}}
_OPTIONS = [
    _query("scale", _integer(1, MOST_SCALE), "Side of a pixel, 8 by default; not for npy and txt.", 8),
    _query("invert", {"type": "boolean"}, "Black on white.", False),
    _query("verify", {"type": "boolean"}, "Draw illegible digits again; every model then takes digits.", False),
]
_PROBLEM: Schema = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
    },
}
_DIGITS: Schema = {
    "type": "object",
    "required": ["model", "sha256", "provider", "seed", "start", "n", "digits", "shape", "encoding", "images"],
    "properties": {
        "seed": {"type": "string"},
        "start": {"type": "string"},
        "n": {"type": "integer"},
        "digits": {"type": ["array", "null"], "items": {"type": "integer"}},
        "attempts": {"type": ["array", "null"], "items": {"type": "integer"}},
        "shape": {"type": "array", "items": {"type": "integer"}},
        "images": {"description": "Bytes of the uint8 array as base64, or nested lists; ink 255."},
    },
}
