"""How fast the models run here, and how fast other runtimes run them: `python -m export.benchmark --peers`.

Each runtime is alone in a process of its own and waits while another is measured; they take turns, so that a machine
whose speed drifts treats all alike.
"""

import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path

import click
import numpy as np
import torch
from tqdm import tqdm

from export.benchmark.runtimes import ARTIFACTS, OURS, PEERS, Draw, Inputs
from export.graphs.convert import example_inputs
from export.graphs.models import GRAPHS, SHIPPED
from mnistgen.inference.cpu import processor, usable_cores
from mnistgen.manifest import Manifest

SGEMM = 2048
"""Rows and columns of the matrices whose product tells the machine's peak."""
PAUSE = 0.1
"""Seconds before each turn, in which threads of the runtime before stop to spin."""
TURN = 0.3
"""Seconds that a turn lasts at least."""
SHOWN = 4
"""Images that each runtime shows, to see that it draws the same."""


@dataclass(frozen=True)
class Result:
    """What one runtime did."""

    name: str
    seconds: list[float]
    """Of a batch, by round."""
    images: np.ndarray
    """Its first, (SHOWN, 1, 28, 28)."""

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


@click.command()
@click.option("--peers", is_flag=True, help="Measure other runtimes, too, as far as they are installed.")
@click.option("--model", "models", multiple=True, type=click.Choice(list(GRAPHS)), help="Only this one; repeatable.")
@click.option("--batch", "batches", multiple=True, type=click.IntRange(1), help="Repeatable.  [default: 1 and 256]")
@click.option("--rounds", type=click.IntRange(1), default=9, show_default=True, help="Turns of each runtime.")
@click.option("--start-up", is_flag=True, help="Measure instead how long the command takes for a digit.")
@click.option(
    "--stream", type=click.IntRange(1), help="Measure instead the memory that it takes to stream so many images."
)
def main(
    peers: bool, models: tuple[str, ...], batches: tuple[int, ...], rounds: int, start_up: bool, stream: int | None
) -> None:
    """Time mnistgen and the naive export in ONNX Runtime, and with --peers others, on the same weights and latents.

    Prints a Markdown table for each model and batch: medians, ratios, and the share of the peak that a product of
    large float32 matrices reaches here. Others are installed with: pip install openvino ncnn pnnx litert-torch

    \b
    Examples:
      python -m export.benchmark --model cgan --batch 64
      python -m export.benchmark --peers > bench.md
      python -m export.benchmark --start-up --rounds 25
      python -m export.benchmark --stream 1000000 --model vae
    """
    click.echo(f"{processor()}, {usable_cores()} cores, medians of {rounds} rounds; {_versions()}")
    if start_up:
        _print_start_up(rounds)
        return
    if stream:
        _print_memory(dict.fromkeys(models) or SHIPPED, stream)
        return
    for model in dict.fromkeys(models) or GRAPHS:
        for batch in dict.fromkeys(batches) or (1, 256):
            names = PEERS if peers else OURS
            _print_table(model, batch, measure(model, batch, list(names), rounds))


def measure(model: str, batch: int, names: list[str], rounds: int) -> list[Result]:
    """What each runtime of `names` that can be prepared did, the product of matrices last."""
    inputs = example_inputs(GRAPHS[model], batch)
    workers = [Worker(name, model, inputs) for name in tqdm([*names, "sgemm"], desc=f"{model}, batch {batch}: prepare")]
    ready = [worker for worker in workers if worker.images is not None]
    for _ in tqdm(range(rounds), desc=f"{model}, batch {batch}: measure", unit=" rounds"):
        for worker in ready:
            worker.turn()
    for worker in workers:
        worker.process.kill()
    return [Result(worker.name, worker.seconds, worker.images) for worker in ready]


