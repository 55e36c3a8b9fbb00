"""Listen, answer until SIGTERM or Ctrl-C, then finish what was started."""

import contextlib
import signal
import socket
from typing import Any

import uvicorn

from mnistgen.errors import InputError
from mnistgen.serve.protocol import Protocol

GRACE = 20
"""Seconds that running requests may take after the signal to stop."""
MOST_CONNECTIONS = 1000
_BACKLOG = 2048


def open_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address of this machine; port 0 selects a free one.

    Raises:
        InputError: The address cannot be used.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        created = socket.create_server(address[:2], family=family, backlog=_BACKLOG)
        # asyncio sets TCP_NODELAY only if the socket names the protocol; without it, each response takes 40 ms.
        return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=created.detach())
    except OSError as error:
        raise InputError(
            f"Port {port} of {host} cannot be used ({error.strerror})",
            code="port-unavailable",
            remedy="Choose another with --port; 0 takes a free one",
        ) from error


def run(app: Any, listening: socket.socket) -> None:
    """Serve until SIGTERM or Ctrl-C; then stop to accept, and finish the requests that have begun."""
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn handles both, and raises them again when it has finished
        signal.signal(number, lambda *_: None)
    with contextlib.closing(listening):
        uvicorn.Server(config_of(app)).run(sockets=[listening])


def config_of(app: Any) -> uvicorn.Config:
    """Return the configuration of a server of `app`."""
    return uvicorn.Config(
        app,
        http=Protocol,
        lifespan="off",
        ws="none",
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=GRACE,
        backlog=_BACKLOG,
    )
