"""Listen, answer until SIGTERM or Ctrl-C, then finish what was started."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn

from mnistgen.errors import InputError
from mnistgen.serve.balance import Acceptor
from mnistgen.serve.protocol import Protocol

GRACE = 20
"""Seconds that running requests may take after the signal to stop."""
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


def run(app: Any, listening: socket.socket, acceptor: Acceptor | None = None) -> None:
    """Serve until SIGTERM or Ctrl-C; then stop to accept, and finish the requests that have begun."""
    server = Server(config_of(app), acceptor)
    for number in (signal.SIGTERM, signal.SIGINT):  # as uvicorn does, but from now on
        signal.signal(number, server.handle_exit)
    with contextlib.closing(listening):
        server.run(sockets=[listening])


class Server(uvicorn.Server):  # type: ignore[misc]  # mypy does not follow uvicorn
    """uvicorn's server, for a socket that processes may share.

    It also answers connections that it has not accepted when it stops.

    Args:
        config: Its configuration.
        acceptor: Accepts connections from its one socket; None for asyncio's way.
    """

    def __init__(self, config: uvicorn.Config, acceptor: Acceptor | None = None):
        super().__init__(config)
        self._acceptor = acceptor

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept. asyncio has made the queue as short as the number of connections that it accepts at once."""
        if self._acceptor and sockets:
            await super().startup([])
            sockets[0].setblocking(False)
            self._acceptor.start(sockets[0], self._protocol)
            return
        await super().startup(sockets)
        for listening in sockets or []:
            listening.listen(_BACKLOG)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop to accept, and finish: a system resets the connections in the queue of a socket that is closed."""
        if self._acceptor:
            await self._acceptor.stop()
        queued = [connection for listening in sockets or [] for connection in _accept_all(listening)]
        for each in (*self.servers, *(sockets or [])):  # at once, before another connection comes
            each.close()
        for connection in queued:
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, connection)
        await super().shutdown(sockets)

    def _protocol(self) -> Protocol:
        protocol = Protocol(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)
        if self._acceptor:
            protocol.on_lost = self._acceptor.closed
        return protocol


def _accept_all(listening: socket.socket) -> Iterator[socket.socket]:
    """Yield the connections that wait in the queue of a socket that does not block."""
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:  # none is left, or this process has no file descriptor left
            return
        yield connection


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
        timeout_keep_alive=15,
        timeout_graceful_shutdown=GRACE,
        backlog=1,  # accept one connection at a time, so that the first worker does not take all of them
    )
