"""The routes of `mnistgen serve`: a real server on loopback."""

import base64
import hashlib
import json
import re
import sys

import numpy as np
import pytest
from serve_helpers import DIGIT, ORIGIN, SHA256, error_of, running_fixture, start_fixture  # noqa: F401 - fixture

from mnistgen.cli import shared
from mnistgen.cli.run import command as run_command
from mnistgen.manifest import artifacts_folder
from mnistgen.serve.settings import MOST_BODY

running = running_fixture(origins=(ORIGIN,))


@pytest.mark.parametrize(
    ("path", "options"),
    [
        (DIGIT, ["--digit", "5", "--start", "0"]),
        ("/v1/cgan/7/3.png", ["--start", "3"]),
        ("/v1/vae/7/2.png?scale=3&invert=true", ["--model", "vae", "--start", "2", "--scale", "3", "--invert"]),
        ("/v1/cgan/7/0.svg?digit=5&scale=2", ["--digit", "5", "--scale", "2"]),
        ("/v1/cgan/7/0.webp?digit=5", ["--digit", "5"]),
        ("/v1/cgan/7/0.npy?digit=5&invert=1", ["--digit", "5", "--invert"]),
        ("/v1/cgan/7/0.txt?digit=5", ["--digit", "5"]),
        ("/v1/cgan/grid.png?n=20&digits=3,1&seed=7", ["--digit", "3,1", "--n", "20"]),
        ("/v1/vae/grid.png?n=12&seed=7", ["--model", "vae", "--n", "12"]),
        ("/v1/text/2026-11-22.png?seed=7", ["--text", "2026-11-22"]),
        ("/v1/text/1%2F2%20+3.png?seed=7&scale=2", ["--text", "1/2 +3", "--scale", "2"]),
        (f"/v1/cgan@{SHA256[:12]}/7/0.png?digit=5", ["--digit", "5"]),
    ],
)
def test_bytes_are_those_of_the_command(running, folder, path, options):
    name = f"drawn.{path.partition('?')[0].rpartition('.')[2]}"
    options += ["--seed", "7", "--device", "cpu", "--quiet", "--out", name]
    assert shared.call(run_command, "mnistgen-run", options) == 0
    status, _, body = running.get(path)
    assert (status, body) == (200, (folder / name).read_bytes())


def test_digit_can_be_cached(running):
    status, headers, body = running.get(DIGIT)
    assert headers["ETag"] == f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    assert headers["Cache-Control"] == "public, max-age=86400"
    assert headers["Content-Type"] == "image/png"
    for tag in (headers["ETag"], f'"other", W/{headers["ETag"]}', "*"):
        status, again, nothing = running.get(DIGIT, If_None_Match=tag)
        assert (status, nothing, again["ETag"]) == (304, b"", headers["ETag"])
    assert running.get(DIGIT, If_None_Match='"other"')[0] == 200


def test_address_with_version_is_immutable(running):
    address = f"/v1/cgan@{SHA256[:8]}/7/0.png"
    assert running.get(address)[1]["Cache-Control"] == "public, max-age=31536000, immutable"
    for version in ("00000000", SHA256[:7], "", "*"):
        assert error_of(running.get(f"/v1/cgan@{version}/7/0.png"))[0] == 404


