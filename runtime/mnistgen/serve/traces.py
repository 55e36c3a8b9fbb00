"""Spans of OpenTelemetry, through its API alone; the program that starts the server decides where they go."""

from typing import Any

from opentelemetry import propagate, trace
from opentelemetry.propagators.textmap import Getter


class _Headers(Getter[Any]):  # type: ignore[misc]  # mypy does not follow OpenTelemetry
    """Reads the headers of an ASGI scope."""

    def get(self, carrier: Any, key: str) -> list[str] | None:
        """Return the values of a header."""
        name = key.lower().encode()
        return [value.decode("latin-1") for known, value in carrier if known == name] or None

    def keys(self, carrier: Any) -> list[str]:
        """Return the names of all headers."""
        return [name.decode("latin-1") for name, _ in carrier]


class Traces:
    """ASGI middleware: one span for each request, named by its route, so that names do not depend on the requests.

    Args:
        app: The application.
        templates: The route of each endpoint.
    """

    def __init__(self, app: Any, templates: dict[Any, str]):
        self._app = app
        self._templates = templates
        self._tracer = trace.get_tracer("mnistgen.serve")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request within a span; its parent is that of the client, if it names one."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        parent = propagate.extract(scope["headers"], getter=_Headers())
        with self._tracer.start_as_current_span(scope["method"], parent, kind=trace.SpanKind.SERVER) as span:

            async def note(message: Any) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                await send(message)

            span.set_attribute("http.request.method", scope["method"])
            await self._app(scope, receive, note)
            if route := self._templates.get(scope.get("endpoint")):
                span.update_name(f"{scope['method']} {route}")
                span.set_attribute("http.route", route)
