"""Connections spread over the processes of `mnistgen serve --workers`."""

import asyncio
import contextlib
import errno
import multiprocessing
import os
import socket
import time

import pytest
import serve_helpers  # noqa: F401 - skips without the extra serve

from mnistgen.serve import balance, server
from mnistgen.serve.balance import Acceptor

pytestmark = pytest.mark.skipif(os.name == "nt", reason="its event loop cannot wait for a socket that listens")


class Protocol(asyncio.Protocol):
    """A connection without an answer."""


async def accepted(counts, clients, started):
    """Return how many of `clients` connections each of the `started` acceptors takes, and the number it shows."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(contextlib.closing(server.open_socket("127.0.0.1", 0)))
        listening.setblocking(False)
        acceptors = {own: Acceptor(counts, own) for own in started}
        taken = dict.fromkeys(started, 0)

        def protocol(own):
            taken[own] += 1
            one = Protocol()
            one.connection_lost = lambda error: acceptors[own].closed()
            return one

        for own, acceptor in acceptors.items():
            copy = stack.enter_context(listening.dup())  # as another process has one
            acceptor.start(copy, lambda own=own: protocol(own))
        connections = [socket.create_connection(listening.getsockname()) for _ in range(clients)]
        async with asyncio.timeout(10):
            while sum(taken.values()) < clients:
                await asyncio.sleep(0.001)
        shown = list(counts)
        for connection in connections:
            connection.close()
        async with asyncio.timeout(10):
            while any(counts[own] for own in started):
                await asyncio.sleep(0.001)
        for acceptor in acceptors.values():
            await acceptor.stop()
        return taken, shown


def shared(count):
    return balance.shared_counts(multiprocessing.get_context("spawn"), count)


def test_connections_are_spread_evenly():
    counts = shared(3)
    taken, shown = asyncio.run(accepted(counts, 12, (0, 1, 2)))
    assert taken == {0: 4, 1: 4, 2: 4}
    assert shown == [4, 4, 4]
    assert min(counts) > 1_000_000  # all have stopped


def test_process_that_does_not_accept_is_left_out():
    taken, _ = asyncio.run(accepted(shared(2), 5, (1,)))
    assert taken == {1: 5}


def test_process_that_hangs_delays_little(monkeypatch):
    counts, pauses = shared(2), []
    counts[0] = 0  # it says that it has no connections, but takes none
    resume = Acceptor._resume
    monkeypatch.setattr(Acceptor, "_resume", lambda self: (pauses.append(1), resume(self)))
    taken, _ = asyncio.run(accepted(counts, 5, (1,)))
    assert taken == {1: 5}
    assert len(pauses) == 4  # before all but the first


def test_counts_need_shared_memory():
    class Context:
        def RawArray(self, kind, count):  # noqa: N802  # multiprocessing's name
            raise FileNotFoundError

    assert balance.shared_counts(Context(), 2) is None
    balance.mark_closed(None, 0)


def test_failure_to_accept_pauses():
    failures = []

    class Full:
        """A socket whose process has no file descriptor left at first."""

        def __init__(self, listening):
            self.fileno, self._accept = listening.fileno, listening.accept

        def accept(self):
            if len(failures) < 3:
                failures.append(1)
                raise OSError(errno.EMFILE, "Too many open files")
            return self._accept()

    async def serve():
        counts, made = shared(1), asyncio.Event()
        with contextlib.closing(server.open_socket("127.0.0.1", 0)) as listening:
            listening.setblocking(False)
            acceptor = Acceptor(counts, 0)
            acceptor.start(Full(listening), lambda: (made.set(), asyncio.Protocol())[1])
            began = time.monotonic()
            with socket.create_connection(listening.getsockname()):
                await asyncio.wait_for(made.wait(), 10)
            await acceptor.stop()
        return time.monotonic() - began

    assert asyncio.run(serve()) >= balance.PAUSE  # instead of trying without end