class Worker:
    """A runtime in a process of its own."""

    def __init__(self, name: str, model: str, inputs: Inputs):
        context = multiprocessing.get_context("spawn")
        self.name = name
        self.seconds: list[float] = []
        self._pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, name, model, inputs), daemon=True)
        self.process.start()
        theirs.close()
        self.images = self._prepared()

    def _prepared(self) -> np.ndarray | None:
        try:
            answer = self._pipe.recv()
        except EOFError:
            answer = "its process ended"
        if isinstance(answer, str):
            click.echo(f"{self.name} is left out: {answer}", err=True)
            return None
        return answer

    def turn(self) -> None:
        time.sleep(PAUSE)
        self._pipe.send(TURN)
        self.seconds.append(self._pipe.recv())


def _work(pipe: Connection, name: str, model: str, inputs: Inputs) -> None:
    """The worker's process: prepare, show some images, then draw for as long as is asked, and tell seconds a batch."""
    silence = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):  # some converters are talkative
        os.dup2(silence, descriptor)
    try:
        draw = _sgemm() if name == "sgemm" else PEERS[name](model, inputs, usable_cores())
        images = np.array(draw()[:SHOWN])
    except Exception as error:  # whatever another runtime may raise
        pipe.send(f"{type(error).__name__}: {error}".splitlines()[0][:200])
        return
    pipe.send(images)
    while True:
        least = pipe.recv()
        draw()  # after the pause the caches are cold, and the processor slow
        started, batches = time.perf_counter(), 0
        while (elapsed := time.perf_counter() - started) < least:
            draw()
            batches += 1
        pipe.send(elapsed / batches)


def _sgemm() -> Draw:
    one, other = torch.rand(2, SGEMM, SGEMM)
    return lambda: (one @ other).numpy()


def _print_table(model: str, batch: int, results: list[Result]) -> None:
    *drawn, product = results
    ours = drawn[0]
    peak = 2 * SGEMM**3 / product.median  # FLOP/s
    work = Manifest(ARTIFACTS).model(model).flops * batch
    click.echo(f"\n{model}, batch {batch} (peak {peak / 1e9:.0f} GFLOP/s)\n")
    click.echo("| runtime | µs per image | times mnistgen | share of peak | largest difference |")
    click.echo("| --- | --- | --- | --- | --- |")
    for each in drawn:
        difference = np.abs(each.images - ours.images).max()
        click.echo(
            f"| {each.name} | {each.median / batch * 1e6:.0f} | {each.median / ours.median:.2f} "
            f"| {work / each.median / peak:.0%} | {difference:.0e} |"
        )


def _print_start_up(rounds: int) -> None:
    """A whole `mnistgen-run`, and a Python that does nothing but import ONNX Runtime."""
    python = Path(sys.executable)
    with tempfile.TemporaryDirectory() as folder:
        commands = {
            "import onnxruntime": [python, "-c", "import onnxruntime"],
            "mnistgen-run": [python.with_name("mnistgen-run"), "--model", "cgan", "--digit", "5"],
        }
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        for _ in range(1 + rounds):
            for name, command in commands.items():
                started = time.perf_counter()
                subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
                seconds[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(taken[1:]) for name, taken in seconds.items()}  # the first compiles
    for name, median in medians.items():
        click.echo(f"{name}: {median * 1e3:.0f} ms, {median / medians['import onnxruntime']:.2f}")


def _print_memory(models: Iterable[str], images: int) -> None:
    """The greatest resident memory, which Linux tells, of a Python that does nothing but draw a stream."""
    for model in models:
        drawing = _STREAM.format(model=model, images=images)
        done = subprocess.run([sys.executable, "-c", drawing], check=True, capture_output=True, text=True)
        click.echo(f"{model}, {images:,} images: {int(done.stdout) / 1024:.0f} MiB")


_STREAM = """
import mnistgen
for block in mnistgen.load({model!r}, device="cpu").stream({images}):
    pass
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])  # KiB
"""


def _versions() -> str:
    return ", ".join(f"{name} {version(name)}" for name in ("onnxruntime", "torch"))
