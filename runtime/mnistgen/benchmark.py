"""Measure how fast a generator is on this machine."""

import statistics
import time
from dataclasses import dataclass

from mnistgen.generator import Generator


@dataclass(frozen=True)
class Timing:
    """The speed of one model at one batch size."""

    model: str
    batch: int
    """Images per request."""
    p50_ms: float
    """Median time of a request, in milliseconds."""
    p95_ms: float
    """95th percentile of the time of a request, in milliseconds."""
    images_per_second: float
    """At the median time."""


def measure(generator: Generator, batch: int, seconds: float) -> Timing:
    """Generate `batch` images repeatedly for `seconds` seconds, at least three times, after two warm-up requests."""
    for _ in range(2):
        generator.generate(batch)
    times: list[float] = []
    begun = time.perf_counter()
    while len(times) < 3 or time.perf_counter() - begun < seconds:
        started = time.perf_counter()
        generator.generate(batch, seed=len(times))
        times.append(time.perf_counter() - started)
    median = statistics.median(times)
    p95 = statistics.quantiles(times, n=20, method="inclusive")[-1]
    return Timing(generator.model.name, batch, median * 1e3, p95 * 1e3, batch / median)
