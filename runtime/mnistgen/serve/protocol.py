"""Limits on connections and slow clients, which uvicorn does not have, and its own errors as problem details."""

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

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

_refused = problem(
    503,
    code="server-busy",
    detail="There are too many connections. Try again later.",
    headers={"Retry-After": "1", "Connection": "close"},
)


class Protocol(HttpToolsProtocol):  # type: ignore[misc]  # mypy does not follow uvicorn
    """HTTP/1.1 of uvicorn with limits; a connection that exceeds one is refused or closed."""

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._timer = self.loop.call_later(SECONDS, transport.abort)
        self._read_timer: Any = None
        """Runs while the client does not read."""
        self._head: int | None = 0
        """Bytes of the request line and headers so far; None after the headers."""
        self._is_last = False
        """Whether the server stops after the request."""

    def connection_lost(self, error: Exception | None) -> None:
        """Stop to wait."""
        self._timer.cancel()
        super().connection_lost(error)  # it calls `resume_writing`

    def data_received(self, data: bytes) -> None:
        """Parse a part of a request."""
        if self._head is not None:
            self._head += len(data)
        super().data_received(data)
        if self._head is not None and self._head > MOST_HEAD:
            self.transport.abort()

    def on_message_begin(self) -> None:
        """Begin to wait for the rest of a request."""
        super().on_message_begin()
        self._timer.cancel()
        self._timer = self.loop.call_later(SECONDS, self.transport.abort)

    def on_headers_complete(self) -> None:
        """Stop to count, and select who answers."""
        self._head = None
        self.app = _refused if len(self.connections) > MOST_CONNECTIONS else self.config.loaded_app
        super().on_headers_complete()
        if self._is_last:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """Stop to wait: the request is complete."""
        self._timer.cancel()
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
        headers = [*refusal.raw_headers, (b"connection", b"close")]
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
            self._timer.cancel()
            self._unset_keepalive_if_required()
            self._timer = self.loop.call_later(LAST_SECONDS, self.transport.close)
