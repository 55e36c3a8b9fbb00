"""Single digits that wait at the same time are drawn in one run of the model; none waits for others to come."""

from collections import defaultdict, deque
from concurrent.futures import Future
from functools import partial
from typing import NamedTuple

from mnistgen.generator import Generator
from mnistgen.pictures import draw_each
from mnistgen.serve.cache import Body
from mnistgen.serve.drawing import Drawing
from mnistgen.serve.limits import Gate

MOST = 8
"""Maximum digits in one run: more take longer to answer and save little."""


class _Waiting(NamedTuple):
    drawing: Drawing
    body: "Future[Body]"


class Batches:
    """The digits that wait for a thread, by model.

    Args:
        gate: The threads.
    """

    def __init__(self, gate: Gate):
        self._gate = gate
        self._waiting: defaultdict[str, deque[_Waiting]] = defaultdict(deque)

    async def encoded(self, generator: Generator, drawing: Drawing) -> Body:
        """Return the encoded picture of a single digit.

        Raises:
            BusyError: The queue is full, or the deadline has passed.
        """
        body: Future[Body] = Future()
        waiting = self._waiting[generator.model.name]
        waiting.append(_Waiting(drawing, body))
        try:
            return await self._gate.run(partial(self._draw, generator, waiting), body)
        finally:
            body.cancel()  # drop it from the queue if it was refused; without effect once it runs

    def _draw(self, generator: Generator, waiting: deque[_Waiting]) -> None:
        """Draw and encode this thread's share of the waiting digits; there may be none left."""
        taken = _take(waiting, min(MOST, -(-len(waiting) // self._gate.workers)))
        if not taken:
            return
        try:
            images = draw_each(generator, [each.drawing.request(generator.model) for each in taken])
        except Exception as error:  # for the clients that wait; their routes report it
            for each in taken:
                each.body.set_exception(error)
            return
        for (drawing, body), image in zip(taken, images, strict=True):
            try:
                body.set_result(drawing.encode(image))
            except Exception as error:
                body.set_exception(error)


def _take(waiting: deque[_Waiting], most: int) -> list[_Waiting]:
    """Remove up to `most` digits whose clients still wait."""
    taken: list[_Waiting] = []
    while len(taken) < most:
        try:
            each = waiting.popleft()  # other threads take from it, too
        except IndexError:
            break
        if each.body.set_running_or_notify_cancel():
            taken.append(each)
    return taken
