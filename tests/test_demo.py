"""The server of the demo page."""

import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import pytest

from mnistgen import demo
from mnistgen.errors import ArtifactError, InputError
from mnistgen.manifest import artifacts_folder


@pytest.fixture
def page(tmp_path):
    folder = tmp_path / "page"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>Digits</title>")
    (folder / "assets" / "ort.wasm").write_bytes(b"\0asm")
    (folder / "docs").mkdir()
    (folder / "docs" / "index.html").write_text("an API that only mnistgen serve has")
    (tmp_path / "secret.js").write_text("secret")
    return folder


@pytest.fixture
def address(page):
    with demo.open_server(demo.list_files(page, artifacts_folder()), 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{demo.HOST}:{server.server_port}"
        server.shutdown()


def get(url, method="GET"):
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=10) as answer:
        return answer.read(), answer.headers


def test_serves_page_and_models(address):
    page, headers = get(f"{address}/?view=write")
    assert b"<title>Digits" in page
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert get(f"{address}/assets/ort.wasm")[1]["Content-Type"] == "application/wasm"
    for name in ("manifest.json", "vae.onnx", "verifier.onnx"):
        assert get(f"{address}/models/{name}")[0] == (artifacts_folder() / name).read_bytes()


def test_head_sends_headers_only(address):
    content, headers = get(f"{address}/assets/ort.wasm", "HEAD")
    assert (content, headers["Content-Length"]) == (b"", "4")


@pytest.mark.parametrize(
    "path",
    [
        "/missing",
        "/../secret.js",
        "/%2e%2e/secret.js",
        "/assets/",
        "/models/",
        "//etc/passwd",
        "/models/REPORT.md",
        "/docs/index.html",
    ],
)
def test_other_paths_are_not_found(address, path):
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(address + path)


def test_removed_file_is_not_found(address, page):
    (page / "assets" / "ort.wasm").unlink()
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(f"{address}/assets/ort.wasm")


def test_other_methods_are_refused(address):
    with pytest.raises(urllib.error.HTTPError, match="501"):
        get(f"{address}/", "POST")


def test_port_in_use(address):
    port = int(address.rpartition(":")[2])
    with pytest.raises(InputError, match=f"Port {port} cannot be used") as caught:
        demo.open_server({}, port)
    assert caught.value.code == "port-unavailable"


def test_missing_page(monkeypatch, tmp_path):
    monkeypatch.setattr(demo, "__file__", str(tmp_path / "runtime" / "mnistgen" / "demo.py"))
    with pytest.raises(ArtifactError, match="Run make web") as caught:
        demo.page_folder()
    assert caught.value.code == "page-missing"


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C cannot be sent to a single process")
def test_command_prints_address_and_ends_on_ctrl_c(page):
    code = f"""
import pathlib, sys
from mnistgen import demo
demo.page_folder = lambda: pathlib.Path({str(page)!r})
from mnistgen.cli import main
sys.argv = ["mnistgen", "demo", "--port", "0", "--no-open"]
main()
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        url = process.stdout.readline().split()[0]
        assert b"Digits" in get(url)[0]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    finally:
        process.kill()
    assert (process.returncode, errors) == (0, "")
