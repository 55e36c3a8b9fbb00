"""Limits on connections and slow clients, which uvicorn does not have, and its own errors as problem details."""

from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mnistgen.serve.middleware import Frame, new_id
from mnistgen.serve.problems import problem

MOST_CONNECTIONS = 1000
SECONDS = 20.0
"""Seconds in which a request must arrive, from its first byte, or from the connection for the first request."""
READ_SECONDS = 20.0
"""Seconds in which a client must read what waits to be sent to it."""
LAST_SECONDS = 1.0
"""Seconds in which the last request of a connection must begin when the server stops."""
MOST_HEAD = 64 * 1024
"""Maximum bytes of the request line and headers; one read of the socket may exceed it."""
_CONTINUE = b"HTTP/1.1 100 "
"""Beginning of the head that asks for a body; the head of the response follows."""

_refused = Frame(
    problem(
        503,
        code="server-busy",
        detail="There are too many connections. Try again later.",
        headers={"Retry-After": "1", "Connection": "close"},
    ),
    access_log=False,
    pages={},
)


class Protocol(HttpToolsProtocol):  # type: ignore[misc]  # mypy does not follow uvicorn
    """HTTP/1.1 of uvicorn with limits; a connection that exceeds one is refused or closed."""

    on_lost: Callable[[], None] | None = None
    """Called when the connection has been closed."""

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._timer: Any = self.loop.call_later(SECONDS, transport.abort)
        """Runs while a request arrives, and before the first one."""
        self._is_arriving = False
        """Whether a request has begun and is not complete."""
        self._read_timer: Any = None
        """Runs while the client does not read."""
        self._head: int | None = 0
        """Bytes of the request line and headers so far; None after the headers."""
        self._is_last = False
        """Whether the server stops after the request."""

    def connection_lost(self, error: Exception | None) -> None:
        """Stop to wait."""
        self._stop_timer()
        super().connection_lost(error)  # it calls `resume_writing`
        if self.on_lost:
            self.on_lost()

    def data_received(self, data: bytes) -> None:
        """Parse a part of a request."""
        if self._head is not None:
            self._head += len(data)
        super().data_received(data)
        if self._head is not None and self._head > MOST_HEAD:
            self.transport.abort()
        if self._is_arriving and self._timer is None:  # most requests arrive at once, and need no timer
            self._timer = self.loop.call_later(SECONDS, self.transport.abort)

    def on_message_begin(self) -> None:
        """Begin to wait for the rest of a request."""
        super().on_message_begin()
        self._stop_timer()
        self._is_arriving = True

    def on_headers_complete(self) -> None:
        """Stop to count, and select who answers."""
        self._head = None
        self.app = _refused if len(self.connections) > MOST_CONNECTIONS else self.config.loaded_app
        super().on_headers_complete()
        _join_head(self.cycle, self.transport)
        if self._is_last:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """Stop to wait: the request is complete."""
        self._stop_timer()
        self._is_arriving = False
        self._head = 0
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Begin to wait for the client to read."""
        super().pause_writing()
        self._read_timer = self.loop.call_later(READ_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop to wait: the client has read."""
        if self._read_timer:
            self._read_timer.cancel()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP."""
        refusal = problem(400, code="invalid-http", detail="The request is not valid HTTP/1.1.")
        headers = [*refusal.raw_headers, (b"x-request-id", new_id()), (b"connection", b"close")]
        lines = [b"HTTP/1.1 400 Bad Request", *(b"%s: %s" % header for header in headers), b"", refusal.body]
        self.transport.write(b"\r\n".join(lines))
        self.transport.close()

    def shutdown(self) -> None:
        """Close the connection after its request, which may still be on its way."""
        if self.cycle is not None and not self.cycle.response_complete:
            super().shutdown()
            return
        self._is_last = True
        if self._head == 0:  # no request has begun
            self._stop_timer()
            self._unset_keepalive_if_required()
            self._timer = self.loop.call_later(LAST_SECONDS, self.transport.close)

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None


def _join_head(cycle: Any, transport: Any) -> None:
    """Make uvicorn's cycle of a request and its response send the response through a `_Joining`."""
    joining, complete = _Joining(transport), cycle.on_response

    def finish() -> None:
        joining.flush()
        complete()

    cycle.transport, cycle.on_response = joining, finish


class _Joining:
    """The transport of one response, which sends the head together with the beginning of the body, in one packet.

    Args:
        transport: The transport of the connection.
    """

    def __init__(self, transport: Any):
        self._transport = transport
        self._head: bytes | None = None

    def write(self, data: bytes) -> None:
        """Keep the head, or send the rest."""
        if self._head is None and not data.startswith(_CONTINUE):
            self._head = data
            return
        self._transport.write(self._head + data if self._head else data)
        if self._head:
            self._head = b""

    def flush(self) -> None:
        """Send the head if it still waits for a body."""
        if self._head:
            self._transport.write(self._head)
            self._head = b""

    def close(self) -> None:
        """Send what waits, and close the connection."""
        self.flush()
        self._transport.close()

    def is_closing(self) -> bool:
        """Return whether the connection is being closed."""
        return bool(self._transport.is_closing())
