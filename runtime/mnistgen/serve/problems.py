"""Errors as responses: application/problem+json (RFC 9457) with the `code` of docs/errors.md."""

import json
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from mnistgen.errors import InputError, MnistgenError, sentences
from mnistgen.serve.limits import BusyError

MEDIA_TYPE = "application/problem+json"
_STATUS = {
    "unknown-model": 404,
    "unknown-format": 404,
    "unknown-version": 404,
    "unknown-parameter": 400,
    "repeated-parameter": 400,
    "invalid-body": 400,
    "body-too-large": 413,
    "body-not-json": 415,
    "illegible": 422,
}
"""HTTP status of each code; that of any other depends on the class."""


def status_of(error: MnistgenError) -> int:
    """Return the HTTP status of an error."""
    if isinstance(error, BusyError):
        return 503
    return _STATUS.get(error.code, 422 if isinstance(error, InputError) else 500)


def problem_of(error: MnistgenError) -> Response:
    """Return the response for an error.

    The text of a failure of the server stays out of it, because that may name files.
    """
    status = status_of(error)
    if status == 500:
        return problem(500, code=error.code, detail="The server cannot draw. Its log has the details.")
    headers = {"Retry-After": "1"} if status == 503 else {}
    return problem(status, code=error.code, detail=sentences(error.problem, error.remedy), headers=headers)


def problem(status: int, *, code: str, detail: str, headers: dict[str, str] | None = None) -> Response:
    """Return a response of problem details."""
    content: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "error": detail,  # read by clients of the Open Inference Protocol
    }
    return Response(
        json.dumps(content),
        status,
        {"Cache-Control": "no-store", **(headers or {})},
        MEDIA_TYPE,
    )


async def on_http_error(request: Any, error: Any) -> Response:
    """Return the response for a path or method without a route."""
    if error.status_code == 405:
        headers = dict(error.headers or {})
        return problem(405, code="method-not-allowed", detail="This address has no such method.", headers=headers)
    return problem(404, code="not-found", detail="There is no such address. /openapi.json lists all.")


async def on_error(request: Any, error: Any) -> Response:
    """Return the response for an error that mnistgen foresees."""
    request.scope["mnistgen.error"] = error
    return problem_of(error)
