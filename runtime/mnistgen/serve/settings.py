"""What a server may use: its options and its limits."""

from dataclasses import dataclass

HOST = "127.0.0.1"
PORT = 8029
MOST_BODY = 16 * 1024
"""Maximum bytes of a request's body."""
MOST_TENSORS = 1024 * 1024
"""Maximum bytes of a request's body with tensors."""
MOST_COUNT = 400
"""Maximum number of digits in one response."""
MOST_DATASET = 100_000
"""Maximum number of digits in one dataset."""
MOST_STREAMS = 4
"""Maximum number of datasets that are sent at a time."""
MOST_SCALE = 32
MOST_PIXELS = 8_000_000
"""Maximum number of pixels in one picture."""
MOST_TEXT = 100
"""Maximum number of characters in a text."""
DAY = 24 * 3600
"""Seconds for which clients may keep a digit of a plain address."""
YEAR = 365 * DAY
"""Seconds for which clients may keep a digit of an address with the model's SHA-256."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Options of a server."""

    device: str = "auto"
    threads: int = 1
    """Threads that draw."""
    queue: int = 256
    """Requests that may wait for a thread; further ones get 503."""
    deadline: float = 10.0
    """Seconds after which a request gets 503."""
    cache_bytes: int = 64 * 1024 * 1024
    """Maximum bytes of encoded responses in memory."""
    origins: tuple[str, ...] = ()
    """Origins of web pages that may read responses (CORS)."""
    access_log: bool = True
    """Whether each request is logged on stderr."""
    metrics: bool = False
    """Whether /metrics exists."""
    traces: bool = False
    """Whether each request is a span of OpenTelemetry."""
