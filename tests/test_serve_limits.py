"""Limits, cache, failures and shutdown of `mnistgen serve`."""

import asyncio
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from serve_helpers import DIGIT, HEALTH, error_of, running_fixture, start_fixture, wait_until  # noqa: F401 - fixture

import mnistgen
from mnistgen.errors import ArtifactError, InputError
from mnistgen.manifest import Manifest, artifacts_folder
from mnistgen.serve import server
from mnistgen.serve.app import build
from mnistgen.serve.cache import Body, Cache
from mnistgen.serve.service import Service
from mnistgen.serve.settings import Settings

POST = b"POST /v1/generate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"


running = running_fixture()


def test_full_queue_is_refused_and_recovers(start, monkeypatch):
    one = start(("vae",), queue=1)
    release = threading.Event()
    generator = one.service._generators["vae"]
    draw = generator._generate_each
    monkeypatch.setattr(generator, "_generate_each", lambda requests: (release.wait(20), draw(requests))[1])
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(one.get, f"/v1/vae/{seed}/0.png") for seed in range(3)]
        wait_until(lambda: one.service.gate.pending == 3)
        answer = one.get("/v1/vae/9/0.png")
        assert error_of(answer) == (503, "server-busy")
        assert answer[1]["Retry-After"] == "1"
        release.set()
        assert [each.result()[0] for each in waiting] == [200, 200, 200]
    assert one.get("/v1/vae/9/0.png")[0] == 200


def test_deadline(start, monkeypatch):
    one = start(("vae",), deadline=0.2)
    release = threading.Event()
    generator = one.service._generators["vae"]
    for method in ("_generate_each", "draw"):
        monkeypatch.setattr(generator, method, lambda *inputs, **options: release.wait(20))
    assert error_of(one.get("/v1/vae/1/0.png")) == (503, "deadline-exceeded")
    assert one.service.gate.pending == 0
    assert error_of(one.get("/v1/vae/grid.png?n=2&seed=1")) == (503, "deadline-exceeded")
    assert one.service.gate.pending == 1  # its thread still runs
    release.set()
    wait_until(lambda: one.service.gate.pending == 0)


@pytest.mark.parametrize("error", [ArtifactError("/secret/x is bad", code="model-missing"), KeyError("/secret/x")])
def test_failure_of_the_server(start, monkeypatch, capfd, error):
    one = start(("vae",))

    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(one.service._generators["vae"], "_generate_each", fail)
    answer = one.get("/v1/vae/1/0.png")
    assert error_of(answer) == (500, getattr(error, "code", "internal-error"))
    assert b"secret" not in answer[2]
    logged: list[str] = []
    wait_until(lambda: logged.append(capfd.readouterr().err) or "/secret/x" in "".join(logged))


def test_cache_is_bounded_in_bytes():
    cache = Cache(5000)
    for key in range(10):
        cache.put(key, Body.of(bytes(1000), "image/png"))
        cache.get(0)
    assert len(cache) == 3
    assert 0 < cache.size <= 5000
    assert cache.get(0)
    assert cache.get(9)
    assert not cache.get(1)
    cache.put(10, Body.of(bytes(6000), "image/png"))
    assert not cache.get(10)


def test_cached_response_is_the_same(start):
    one, uncached = start(("cgan",)), start(("cgan",), cache_bytes=0)
    first = one.get(DIGIT)
    assert len(one.service.cache) == 1
    assert one.get(DIGIT)[2] == first[2] == uncached.get(DIGIT)[2]
    assert len(uncached.service.cache) == 0


def test_many_connections_get_their_own_digits(running, cgan):
    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda seed: running.get(f"/v1/cgan/{seed}/0.npy?digit=5"), range(40)))
    for seed, (status, _, body) in enumerate(answers):
        assert status == 200
        assert body.endswith(cgan.generate(digit=5, seed=seed).tobytes())


