"""A server of `mnistgen serve` in a thread, and a client; tests skip without the extra `serve`."""

import contextlib
import http.client
import json
import threading
import time

import pytest

from mnistgen.manifest import Manifest, artifacts_folder

for package in ("starlette", "httptools", "prometheus_client", "uvicorn"):
    pytest.importorskip(package, reason="needs the extra serve")

from mnistgen.serve import server  # noqa: E402
from mnistgen.serve.app import build  # noqa: E402
from mnistgen.serve.service import Service  # noqa: E402
from mnistgen.serve.settings import Settings  # noqa: E402

DIGIT = "/v1/cgan/7/0.png?digit=5"
SHA256 = Manifest(artifacts_folder()).model("cgan").sha256
ORIGIN = "https://digits.example"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


class Running:
    """A server in a thread, and a client."""

    def __init__(self, names=("vae", "cgan"), **options):
        manifest = Manifest(artifacts_folder())
        self.service = Service(manifest, names, Settings(device="cpu", threads=2, access_log=False, **options))
        self.service.warm_up()
        self.app = build(self.service, manifest.folder)
        self._socket = server.open_socket("127.0.0.1", 0)
        self.port = self._socket.getsockname()[1]
        self._server = server.Server(server.config_of(self.app))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)
        self._thread.start()

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def get(self, path, **headers):
        return self.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def post(self, content, kind="application/json", path="/v1/generate"):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return self.request("POST", path, body, {"Content-Type": kind})

    def stop(self):
        self._server.should_exit = True
        self._thread.join(20)
        self._socket.close()
        self.service.close()


def running_fixture(*arguments, **options):
    """Return a fixture of one server for all tests of a module."""

    @pytest.fixture(scope="module")
    def running():
        one = Running(*arguments, **options)
        yield one
        one.stop()

    return running


@pytest.fixture(name="start")
def start_fixture():
    """Start a server with options, and stop it after the test."""
    with contextlib.ExitStack() as stack:

        def run(*arguments, **options):
            one = Running(*arguments, **options)
            stack.callback(one.stop)
            return one

        yield run


def error_of(answer):
    status, headers, body = answer
    assert headers["Content-Type"] == "application/problem+json"
    assert headers["Cache-Control"] == "no-store"
    problem = json.loads(body)
    assert problem["status"] == status
    return status, problem["code"]


def wait_until(condition):
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)
