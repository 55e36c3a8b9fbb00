"""The benchmark command: `python -m export.benchmark`."""

from importlib.metadata import version

import click
import numpy as np

from export.benchmark.memory import print_memory
from export.benchmark.runtimes import ARTIFACTS, RUNTIMES
from export.benchmark.startup import print_startup
from export.benchmark.workers import SGEMM_SIZE, Result, measure
from export.graphs.models import GRAPHS, SHIPPED
from mnistgen.inference.cpu import processor, usable_cores
from mnistgen.manifest import Manifest


@click.command()
@click.option(
    "--runtime",
    "runtimes",
    multiple=True,
    type=click.Choice(list(RUNTIMES)),
    metavar="NAME",
    help="Runtime to compare; repeatable.",
)
@click.option("--model", "models", multiple=True, type=click.Choice(list(GRAPHS)), help="Model to run; repeatable.")
@click.option(
    "--batch", "batches", multiple=True, type=click.IntRange(1), help="Batch size; repeatable.  [default: 1 and 256]"
)
@click.option("--rounds", type=click.IntRange(1), default=9, show_default=True, help="Turns of each runtime.")
@click.option("--start-up", is_flag=True, help="Measure the run time of mnistgen-run for one digit instead.")
@click.option("--stream", type=click.IntRange(1), help="Measure the memory for a stream of this many images instead.")
def main(
    runtimes: tuple[str, ...],
    models: tuple[str, ...],
    batches: tuple[int, ...],
    rounds: int,
    start_up: bool,
    stream: int | None,
) -> None:
    """Compare mnistgen with other runtimes on the same weights and latents.

    Prints a Markdown table for each model and batch size: medians, ratios, and the share of the machine's peak, which
    is the speed of a large float32 matrix product. Runtimes that are not installed are left out. Install them with
    pip install openvino nncf ncnn pnnx litert-torch.

    \b
    Examples:
      python -m export.benchmark > bench.md
      python -m export.benchmark --model cgan --batch 64 --runtime "PyTorch eager"
      python -m export.benchmark --start-up --rounds 25
      python -m export.benchmark --stream 1000000 --model vae
    """
    versions = ", ".join(f"{name} {version(name)}" for name in ("onnxruntime", "torch"))
    click.echo(f"{processor()}, {usable_cores()} cores, medians of {rounds} rounds; {versions}")
    if start_up:
        print_startup(rounds)
        return
    if stream:
        print_memory(dict.fromkeys(models) or SHIPPED, stream)
        return
    names = list(dict.fromkeys(["mnistgen", *(runtimes or RUNTIMES)]))  # ratios are relative to mnistgen
    for model in dict.fromkeys(models) or GRAPHS:
        for batch in dict.fromkeys(batches) or (1, 256):
            print_table(model, batch, measure(model, batch, names, rounds))


def print_table(model: str, batch: int, results: list[Result]) -> None:
    """Print a Markdown table of `results`: mnistgen first, the matrix product last."""
    *runtimes, sgemm = results
    ours = runtimes[0]
    peak = 2 * SGEMM_SIZE**3 / sgemm.median  # FLOP/s
    flops = Manifest(ARTIFACTS).model(model).flops * batch
    click.echo(f"\n{model}, batch {batch} (peak {peak / 1e9:.0f} GFLOP/s)\n")
    click.echo("| runtime | µs per image | times mnistgen | share of peak | largest difference |")
    click.echo("| --- | --- | --- | --- | --- |")
    for each in runtimes:
        difference = np.abs(each.images - ours.images).max()
        click.echo(
            f"| {each.name} | {each.median / batch * 1e6:.0f} | {each.median / ours.median:.2f} "
            f"| {flops / each.median / peak:.0%} | {difference:.0e} |"
        )
