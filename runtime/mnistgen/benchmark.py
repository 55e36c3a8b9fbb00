"""How fast a generator draws on this machine."""

import statistics
import time
from dataclasses import dataclass

from mnistgen.generator import Generator


@dataclass(frozen=True)
class Timing:
    """How long it takes to draw some images at once."""

    model: str
    batch: int
    """Images asked for at once."""
    median_ms: float
    """Of a request, in milliseconds."""
    slowest_ms: float
    """That one of twenty requests exceeds."""
    images_per_second: float
    """At the median."""


def measure(generator: Generator, batch: int, seconds: float) -> Timing:
    """Draw `batch` images again and again for as many `seconds`, and at least three times, after two to warm up."""
    for _ in range(2):
        generator.generate(batch)
    taken: list[float] = []
    begun = time.perf_counter()
    while len(taken) < 3 or time.perf_counter() - begun < seconds:
        started = time.perf_counter()
        generator.generate(batch, seed=len(taken))
        taken.append(time.perf_counter() - started)
    median = statistics.median(taken)
    slowest = statistics.quantiles(taken, n=20, method="inclusive")[-1]
    return Timing(generator.model.name, batch, median * 1e3, slowest * 1e3, batch / median)
