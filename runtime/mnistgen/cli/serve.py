"""`mnistgen serve`: serve digits over HTTP."""

import importlib.util
from typing import Any

import click

from mnistgen.cli import shared
from mnistgen.errors import MissingPackageError, install_command
from mnistgen.inference.cpu import usable_cores

_PACKAGES = ("starlette", "uvicorn", "httptools", "prometheus_client")


@click.command(context_settings=shared.SETTINGS)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option("--port", type=click.IntRange(0, 65535), default=8029, show_default=True, help="Port; 0 for a free one.")
@click.option("--model", "names", multiple=True, help="Model to serve; repeat for several.  [default: all]")
@click.option("--workers", type=click.IntRange(1, 256), help="Threads that draw.  [default: one per usable core]")
@click.option("--queue", type=click.IntRange(0, 100_000), default=256, show_default=True, help="Waiting requests.")
@click.option(
    "--deadline",
    type=click.FloatRange(0, 600, min_open=True),
    default=10.0,
    show_default=True,
    help="Seconds per request.",
)
@click.option(
    "--cache-mib", type=click.IntRange(0, 65536), default=64, show_default=True, help="Memory for encoded responses."
)
@click.option("--cors", "origins", multiple=True, metavar="ORIGIN", help="Origin of pages that may read responses.")
@click.option("--access-log/--no-access-log", default=True, show_default=True, help="Log requests on stderr.")
@click.option("--metrics", is_flag=True, help="Serve metrics for Prometheus at /metrics.")
@click.option("--traces", is_flag=True, help="Trace requests with OpenTelemetry's API.")
@shared.artifacts_option
@shared.device_option
def command(host: str, port: int, names: tuple[str, ...], workers: int | None, **options: Any) -> None:
    """Serve digits over HTTP.

    Only programs on this machine can reach it, unless --host names another address. Ctrl-C or SIGTERM stops the server
    after the requests that have begun. It needs the extra `serve`.

    \b
    Examples:
      mnistgen serve
      mnistgen serve --model cgan --port 0 --no-access-log
      curl -o five.png 'http://127.0.0.1:8029/v1/cgan/7/0.png?digit=5'
    """
    for name in _PACKAGES:
        _check_package(name, f"Run {install_command('serve')}")
    if options["traces"]:
        _check_package("opentelemetry", "Run pip install opentelemetry-distro opentelemetry-exporter-otlp")
    # Lazy: only this command has the extra's packages.
    from mnistgen.serve import server
    from mnistgen.serve.app import build
    from mnistgen.serve.service import Service
    from mnistgen.serve.settings import Settings

    manifest = shared.manifest()
    cache_bytes = options.pop("cache_mib") * 1024 * 1024
    settings = Settings(workers=workers or usable_cores(), cache_bytes=cache_bytes, **options)
    listening = server.open_socket(host, port)
    service = Service(manifest, [manifest.model(name).name for name in names or manifest.models], settings)
    service.warm_up()
    address = listening.getsockname()
    click.echo(f"http://{f'[{address[0]}]' if ':' in address[0] else address[0]}:{address[1]}/  Press Ctrl-C to stop.")
    server.run(build(service, manifest.folder), listening)
    service.close()


def _check_package(name: str, remedy: str) -> None:
    """Raise MissingPackageError unless a package is installed."""
    if importlib.util.find_spec(name) is None:
        raise MissingPackageError(f"mnistgen serve needs {name}", code="package-missing", remedy=remedy)
