"""Metrics for Prometheus, labelled by route template, so that their number does not depend on the requests."""

from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.responses import Response

from mnistgen.serve.service import Service

_METHODS = ("GET", "HEAD", "POST")
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """Counters of requests, and gauges of the service.

    Args:
        service: The service.
        templates: The route of each endpoint; all files of the demo page are one.
    """

    def __init__(self, service: Service, templates: dict[Any, str]):
        self._registry = CollectorRegistry()
        self._templates = templates
        labels = ("route", "method", "status")
        self._requests = Counter("mnistgen_requests", "Finished requests.", labels, registry=self._registry)
        self._seconds = Histogram(
            "mnistgen_request_seconds", "Seconds per request.", ("route",), buckets=_SECONDS, registry=self._registry
        )
        self._gauge("mnistgen_pending_requests", "Requests that wait or are drawn.", lambda: service.gate.pending)
        self._gauge("mnistgen_cache_bytes", "Bytes of encoded responses in memory.", lambda: service.cache.size)
        self._gauge("mnistgen_ready", "Whether each model has drawn a digit.", lambda: int(service.ready))

    def observe(self, scope: Any, status: int, seconds: float) -> None:
        """Count a finished request."""
        route = self._templates.get(scope.get("endpoint"), "none")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    async def show(self, request: Any) -> Response:
        """Answer GET /metrics."""
        content = generate_latest(self._registry)
        return Response(content, headers={"Cache-Control": "no-store", "Content-Type": CONTENT_TYPE_LATEST})

    def _gauge(self, name: str, description: str, value: Any) -> None:
        Gauge(name, description, registry=self._registry).set_function(value)
