"""One server, or several processes that share a socket: Python code runs on one core per process."""

import contextlib
import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

from mnistgen.errors import MnistgenError
from mnistgen.manifest import Manifest
from mnistgen.serve.app import build
from mnistgen.serve.balance import Acceptor, Counts, mark_closed, shared_counts
from mnistgen.serve.server import run
from mnistgen.serve.service import Service
from mnistgen.serve.settings import Settings

_PAUSE = 1.0
"""Seconds between the end of a process and the start of the next one in its place."""
_spawn = multiprocessing.get_context("spawn")  # a fork would copy ONNX Runtime's threads in an unknown state


class WorkerError(MnistgenError):
    """A process of the server ended before it was ready."""


@dataclass(frozen=True)
class Plan:
    """What each process serves."""

    artifacts: Path
    names: tuple[str, ...]
    settings: Settings


def serve(plan: Plan, listening: socket.socket, announce: Callable[[], None], acceptor: Acceptor | None = None) -> None:
    """Load the models, call `announce`, and answer until SIGTERM or Ctrl-C."""
    service = Service(Manifest(plan.artifacts), plan.names, plan.settings)
    service.warm_up()
    announce()
    run(build(service, plan.artifacts), listening, acceptor)
    service.close()


def supervise(plan: Plan, listening: socket.socket, count: int, announce: Callable[[], None]) -> None:
    """Serve with `count` processes until SIGTERM or Ctrl-C; call `announce` when all are ready.

    A process that ends is replaced.

    Raises:
        WorkerError: A process ended before it was ready.
    """
    with _stop_signal() as stop, contextlib.closing(listening):
        counts = shared_counts(_spawn, count)
        workers = [_Worker(plan, listening, counts, number) for number in range(count)]
        try:
            for worker in workers:
                worker.wait_until_ready(stop)
            if not stop.poll():
                announce()
            while not stop.poll():
                ended = connection.wait([stop, *(worker.sentinel for worker in workers)])
                if stop not in ended:
                    workers = [worker.replaced(stop) if worker.sentinel in ended else worker for worker in workers]
        finally:
            listening.close()  # first, so that the last process to stop takes all connections from the queue
            for worker in workers:
                worker.terminate()
            for worker in workers:
                worker.join()


class _Worker:
    """A process that serves."""

    def __init__(self, plan: Plan, listening: socket.socket, counts: Counts | None, number: int):
        self._plan, self._listening, self._counts, self._number = plan, listening, counts, number
        self._ready, ready = _spawn.Pipe(duplex=False)
        arguments = (plan, listening, ready, counts, number)
        self._process: SpawnProcess = _spawn.Process(target=_work, args=arguments)
        self._process.start()
        ready.close()  # this end belongs to the process

    @property
    def sentinel(self) -> int:
        """Becomes readable when the process ends."""
        return self._process.sentinel

    def wait_until_ready(self, stop: Connection) -> None:
        """Wait until it answers, or until `stop` is readable; raise WorkerError if it ends before."""
        if self._ready not in connection.wait([self._ready, stop]):
            return
        try:
            self._ready.recv()
        except EOFError as error:
            self._process.join()
            raise WorkerError(
                f"A process of the server ended with status {self._process.exitcode} before it was ready",
                code="server-not-ready",
                remedy="Its message is above; fewer --workers need less memory",
            ) from error

    def replaced(self, stop: Connection) -> "_Worker":
        """Return a new process in place of this one, which has ended."""
        self._process.join()
        mark_closed(self._counts, self._number)
        stop.poll(_PAUSE)  # a process that fails at once must not use all of the time
        return _Worker(self._plan, self._listening, self._counts, self._number)

    def terminate(self) -> None:
        """Tell it to finish the requests that have begun, and to stop."""
        self._process.terminate()

    def join(self) -> None:
        """Wait for its end."""
        self._process.join()


@contextlib.contextmanager
def _stop_signal() -> Iterator[Connection]:
    """Return a connection that becomes readable at SIGTERM or Ctrl-C."""
    stop, signalled = _spawn.Pipe(duplex=False)
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, lambda *_: signalled.send(None)) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _work(plan: Plan, listening: socket.socket, ready: Connection, counts: Counts | None, number: int) -> None:
    """Serve in a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all processes; the first one stops the others
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    try:
        serve(plan, listening, lambda: ready.send(None), Acceptor(counts, number) if counts is not None else None)
    except MnistgenError as error:
        raise SystemExit(f"mnistgen: {error}") from None


def _stop_with_parent() -> None:
    """Stop when the process that started this one has ended, even by SIGKILL."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