def test_head_has_no_body(running):
    status, headers, body = running.request("HEAD", DIGIT)
    assert (status, body) == (200, b"")
    assert headers["Content-Length"] == str(len(running.get(DIGIT)[2]))


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("/v1/cgan/random.png?digit=5&scale=2", r"/v1/cgan/\d+/0\.png\?digit=5&scale=2"),
        ("/v1/vae/random.svg", r"/v1/vae/\d+/0\.svg"),
        ("/v1/text/1%2F2.png", r"/v1/text/1/2\.png\?seed=\d+"),
        ("/v1/cgan/grid.png?n=3", r"/v1/cgan/grid\.png\?n=3&seed=\d+"),
    ],
)
def test_random_redirects_to_an_address(running, path, pattern):
    status, headers, _ = running.get(path)
    assert (status, headers["Cache-Control"]) == (302, "no-store")
    assert re.fullmatch(pattern, headers["Location"])
    assert running.get(headers["Location"])[0] == 200


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/cgan/7/0.png?digit=10", (422, "invalid-digit")),
        ("/v1/cgan/7/0.png?digit=05", (422, "invalid-digit")),
        ("/v1/cgan/7/0.png?digits=5", (400, "unknown-parameter")),
        ("/v1/cgan/7/0.png?digit=5&digit=5", (400, "repeated-parameter")),
        ("/v1/cgan/7/0.png?scale=33", (422, "invalid-layout")),
        ("/v1/cgan/7/0.png?scale=0", (422, "invalid-layout")),
        ("/v1/cgan/7/0.png?invert=yes", (422, "invalid-flag")),
        ("/v1/cgan/7/0.npy?scale=2", (422, "option-conflict")),
        ("/v1/cgan/-1/0.png", (422, "invalid-seed")),
        ("/v1/cgan/18446744073709551616/0.png", (422, "invalid-seed")),
        ("/v1/cgan/7/18446744073709551615.png", (422, "invalid-start")),
        ("/v1/cgan/7/0.exe", (404, "unknown-format")),
        ("/v1/wgan/7/0.png", (404, "unknown-model")),
        ("/v1/vae/7/0.png?digit=5", (422, "model-unconditional")),
        ("/v1/vae/random.png?digit=5", (422, "model-unconditional")),
        ("/v1/cgan/grid.png?n=401&seed=1", (422, "invalid-count")),
        ("/v1/cgan/grid.png?n=400&seed=1&scale=32", (422, "too-large")),
        ("/v1/text/none.png?seed=1", (422, "invalid-text")),
        (f"/v1/text/{'1' * 101}.png?seed=1", (422, "invalid-text")),
        ("/v1/cgan", (404, "not-found")),
        ("/v1/cgan/..%2f..%2fetc/passwd", (404, "not-found")),
    ],
)
def test_invalid_address(running, path, expected):
    assert error_of(running.get(path)) == expected


def test_other_methods_are_refused(running):
    answer = running.request("DELETE", DIGIT)
    assert error_of(answer) == (405, "method-not-allowed")
    assert "GET" in answer[1]["Allow"]


@pytest.mark.parametrize("encoding", ["base64", "lists"])
def test_generate_as_json(running, cgan, encoding):
    given = {"digits": [3, 1], "n": 3, "seed": str(2**64 - 1), "start": 5, "encoding": encoding}
    status, headers, body = running.post(given)
    found = json.loads(body)
    assert (status, headers["Cache-Control"], headers["Content-Type"]) == (200, "no-store", "application/json")
    assert (found["seed"], found["start"], found["n"], found["digits"]) == (str(2**64 - 1), "5", 3, [3, 1, 3])
    images = found["images"]
    if encoding == "base64":
        images = np.frombuffer(base64.b64decode(images), np.uint8).reshape(found["shape"])
    np.testing.assert_array_equal(images, cgan.generate(3, digit=[3, 1, 3], seed=2**64 - 1, start=5))


def test_generate_without_seed_returns_it(running):
    found = json.loads(running.post({"model": "vae"})[2])
    again = json.loads(running.post({"model": "vae", "seed": found["seed"]})[2])
    assert found == again
    assert json.loads(running.post({"model": "vae"})[2])["seed"] != found["seed"]


