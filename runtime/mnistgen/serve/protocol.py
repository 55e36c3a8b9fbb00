"""Limits on how slowly and how long a client sends a request; uvicorn has none."""

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

SECONDS = 20.0
"""Seconds in which a request must arrive, from its first byte, or from the connection for the first request."""
LAST_SECONDS = 1.0
"""Seconds in which the first request of a connection must begin when the server stops."""
MOST_HEAD = 64 * 1024
"""Maximum bytes of the request line and headers; one read of the socket may exceed it."""


class Protocol(HttpToolsProtocol):  # type: ignore[misc]  # mypy does not follow uvicorn
    """HTTP/1.1 of uvicorn with limits; a connection that exceeds one is closed."""

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._timer = self.loop.call_later(SECONDS, transport.abort)
        self._head: int | None = 0
        """Bytes of the request line and headers so far; None after the headers."""
        self._is_last = False
        """Whether the server stops after the request."""

    def connection_lost(self, error: Exception | None) -> None:
        """Stop to wait."""
        self._timer.cancel()
        super().connection_lost(error)

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
        """Stop to count."""
        self._head = None
        super().on_headers_complete()
        if self._is_last:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """Close the connection after its request; that of a new connection may still be on its way."""
        if self.cycle is not None:
            super().shutdown()
            return
        self._is_last = True
        if self.headers is None:  # no request has begun
            self._timer.cancel()
            self._timer = self.loop.call_later(LAST_SECONDS, self.transport.close)

    def on_message_complete(self) -> None:
        """Stop to wait: the request is complete."""
        self._timer.cancel()
        self._head = 0
        super().on_message_complete()
