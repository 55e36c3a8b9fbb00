"""The HTTP connection of `mnistgen serve`, byte by byte."""

import contextlib
import re
import socket

import pytest
from serve_helpers import DIGIT, HEALTH, running_fixture, start_fixture  # noqa: F401 - fixture

HEAD_OF_DIGIT = f"HEAD {DIGIT} HTTP/1.1\r\nHost: x\r\n".encode()
GET_DIGIT = f"GET {DIGIT} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


running = running_fixture()


@contextlib.contextmanager
def connected(one, *sent):
    with socket.create_connection(("127.0.0.1", one.port), timeout=10) as client:
        for part in sent:
            client.sendall(part)
        yield client


def read_until(client, end):
    content = b""
    while not content.endswith(end):
        part = client.recv(100_000)
        assert part, content
        content += part
    return content


def read_all(client):
    return b"".join(iter(lambda: client.recv(100_000), b""))


def length_of(content):
    head, _, body = content.partition(b"\r\n\r\n")
    return int(re.search(rb"content-length: (\d+)", head)[1]), len(body)


def test_head_and_body_are_one_packet(running):
    with connected(running) as client:
        for _ in range(3):  # the first is drawn, and the others are in memory
            client.sendall(GET_DIGIT)
            expected, found = length_of(client.recv(100_000))
            assert found == expected > 100


def test_pipelined_responses_keep_their_order(running):
    with connected(running, HEAD_OF_DIGIT + b"\r\n" + HEALTH + HEAD_OF_DIGIT + b"\r\n" + HEALTH) as client:
        content = read_until(client, b'{"status":"ok"}')
        while content.count(b"HTTP/1.1 200 OK") < 4:
            content += read_until(client, b'{"status":"ok"}')
    kinds = re.findall(rb"content-type: (\S+)", content)
    assert kinds == [b"image/png", b"application/json"] * 2


@pytest.mark.parametrize("path", [DIGIT, "/nope", "/v1/cgan/random.png"])
def test_head_is_sent_before_the_connection_is_closed(running, path):
    with connected(running, f"HEAD {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()) as client:
        content = read_all(client)
    assert content.startswith(b"HTTP/1.1 ")
    assert content.endswith(b"\r\n\r\n")


def test_not_modified_has_no_body(running):
    with connected(running, GET_DIGIT[:-2] + b"If-None-Match: *\r\n\r\n", HEALTH) as client:
        content = read_until(client, b'{"status":"ok"}')
    assert content.startswith(b"HTTP/1.1 304 Not Modified\r\n")
    assert content.count(b"\r\n\r\n") == 2


def test_body_may_wait_for_continue(running):
    body = b'{"model": "vae", "seed": "1", "format": "png"}'
    head = (
        b"POST /v1/generate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    with connected(running, head) as client:
        assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        expected, found = length_of(client.recv(100_000))
    assert found == expected > 100


def test_large_body_is_complete(running):
    with connected(running, b"GET /v1/cgan/grid.png?n=400&seed=1&scale=5 HTTP/1.1\r\nHost: x\r\n\r\n") as client:
        content = read_until(client, b"IEND\xaeB`\x82")
    expected, found = length_of(content)
    assert found == expected > 100_000


def test_slow_later_request_is_closed(start, monkeypatch):
    monkeypatch.setattr("mnistgen.serve.protocol.SECONDS", 0.2)
    one = start(("vae",))
    with connected(one, HEALTH) as client:
        read_until(client, b'{"status":"ok"}')
        client.sendall(HEALTH[:-4])
        with contextlib.suppress(ConnectionError):  # it is reset
            assert client.recv(1000) == b""
    assert one.get("/healthz")[0] == 200
