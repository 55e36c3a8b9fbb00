"""What engines report while they make shards."""

from collections import Counter
from typing import NamedTuple

from mnistgen.dataset.shards.job import Answer, raised
from mnistgen.dataset.shards.making import Record
from mnistgen.errors import DeviceError

MOST_LOSSES = 3
"""How often the worker of one shard may die before the command fails."""


class Event(NamedTuple):
    """A shard is made, or its worker died and another one will make it."""

    k: int
    record: Record | None
    """None if the worker died."""


class Losses:
    """Counts how often the workers of each shard died."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, k: int, reason: str) -> Event:
        """Return the event of a worker's death; raise DeviceError if the shard has lost too many."""
        self._counts[k] += 1
        if self._counts[k] > MOST_LOSSES:
            raise DeviceError(
                f"Shard {k} has lost {self._counts[k]} workers ({reason})",
                code="worker-lost",
                remedy="Check the memory of the workers, use fewer of them or more shards, and repeat the command",
            )
        return Event(k, None)


def made(k: int, answer: Answer) -> Event:
    """Return the event of an answer; raise the error that it holds."""
    if "error" in answer:
        raise raised(answer["error"])
    return Event(k, answer["record"])
