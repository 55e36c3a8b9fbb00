"""Serve the demo page on this machine: static files, and the models that the page runs in the browser.

Only the files that were listed at the start can be fetched. So no request can reach another file.
"""

import contextlib
import shutil
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from mnistgen.errors import ArtifactError, InputError
from mnistgen.manifest import Manifest

HOST = "127.0.0.1"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".onnx": "application/octet-stream",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
}
"""Media types of the page's files. Python's `mimetypes` depends on the system, and some systems have wrong ones."""


def page_folder() -> Path:
    """Return the folder of the built page: in the installed package, or `web/dist/` of a checkout.

    Raises:
        ArtifactError: It is not there.
    """
    installed = Path(__file__).parent / "page"
    folder = installed if installed.is_dir() else Path(__file__).parents[2] / "web" / "dist"
    if not (folder / "index.html").is_file():
        raise ArtifactError(
            "The demo page is not part of this installation",
            code="page-missing",
            remedy="Run make web in a checkout of mnistgen",
        )
    return folder


def list_files(page: Path, artifacts: Path, *, api_docs: bool = False) -> dict[str, Path]:
    """Return the file at each path of a URL, such as "/index.html".

    Args:
        page: Folder of the built page.
        artifacts: Folder of the manifest and the models, which are served below "/models/".
        api_docs: Include the page below "/docs/", which shows the API of `mnistgen serve` and needs that server.

    Raises:
        ArtifactError: The manifest is missing or damaged.
    """
    found = {f"/{path.relative_to(page).as_posix()}": path for path in page.rglob("*") if path.suffix in _TYPES}
    if not api_docs:
        found = {url: path for url, path in found.items() if not url.startswith("/docs/")}
    manifest = Manifest(artifacts)
    listed = [*manifest.models.values(), *([manifest.verifier] if manifest.verifier else [])]
    for name in ("manifest.json", *(model.file for model in listed)):
        found[f"/models/{name}"] = artifacts / name
    return {"/": page / "index.html", **found}


def media_type(path: Path) -> str:
    """Return the media type of a file of the page."""
    return _TYPES.get(path.suffix, "application/octet-stream")


def open_server(files: dict[str, Path], port: int) -> ThreadingHTTPServer:
    """Return a server of `files` that listens on a port of this machine; 0 selects a free port.

    Raises:
        InputError: The port cannot be used.
    """
    try:
        return _Server((HOST, port), partial(_Handler, files))
    except OSError as error:
        raise InputError(
            f"Port {port} cannot be used ({error.strerror})",
            code="port-unavailable",
            remedy="Choose another with --port; 0 takes a free one",
        ) from error


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore visitors that hang up; the connection is closed."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    """Seconds until an idle connection is closed."""

    def __init__(self, files: dict[str, Path], *connection: object):
        self._files = files
        super().__init__(*connection)  # type: ignore[arg-type]  # handles the connection

    def do_GET(self) -> None:  # the name that http.server calls
        """Answer with the file, or with an error."""
        with contextlib.ExitStack() as stack:
            if file := self._open(stack):
                shutil.copyfileobj(file, self.wfile)

    def do_HEAD(self) -> None:
        """Answer as to GET, without the file."""
        with contextlib.ExitStack() as stack:
            self._open(stack)

    def _open(self, stack: contextlib.ExitStack) -> BinaryIO | None:
        """Send the headers and return the open file, or None if there is none."""
        path = self._files.get(unquote(urlsplit(self.path).path))
        try:
            file = stack.enter_context(path.open("rb")) if path else None
        except OSError:  # removed since the start
            file = None
        if not path or not file:
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", media_type(path))
        self.send_header("Content-Length", str(path.stat().st_size))
        self.send_header("Cache-Control", "no-cache")  # browsers keep it, but ask whether it has changed
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        return file

    def log_message(self, *message: object) -> None:
        """Keep the terminal quiet."""
