"""Encoded responses in memory, bounded in bytes."""

import hashlib
from collections import OrderedDict
from collections.abc import Hashable
from typing import NamedTuple

_OVERHEAD = 600
"""Bytes of an entry beside its body: key, tag and the dictionary's slot (estimated)."""


class Body(NamedTuple):
    """The body of a response."""

    content: bytes
    media_type: str
    tag: str
    """Strong ETag: a hash of the content."""

    @classmethod
    def of(cls, content: bytes, media_type: str) -> "Body":
        """Return the body with its tag."""
        return cls(content, media_type, f'"{hashlib.sha256(content).hexdigest()[:32]}"')


class Cache:
    """The bodies that were used last. It is not safe for threads: only the event loop uses it."""

    def __init__(self, most_bytes: int):
        self._most_bytes = most_bytes
        self._bodies: OrderedDict[Hashable, Body] = OrderedDict()
        self.size = 0
        """Bytes in use."""

    def get(self, key: Hashable) -> Body | None:
        """Return the body of `key`, or None."""
        body = self._bodies.get(key)
        if body is not None:
            self._bodies.move_to_end(key)
        return body

    def put(self, key: Hashable, body: Body) -> None:
        """Keep a body, and drop those that were used least recently."""
        if key in self._bodies or _size(body) > self._most_bytes:
            return
        self._bodies[key] = body
        self.size += _size(body)
        while self.size > self._most_bytes:
            _, dropped = self._bodies.popitem(last=False)
            self.size -= _size(dropped)

    def __len__(self) -> int:
        return len(self._bodies)


def _size(body: Body) -> int:
    return len(body.content) + _OVERHEAD
