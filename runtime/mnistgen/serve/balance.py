"""Spread connections evenly over processes that share a listening socket.

The system wakes all of them for a connection, and the fastest takes it. Without a balance, one of two processes may get
all connections of a client, and the other one's core has nothing to do.
"""

import asyncio
import os
import socket
from collections.abc import Callable, MutableSequence
from multiprocessing.context import SpawnContext
from typing import Any

Counts = MutableSequence[int]
"""Connections of each process, in memory that they share; a process changes its own number only."""
PAUSE = 0.001
"""Seconds for which a process leaves a connection to those that have fewer."""
_CLOSED = 2**31 - 1
"""The number of a process that does not accept connections."""


def shared_counts(context: SpawnContext, count: int) -> Counts | None:
    """Return the counts of `count` processes, or None where they cannot be shared."""
    if os.name == "nt":  # its event loop cannot wait for a socket that listens
        return None
    try:
        counts: Counts = context.RawArray("i", count)
    except OSError:  # no folder for shared memory
        return None
    counts[:] = [_CLOSED] * count
    return counts


def mark_closed(counts: Counts | None, own: int) -> None:
    """Note that a process has ended."""
    if counts is not None:
        counts[own] = _CLOSED


class Acceptor:
    """Accepts connections for one of several processes.

    Args:
        counts: Connections of all processes.
        own: Position of this process.
    """

    def __init__(self, counts: Counts, own: int):
        self._counts, self._own = counts, own
        self._open = 0
        self._pause: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, listening: socket.socket, protocol: Callable[[], Any]) -> None:
        """Begin to accept from a socket that does not block; each connection gets its own `protocol`."""
        self._listening, self._protocol = listening, protocol
        self._counts[self._own] = 0
        asyncio.get_running_loop().add_reader(listening, self._on_ready)

    async def stop(self) -> None:
        """Stop to accept; return when all accepted connections have their protocols."""
        asyncio.get_running_loop().remove_reader(self._listening)
        if self._pause:
            self._pause.cancel()
        mark_closed(self._counts, self._own)
        await asyncio.gather(*self._tasks)

    def closed(self) -> None:
        """Note that a connection has been closed."""
        self._open -= 1
        if self._counts[self._own] != _CLOSED:
            self._counts[self._own] = self._open

    def _on_ready(self) -> None:
        """Accept a connection, or pause while a process with fewer connections may take it."""
        if self._open <= min(self._counts) and self._accept():
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._listening)
        self._pause = loop.call_later(PAUSE, self._resume)

    def _resume(self) -> None:
        """Accept in any case, so that a process that hangs delays nothing for long."""
        self._pause = None
        self._accept()
        asyncio.get_running_loop().add_reader(self._listening, self._on_ready)

    def _accept(self) -> bool:
        """Accept a connection; return whether the next one may be accepted at once."""
        try:
            connection, _ = self._listening.accept()
        except BlockingIOError:  # another process has taken it
            return True
        except OSError:  # such as no file descriptor left
            return False
        self._open += 1
        self._counts[self._own] = self._open
        task = asyncio.get_running_loop().create_task(self._connect(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def _connect(self, connection: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, connection)
        except OSError:  # the client has gone
            connection.close()
            self.closed()
