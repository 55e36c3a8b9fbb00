"""Around all routes: request ids, security headers, the access log, and 500 for unknown failures."""

import itertools
import json
import re
import secrets
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from starlette.requests import ClientDisconnect

from mnistgen.serve.problems import problem

_CLOSED = 499
"""Status in the log of a request whose client hung up before its body was complete."""
Observe = Callable[[Any, int, float], None]
_START, _numbers = secrets.token_hex(6).encode(), itertools.count(1)
"""A random part that all ids of this process share, and a number for each: cheaper than a random id each."""
_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_POLICY = b"default-src 'none'; frame-ancestors 'none'; style-src 'unsafe-inline'"
_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
]


class Frame:
    """ASGI middleware around all routes.

    Args:
        app: The application.
        access_log: Whether to log each request on stderr, as a line of JSON.
        pages: Paths of the demo page, which states its own content security policy.
        observe: Called after each request with its scope, status and seconds.
    """

    def __init__(self, app: Any, access_log: bool, pages: dict[str, Any], observe: Observe | None = None):
        self._app = app
        self._access_log = access_log
        self._pages = pages
        self._observe = observe

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        identity = _request_id(scope)
        seen = {"status": 0, "bytes": 0}
        extra = [*_HEADERS, (b"x-request-id", identity)]
        if scope["path"] not in self._pages:
            extra.append((b"content-security-policy", _POLICY))

        async def note(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *extra]
                seen["status"] = message["status"]
            elif message["type"] == "http.response.body":
                seen["bytes"] += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, note)
        except ClientDisconnect:
            seen["status"] = _CLOSED
        except Exception as error:
            scope["mnistgen.error"] = error
            if seen["status"]:
                raise
            await problem(500, code="internal-error", detail="The server failed. Its log has the details.")(
                scope, receive, note
            )
        finally:
            _log_error(scope, seen["status"], identity)
            seconds = time.perf_counter() - began
            if self._access_log:
                _log(scope, seen, identity, seconds)
            if self._observe:
                self._observe(scope, seen["status"], seconds)


def _request_id(scope: Any) -> bytes:
    """Return the request's X-Request-ID if it is short and harmless, or a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _ID.fullmatch(value):
            return bytes(value)
    return new_id()


def new_id() -> bytes:
    """Return an id for a request."""
    return b"%s-%x" % (_START, next(_numbers))


def _log(scope: Any, seen: dict[str, int], identity: bytes, seconds: float) -> None:
    line = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "id": identity.decode(),
        "method": scope["method"],
        "path": scope["path"][:200],
        "status": seen["status"],
        "bytes": seen["bytes"],
        "ms": round(1000 * seconds, 2),
    }
    _write(json.dumps(line))


def _log_error(scope: Any, status: int, identity: bytes) -> None:
    """Log the cause of a 5xx that is not an overload."""
    error = scope.get("mnistgen.error")
    if error is None or 0 < status < 500 or status == 503:
        return
    _write(json.dumps({"id": identity.decode(), "error": "".join(traceback.format_exception(error))}))


def _write(line: str) -> None:
    if sys.stderr:
        sys.stderr.write(f"{line}\n")
