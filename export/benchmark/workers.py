"""Time runtimes in turns, each in its own process.

All other runtimes wait while one is timed. They take turns, so that drift of the machine's speed affects all alike.
"""

import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection

import click
import numpy as np
import torch
from tqdm import tqdm

from export.benchmark.runtimes import RUNTIMES, Inputs
from export.graphs.convert import example_inputs
from export.graphs.models import GRAPHS
from mnistgen.inference.cpu import usable_cores

SGEMM = "sgemm"
"""Name of the worker that multiplies two square float32 matrices, to measure the machine's peak."""
SGEMM_SIZE = 2048
"""Rows and columns of these matrices."""
PAUSE = 0.1
"""Seconds before each turn, in which the threads of the previous runtime stop spinning."""
TURN = 0.3
"""Minimum seconds of a turn."""
SHOWN = 4
"""Number of images from each runtime that are compared."""


@dataclass(frozen=True)
class Result:
    """The measurements of one runtime."""

    name: str
    seconds: list[float]
    """Seconds per batch, by round."""
    images: np.ndarray
    """The first images, (SHOWN, 1, 28, 28)."""

    @property
    def median(self) -> float:
        """Return the median of the seconds per batch."""
        return statistics.median(self.seconds)


def measure(model: str, batch: int, names: list[str], rounds: int) -> list[Result]:
    """Return the results of the runtimes `names` that are available, and of the matrix product last."""
    inputs = example_inputs(GRAPHS[model], batch)
    workers = [Worker(name, model, inputs) for name in tqdm([*names, SGEMM], desc=f"{model}, batch {batch}: prepare")]
    ready = [worker for worker in workers if worker.images is not None]
    for _ in tqdm(range(rounds), desc=f"{model}, batch {batch}: measure", unit=" rounds"):
        for worker in ready:
            worker.take_turn()
    for worker in workers:
        worker.process.kill()
    return [Result(worker.name, worker.seconds, worker.images) for worker in ready]


class Worker:
    """A runtime in its own process."""

    def __init__(self, name: str, model: str, inputs: Inputs):
        context = multiprocessing.get_context("spawn")
        self.name = name
        self.seconds: list[float] = []
        self._pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, name, model, inputs), daemon=True)
        self.process.start()
        theirs.close()
        self.images = self._receive_images()

    def _receive_images(self) -> np.ndarray | None:
        try:
            answer = self._pipe.recv()
        except EOFError:
            answer = "its process ended"
        if isinstance(answer, str):
            click.echo(f"{self.name} is left out: {answer}", err=True)
            return None
        return answer

    def take_turn(self) -> None:
        """Run batches for at least TURN seconds and record the seconds per batch."""
        time.sleep(PAUSE)
        self._pipe.send(TURN)
        self.seconds.append(self._pipe.recv())


def _work(pipe: Connection, name: str, model: str, inputs: Inputs) -> None:
    """Run the worker's process: prepare the runtime, send the first images, then answer each turn."""
    null = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):  # some converters print a lot
        os.dup2(null, descriptor)
    try:
        run = _sgemm() if name == SGEMM else RUNTIMES[name](model, inputs, usable_cores())
        images = np.array(run()[:SHOWN])
    except Exception as error:  # other runtimes may raise anything
        pipe.send(f"{type(error).__name__}: {error}".splitlines()[0][:200])
        return
    pipe.send(images)
    while True:
        minimum = pipe.recv()
        run()  # after the pause, caches are cold and the processor is slow
        started, batches = time.perf_counter(), 0
        while (elapsed := time.perf_counter() - started) < minimum:
            run()
            batches += 1
        pipe.send(elapsed / batches)


def _sgemm() -> Callable[[], np.ndarray]:
    a, b = torch.rand(2, SGEMM_SIZE, SGEMM_SIZE)
    return lambda: (a @ b).numpy()
