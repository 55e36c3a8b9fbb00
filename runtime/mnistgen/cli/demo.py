"""`mnistgen demo`: serve the demo page on this machine."""

import contextlib
import webbrowser

import click

from mnistgen import demo
from mnistgen.cli import shared


@click.command(context_settings=shared.SETTINGS)
@click.option("--port", type=click.IntRange(0, 65535), default=8028, show_default=True, help="Port; 0 for a free one.")
@click.option("--open/--no-open", "in_browser", default=True, show_default=True, help="Open the page in a browser.")
@shared.artifacts_option
def command(port: int, in_browser: bool) -> None:
    """Serve the demo page, which draws digits in your browser.

    Only programs on this machine can reach it. Ctrl-C stops the server.

    \b
    Examples:
      mnistgen demo
      mnistgen demo --port 0 --no-open
    """
    files = demo.list_files(demo.page_folder(), shared.folder())
    with demo.open_server(files, port) as server:
        address = f"http://{demo.HOST}:{server.server_port}/"
        click.echo(f"{address}  Press Ctrl-C to stop.")
        if in_browser:
            webbrowser.open(address)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
