"""Single digits that wait at the same time are drawn in one run of the model; none waits for others to come."""

import asyncio
from collections import defaultdict, deque
from functools import partial
from typing import NamedTuple

from mnistgen.generator import Generator
from mnistgen.pictures import draw_each
from mnistgen.request import Request
from mnistgen.serve.cache import Body
from mnistgen.serve.drawing import Drawing
from mnistgen.serve.limits import Gate

MOST = 8
"""Maximum digits in one run: more take longer to answer and save little."""


class _Waiting(NamedTuple):
    drawing: Drawing
    request: Request
    body: "asyncio.Future[Body]"


class Batches:
    """The digits that wait for a thread, by model.

    Only the event loop changes them. A thread reports all results of a run at once, because each report interrupts
    the loop.

    Args:
        gate: The threads.
    """

    def __init__(self, gate: Gate):
        self._gate = gate
        self._waiting: defaultdict[Generator, deque[_Waiting]] = defaultdict(deque)
        self._runs: defaultdict[Generator, int] = defaultdict(int)

    async def encoded(self, generator: Generator, drawing: Drawing, request: Request) -> Body:
        """Return the encoded picture of a single digit.

        Raises:
            BusyError: The queue is full, or the deadline has passed.
        """
        loop = asyncio.get_running_loop()
        body: asyncio.Future[Body] = loop.create_future()
        self._waiting[generator].append(_Waiting(drawing, request, body))
        loop.call_soon(self._start, generator)  # after the requests that the loop has received together with this one
        try:
            return await self._gate.wait(body)
        finally:
            body.cancel()  # drops it from the queue if it was refused; no effect on a result

    def _start(self, generator: Generator) -> None:
        """Draw a share of the waiting digits in a free thread."""
        free = self._gate.threads - self._runs[generator]
        if not free:
            return
        taken = _take(self._waiting[generator], free)
        if taken:
            self._runs[generator] += 1
            self._gate.submit(partial(self._run, asyncio.get_running_loop(), generator, taken))

    def _run(self, loop: asyncio.AbstractEventLoop, generator: Generator, taken: list[_Waiting]) -> None:
        """Draw in a thread, and report to the loop."""
        loop.call_soon_threadsafe(self._finish, generator, taken, _draw(generator, taken))

    def _finish(self, generator: Generator, taken: list[_Waiting], results: list[Body | Exception]) -> None:
        """Start the next run, and hand over the results of this one."""
        self._runs[generator] -= 1
        self._start(generator)
        for (_, _, body), result in zip(taken, results, strict=True):
            if body.done():  # its client has not waited
                continue
            if isinstance(result, Exception):
                body.set_exception(result)
            else:
                body.set_result(result)


def _take(waiting: deque[_Waiting], threads: int) -> list[_Waiting]:
    """Remove the share of one of `threads`, without digits whose clients no longer wait."""
    most = min(MOST, -(-len(waiting) // threads))
    taken: list[_Waiting] = []
    while waiting and len(taken) < most:
        each = waiting.popleft()
        if not each.body.done():
            taken.append(each)
    return taken


def _draw(generator: Generator, taken: list[_Waiting]) -> list[Body | Exception]:
    """Draw digits in one run and encode each; return exceptions in place of bodies, for the routes to report."""
    try:
        images = draw_each(generator, [each.request for each in taken])
    except Exception as error:
        return [error] * len(taken)
    results: list[Body | Exception] = []
    for each, image in zip(taken, images, strict=True):
        try:
            results.append(each.drawing.encode(image))
        except Exception as error:
            results.append(error)
    return results
