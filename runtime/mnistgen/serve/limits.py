"""A bounded queue before the threads that draw, a deadline for each request, and a limit on long responses."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from mnistgen.errors import MnistgenError

T = TypeVar("T")


class BusyError(MnistgenError):
    """The server cannot answer now; a later attempt may succeed."""


_PATIENCE = 1.0
"""Seconds for which a part of a long response lets other requests pass."""
_PAUSE = 0.01
"""Seconds between two looks for a free thread."""


class Gate:
    """Threads that draw, and the queue of requests that wait for them.

    Args:
        threads: Number of threads.
        queue: Number of requests that may wait.
        deadline: Seconds that a request may wait and run.
    """

    def __init__(self, threads: int, queue: int, deadline: float):
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="mnistgen-serve")
        self.threads = threads
        self._most = threads + queue
        self._deadline = deadline
        self.pending = 0
        """Requests that wait or run."""

    def submit(self, work: Callable[[], T]) -> "Future[T]":
        """Call `work` in a thread; the caller bounds the number of calls."""
        return self._pool.submit(work)

    async def run(self, work: Callable[[], T]) -> T:
        """Call `work` in a thread, and return what it returns.

        A call that is still in the queue at the deadline is dropped. One that runs keeps its thread until it ends.

        Raises:
            BusyError: The queue is full, or the deadline has passed.
        """
        self._count_up()
        call = self.submit(work)
        try:
            return await self._within_deadline(asyncio.wrap_future(call))
        finally:
            self._release(call)

    async def wait(self, result: "asyncio.Future[T]") -> T:
        """Wait for a result that another call sets, as one of the requests in the queue.

        Raises:
            BusyError: As `run`.
        """
        self._count_up()
        timer = asyncio.get_running_loop().call_later(self._deadline, self._expire, result)
        try:
            return await result
        finally:
            timer.cancel()
            self.pending -= 1

    async def run_after_others(self, work: Callable[[], T]) -> T:
        """Call `work` in a thread as `run`, but let other requests pass for up to a second."""
        end = time.monotonic() + _PATIENCE
        while self.pending >= self.threads and time.monotonic() < end:
            await asyncio.sleep(_PAUSE)
        return await self.run(work)

    def close(self) -> None:
        """Drop the queue and wait for the threads."""
        self._pool.shutdown(cancel_futures=True)

    def _count_up(self) -> None:
        if self.pending >= self._most:
            raise BusyError(f"{self.pending} requests are waiting", code="server-busy", remedy="Try again later")
        self.pending += 1

    async def _within_deadline(self, result: "asyncio.Future[T]") -> T:
        try:
            async with asyncio.timeout(self._deadline):
                return await result
        except TimeoutError as error:
            raise self._expired() from error

    def _expire(self, result: "asyncio.Future[Any]") -> None:
        if not result.done():
            result.set_exception(self._expired())

    def _expired(self) -> BusyError:
        return BusyError(
            f"The request took longer than {self._deadline:g} seconds",
            code="deadline-exceeded",
            remedy="Request fewer digits, or try again later",
        )

    def _release(self, call: "Future[Any]") -> None:
        """Count a call as finished, now or when its thread ends."""
        if call.done():
            self._count_down()
            return
        loop = asyncio.get_running_loop()

        def finish(_: "Future[Any]") -> None:
            if not loop.is_closed():  # it is closed if a thread ends after the server
                loop.call_soon_threadsafe(self._count_down)

        call.add_done_callback(finish)

    def _count_down(self) -> None:
        self.pending -= 1


class Streams:
    """The long responses that are being sent.

    Args:
        most: Maximum number at a time.
    """

    def __init__(self, most: int):
        self._most = most
        self.count = 0
        """Responses that are being sent."""

    def check(self) -> None:
        """Raise BusyError if there are too many for another."""
        if self.count >= self._most:
            raise BusyError(f"{self.count} datasets are being sent", code="server-busy", remedy="Try again later")

    @contextmanager
    def open(self) -> Iterator[None]:
        """Count one until it ends."""
        self.count += 1
        try:
            yield
        finally:
            self.count -= 1
