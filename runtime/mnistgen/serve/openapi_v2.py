"""The part of the OpenAPI document for the Open Inference Protocol."""

from typing import Any

from mnistgen.serve.settings import MOST_COUNT

Schema = dict[str, Any]
_TENSOR_FACTS: Schema = {
    "name": {"type": "string"},
    "datatype": {"const": "FP32"},
    "shape": {"type": "array", "items": {"type": "integer"}},
}
_TENSOR: Schema = {"type": "object", "required": list(_TENSOR_FACTS), "properties": _TENSOR_FACTS}
_NUMBER: Schema = {
    "oneOf": [{"type": "string", "pattern": "^(0|[1-9][0-9]{0,19})$"}, {"type": "integer", "minimum": 0}]
}
_PARAMETERS: Schema = {
    "seed": _NUMBER,
    "start": _NUMBER,
    "n": {"type": "integer", "minimum": 1, "maximum": MOST_COUNT},
    "digit": {"type": "integer", "minimum": 0, "maximum": 9},
    "binary_data_output": {"type": "boolean", "description": "Send the image as binary data behind the JSON."},
}
_INPUT = {**_TENSOR, "required": [*_TENSOR_FACTS, "data"], "properties": {**_TENSOR_FACTS, "data": {"type": "array"}}}

SCHEMAS: Schema = {
    "InferRequest": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "id": {"type": "string"},
            "parameters": {"type": "object", "additionalProperties": False, "properties": _PARAMETERS},
            "inputs": {"type": "array", "items": _INPUT, "description": "z and, for conditional models, label."},
            "outputs": {
                "type": "array",
                "items": {"type": "object", "required": ["name"], "properties": {"name": {"const": "image"}}},
            },
        },
    },
    "InferResponse": {
        "type": "object",
        "required": ["model_name", "model_version", "outputs"],
        "properties": {
            "model_name": {"type": "string"},
            "model_version": {"type": "string"},
            "id": {"type": "string"},
            "outputs": {"type": "array", "items": _TENSOR, "minItems": 1},
        },
    },
    "ModelMetadata": {
        "type": "object",
        "required": ["name", "versions", "platform", "inputs", "outputs"],
        "properties": {
            "name": {"type": "string"},
            "versions": {"type": "array", "items": {"type": "string"}},
            "platform": {"type": "string"},
            "inputs": {"type": "array", "items": _TENSOR},
            "outputs": {"type": "array", "items": _TENSOR},
        },
    },
}
"""Schemas that the paths refer to."""


def paths(model: Schema, example: str, errors: Schema) -> Schema:
    """Return the paths.

    Args:
        model: Schema of a model's address.
        example: Name of a model.
        errors: Responses of errors.
    """
    name = _in_path("model", model, example)
    version = _in_path("version", {"type": "string", "pattern": "^[0-9a-f]{8,64}$"}, "01234567")
    found = {
        "/v2": {"get": _operation("Facts about the server.", [], errors)},
        "/v2/health/live": {"get": _operation("Whether the process runs.", [], errors)},
        "/v2/health/ready": {"get": _operation("Whether each model has drawn a digit.", [], errors)},
    }
    for address, inside in (("/v2/models/{model}", [name]), ("/v2/models/{model}/versions/{version}", [name, version])):
        found[address] = {"get": _operation("Inputs and outputs of a model.", inside, errors, "ModelMetadata")}
        found[f"{address}/ready"] = {"get": _operation("Whether the model is ready.", inside, errors)}
        infer = _operation("Decode tensors, or draw the images of a seed.", inside, errors, "InferResponse")
        infer["responses"]["200"]["content"]["application/octet-stream"] = {}
        body = {"schema": _reference("InferRequest"), "example": {"parameters": {"seed": "7", "n": 1}}}
        found[f"{address}/infer"] = {
            "post": {**infer, "requestBody": {"required": True, "content": {"application/json": body}}}
        }
    return found


def _operation(summary: str, parameters: list[Schema], errors: Schema, schema: str | None = None) -> Schema:
    content = {"application/json": {"schema": _reference(schema) if schema else {"type": "object"}}}
    responses = {"200": {"description": "The result.", "content": content}, **errors}
    return {"summary": summary, "parameters": parameters, "responses": responses}


def _in_path(name: str, schema: Schema, example: str) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": schema, "example": example}


def _reference(schema: str) -> Schema:
    return {"$ref": f"#/components/schemas/{schema}"}