def test_generate_verified_and_as_files(running):
    found = json.loads(running.post({"model": "vae", "digits": 5, "seed": 1, "verify": True})[2])
    assert (found["digits"], len(found["attempts"])) == ([5], 1)
    _, headers, body = running.post({"format": "npy", "seed": 7, "n": 2})
    assert (body[:6], headers["Mnistgen-Seed"]) == (b"\x93NUMPY", "7")
    assert running.post({"format": "png", "seed": 7})[2] == running.get("/v1/cgan/7/0.png")[2]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"seeds": 1}, (400, "unknown-parameter")),
        ({"seed": 1.0}, (422, "invalid-seed")),
        ({"seed": True}, (422, "invalid-seed")),
        ({"n": 401}, (422, "invalid-count")),
        ({"digits": []}, (422, "invalid-digit")),
        ({"digits": {"5": 5}}, (422, "invalid-digit")),
        ({"format": "gif"}, (422, "unknown-choice")),
        ({"format": ["png"]}, (422, "unknown-choice")),
        ({"model": None}, (404, "unknown-model")),
        ({"verify": 1}, (422, "invalid-flag")),
        ([], (400, "invalid-body")),
        (b'{"n": NaN}', (400, "invalid-body")),
        (b'{"n": 1, "n": 2}', (400, "invalid-body")),
        (b"[" * 15_000, (400, "invalid-body")),
        (b"\xff", (400, "invalid-body")),
        (b" " * (MOST_BODY + 1), (413, "body-too-large")),
    ],
)
def test_invalid_body(running, content, expected):
    assert error_of(running.post(content)) == expected


def test_body_must_be_json(running):
    assert error_of(running.post({}, "text/plain")) == (415, "body-not-json")


def test_models_health_and_openapi(running):
    listed = json.loads(running.get("/v1/models")[2])["models"]
    assert [(model["name"], model["certified"]) for model in listed] == [("vae", True), ("cgan", True)]
    assert json.loads(running.get("/healthz")[2]) == {"status": "ok"}
    assert json.loads(running.get("/readyz")[2]) == {"status": "ready"}
    described = json.loads(running.get("/openapi.json")[2])
    assert described["openapi"] == "3.1.0"
    assert {"/v1/{model}/{seed}/{index}.{format}", "/v1/generate"} <= set(described["paths"])


def test_no_response_names_a_path_of_the_server(running):
    paths = [DIGIT, "/", "/v1/models", "/openapi.json", "/nope", "/v1/cgan/x/0.png", "/v1/text/a.png"]
    folders = (str(artifacts_folder()).encode(), sys.prefix.encode())
    for path in paths:
        _, headers, body = running.get(path)
        assert not any(folder in body or folder in bytes(headers) for folder in folders), path
        assert "Server" not in headers


def test_headers(running):
    _, headers, _ = running.get(DIGIT, X_Request_ID="abc-1")
    assert (headers["X-Request-ID"], headers["X-Content-Type-Options"]) == ("abc-1", "nosniff")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    for bad in ("a b", "x" * 65):
        assert re.fullmatch("[0-9a-f]{12}-[0-9a-f]+", running.get(DIGIT, X_Request_ID=bad)[1]["X-Request-ID"])


def test_cors_is_for_named_origins(running, start):
    assert running.get(DIGIT, Origin=ORIGIN)[1]["Access-Control-Allow-Origin"] == ORIGIN
    assert "Access-Control-Allow-Origin" not in running.get(DIGIT, Origin="https://other.example")[1]
    assert "Access-Control-Allow-Origin" not in start(("vae",)).get("/healthz", Origin=ORIGIN)[1]


def test_page_is_served(tmp_path, monkeypatch, start):
    (tmp_path / "index.html").write_text("<!doctype html><title>Digits</title>")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.html").write_text("<!doctype html><title>API</title>")
    monkeypatch.setattr("mnistgen.demo.page_folder", lambda: tmp_path)
    one = start(("vae",))
    status, headers, body = one.get("/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"Digits" in body
    assert "Content-Security-Policy" not in headers
    assert b"API" in one.get("/docs/")[2]
    assert one.get("/models/vae.onnx")[2] == (artifacts_folder() / "vae.onnx").read_bytes()
    assert error_of(one.get("/models/REPORT.md")) == (404, "not-found")
