"""`mnistgen serve`: serve digits over HTTP."""

import importlib.util
from typing import Any

import click

from mnistgen.cli import shared
from mnistgen.errors import InputError, MissingPackageError, install_command
from mnistgen.inference.cpu import usable_cores

_PACKAGES = ("starlette", "uvicorn", "httptools", "prometheus_client")


@click.command(context_settings=shared.SETTINGS)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option("--port", type=click.IntRange(0, 65535), default=8029, show_default=True, help="Port; 0 for a free one.")
@click.option("--model", "names", multiple=True, help="Model to serve; repeat for several.  [default: all]")
@click.option("--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes that answer.")
@click.option("--threads", type=click.IntRange(1, 256), help="Threads that draw.  [default: one per usable core]")
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
def command(host: str, port: int, names: tuple[str, ...], workers: int, threads: int | None, **options: Any) -> None:
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
    for name in ("metrics", "traces"):
        if options[name] and workers > 1:
            raise InputError(
                f"--{name} covers one process; --workers is {workers}",
                code="option-conflict",
                remedy="Leave one of them out, or start several servers behind a proxy",
            )
    # Lazy: only this command has the extra's packages.
    from mnistgen.serve.server import open_socket
    from mnistgen.serve.settings import Settings
    from mnistgen.serve.workers import Plan, serve, supervise

    manifest = shared.manifest()
    cache_bytes = options.pop("cache_mib") * 1024 * 1024
    threads = threads or max(1, usable_cores() // workers)
    settings = Settings(threads=threads, cache_bytes=cache_bytes, **options)
    listening = open_socket(host, port)
    names = tuple(manifest.model(name).name for name in names or manifest.models)
    plan = Plan(manifest.folder, names, settings)
    address = listening.getsockname()
    place = f"[{address[0]}]" if ":" in address[0] else address[0]

    def announce() -> None:
        click.echo(f"http://{place}:{address[1]}/  Press Ctrl-C to stop.")

    if workers == 1:
        serve(plan, listening, announce)
    else:
        supervise(plan, listening, workers, announce)


def _check_package(name: str, remedy: str) -> None:
    """Raise MissingPackageError unless a package is installed."""
    if importlib.util.find_spec(name) is None:
        raise MissingPackageError(f"mnistgen serve needs {name}", code="package-missing", remedy=remedy)
