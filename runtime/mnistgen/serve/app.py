"""The ASGI application: routes, errors and middleware."""

from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.routing import Route

from mnistgen.errors import MnistgenError
from mnistgen.serve import dataset, generate, page, routes, v2
from mnistgen.serve.middleware import Frame
from mnistgen.serve.openapi import document
from mnistgen.serve.problems import on_error, on_http_error
from mnistgen.serve.service import Service
from mnistgen.serve.shortcut import Shortcut


def build(service: Service, artifacts: Path) -> Any:
    """Return the application.

    Args:
        service: The models and limits.
        artifacts: Folder of the models, which the demo page loads.
    """
    files, settings = page.files(artifacts), service.settings
    listed, observe = _routes(service, files), None
    templates: dict[Any, str] = {}
    if settings.metrics:
        from mnistgen.serve.metrics import Metrics  # lazy: not every server is measured

        metrics = Metrics(service, templates)
        listed.append(Route("/metrics", metrics.show))
        observe = metrics.observe
    for route in listed:
        templates.setdefault(route.endpoint, route.path)
    middleware: list[Any] = []
    if settings.traces:
        from mnistgen.serve.traces import Traces  # lazy: OpenTelemetry is optional

        middleware.append(Middleware(Traces, templates=templates))
    middleware.append(Middleware(Frame, access_log=settings.access_log, pages=files, observe=observe))
    if settings.origins:
        exposed = ["ETag", "Mnistgen-Seed", "X-Request-ID"]
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=list(settings.origins),
                allow_methods=["GET", "HEAD", "POST"],
                allow_headers=["Content-Type", "If-None-Match", "X-Request-ID"],
                expose_headers=exposed,
            )
        )
    middleware.append(Middleware(Shortcut))  # innermost
    app = Starlette(
        routes=listed,
        middleware=middleware,
        exception_handlers={MnistgenError: on_error, HTTPException: on_http_error},
    )
    app.state.service = service
    app.state.files = files
    return app


def _routes(service: Service, files: dict[str, Path]) -> list[Any]:
    openapi = document(service.models, service.settings.metrics)

    async def describe(request: Any) -> Response:
        return Response(openapi, headers={"Cache-Control": "no-cache"}, media_type="application/json")

    return [
        Route("/v1/text/{text:path}.png", routes.text),  # before that of a digit, which matches texts with two slashes
        Route("/v1/{model}/{seed}/{index}.{format}", routes.digit),
        Route("/v1/{model}/grid.png", routes.grid),
        Route("/v1/{model}/random.{format}", routes.random_digit),
        Route("/v1/models", routes.models),
        Route("/v1/generate", generate.generate, methods=["POST"]),
        Route("/v1/dataset", dataset.dataset, methods=["POST"]),
        Route("/healthz", routes.health),
        Route("/readyz", routes.ready),
        Route("/openapi.json", describe),
        *v2.routes(),
        *(Route(path, page.page) for path in {"/": None, **files}),
    ]