@pytest.mark.parametrize("sent", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"\0" * 100])
def test_malformed_http(running, sent):
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as client:
        client.sendall(sent)
        answer = client.recv(1000)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "invalid-http"
    assert re.search(rb"\r\nx-request-id: [0-9a-f]{12}-[0-9a-f]+\r\n", answer)
    assert running.get("/healthz")[0] == 200


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost", POST], ids=["idle", "headers", "body"])
def test_slow_client_is_closed(start, monkeypatch, capfd, sent):
    monkeypatch.setattr("mnistgen.serve.protocol.SECONDS", 0.2)
    one = start(("vae",))
    with socket.create_connection(("127.0.0.1", one.port), timeout=10) as client:
        client.sendall(sent)
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1000) == b""
    assert one.get("/healthz")[0] == 200
    assert capfd.readouterr().err == ""


def test_slow_reader_is_closed(start, monkeypatch):
    monkeypatch.setattr("mnistgen.serve.protocol.READ_SECONDS", 0.2)
    one = start(("vae",))
    blank = np.zeros((64, 28, 28), np.uint8)  # real digits would take long to fill the system's buffers
    monkeypatch.setattr(one.service._generators["vae"], "generate", lambda n, **options: blank[:n])
    with socket.create_connection(("127.0.0.1", one.port), timeout=10) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        body = b'{"model": "vae", "n": 100000}'
        head = b"POST /v1/dataset HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        client.sendall(head % len(body) + body)
        wait_until(lambda: one.service.streams.count == 1)
        wait_until(lambda: one.service.streams.count == 0)
    assert one.get("/healthz")[0] == 200


def test_too_many_connections(start, monkeypatch):
    monkeypatch.setattr("mnistgen.serve.protocol.MOST_CONNECTIONS", 1)
    one = start(("vae",))
    with socket.create_connection(("127.0.0.1", one.port)):
        answer = one.get("/healthz")
        assert error_of(answer) == (503, "server-busy")
        assert (answer[1]["Retry-After"], answer[1]["X-Content-Type-Options"]) == ("1", "nosniff")
        assert answer[1]["X-Request-ID"]
    wait_until(lambda: one.get("/healthz")[0] == 200)


def test_endless_headers_are_closed(running):
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as client:
        client.sendall(b"GET / HTTP/1.1\r\n")
        with pytest.raises(ConnectionError):
            client.sendall(b"".join(b"X-%d: %s\r\n" % (number, b"x" * 1000) for number in range(50_000)))
    assert running.get("/healthz")[0] == 200


def test_connection_is_kept_for_more_requests(running):
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
    with contextlib.closing(connection):
        for _ in range(100):  # more bytes of headers in all than one request may have
            connection.request("GET", DIGIT, headers={"X-Long": "x" * 2000})
            answer = connection.getresponse()
            assert (answer.status, len(answer.read()) > 100) == (200, True)


def test_metrics_are_labelled_by_route(running, start):
    assert error_of(running.get("/metrics")) == (404, "not-found")
    one = start(("vae",), metrics=True)
    for path in ("/v1/vae/1/0.png", "/v1/vae/2/0.png", "/nope"):
        one.get(path)
    one.request("PUT", "/healthz")
    text = one.get("/metrics")[2].decode()
    route = 'route="/v1/{model}/{seed}/{index}.{format}"'
    assert f'mnistgen_requests_total{{method="GET",{route},status="200"}} 2.0' in text
    assert 'mnistgen_requests_total{method="GET",route="none",status="404"} 1.0' in text
    assert 'method="other"' in text
    assert "mnistgen_ready 1.0" in text


def test_responses_are_not_delayed():
    """The sockets of connections inherit the protocol, on which TCP_NODELAY depends in asyncio."""
    with server.open_socket("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.proto == socket.IPPROTO_TCP


def test_port_in_use(running):
    with pytest.raises(InputError) as caught:
        server.open_socket("127.0.0.1", running.port)
    assert caught.value.code == "port-unavailable"


@contextlib.contextmanager
def connected(port, n):
    """Yield `n` clients."""
    with contextlib.ExitStack() as stack:
        clients = [http.client.HTTPConnection("127.0.0.1", port, timeout=20) for _ in range(n)]
        for client in clients:
            stack.callback(client.close)
        yield clients


@contextlib.contextmanager
def started(*options):
    """Run the command; yield its process and port."""
    code = "import sys; from mnistgen.cli import main; sys.argv = ['mnistgen', *sys.argv[1:]]; main()"
    command = [sys.executable, "-c", code, "serve", "--port", "0", "--device", "cpu", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process, int(re.search(r":(\d+)/", process.stdout.readline())[1])
        finally:
            process.kill()


@pytest.mark.skipif(os.name == "nt", reason="signals differ")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_command_finishes_requests_on_signal(number):
    with (
        started("--model", "cgan", "--threads", "1", "--deadline", "60") as (process, port),
        connected(port, 4) as clients,
    ):
        for seed, client in enumerate(clients):
            client.request("GET", f"/v1/cgan/grid.png?n=100&scale=2&seed={seed}")
        time.sleep(0.5)  # the requests are accepted, and most wait
        process.send_signal(number)
        answers = [client.getresponse() for client in clients]
        assert [(answer.status, len(answer.read()) > 1000) for answer in answers] == [(200, True)] * 4
        _, errors = process.communicate(timeout=20)
    lines = [json.loads(line) for line in errors.splitlines()]
    assert process.returncode == 0
    assert [(line["method"], line["status"], line["path"]) for line in lines] == [("GET", 200, "/v1/cgan/grid.png")] * 4


def read_health(client):
    """Read a response to HEALTH; return its first line."""
    answer = b""
    while not answer.endswith(b'{"status":"ok"}'):
        part = client.recv(10_000)
        assert part, "closed"
        answer += part
    return answer.partition(b"\r\n")[0]


def test_stop_loses_no_request_on_its_way():
    """The server has not yet read requests on new connections, and on those that were idle, when it stops."""

    async def serve(connections):
        manifest = Manifest(artifacts_folder())
        service = Service(manifest, ["vae"], Settings(device="cpu", access_log=False))
        listening = server.open_socket("127.0.0.1", 0)
        one = server.Server(server.config_of(build(service, manifest.folder)))
        running = asyncio.create_task(one.serve(sockets=[listening]))
        connections.enter_context(contextlib.closing(listening))
        address = listening.getsockname()
        idle = [connections.enter_context(socket.create_connection(address)) for _ in range(5)]
        for each in idle:
            each.sendall(HEALTH)
            await asyncio.to_thread(read_health, each)
        new = [connections.enter_context(socket.create_connection(address)) for _ in range(5)]
        for each in (*idle, *new):
            each.sendall(HEALTH)
        one.should_exit = True
        await one.shutdown([listening])
        await running
        service.close()
        return [read_health(each) for each in (*idle, *new)]

    with contextlib.ExitStack() as connections:
        answers = asyncio.run(serve(connections))
    assert answers == [b"HTTP/1.1 200 OK"] * 10


def test_waiting_digits_are_drawn_in_one_run(start, monkeypatch):
    one = start(("vae",))
    generator, release, sizes = one.service._generators["vae"], threading.Event(), []
    draw = generator._generate_each
    monkeypatch.setattr(
        generator,
        "_generate_each",
        lambda requests: (sizes.append(len(requests)), release.wait(20), draw(requests))[2],
    )
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda seed: one.get(f"/v1/vae/{seed}/0.npy"), range(8))
        wait_until(lambda: one.service.gate.pending == 8)
        release.set()
        for seed, answer in enumerate(answers):
            assert answer[2].endswith(mnistgen.load("vae", device="cpu").generate(seed=seed).tobytes())
    assert sum(sizes) == 8
    assert max(sizes) > 1
