"""`mnistgen bench`: measure how fast the models are on this machine."""

import json
from dataclasses import asdict

import click

from mnistgen.benchmark import measure
from mnistgen.cli.shared import SETTINGS, artifacts_option, device_option, json_option, manifest
from mnistgen.generator import MOST_THREADS, Generator
from mnistgen.inference.cpu import processor, usable_cores
from mnistgen.inference.session import check_device, version


@click.command(context_settings=SETTINGS, short_help="Measure the models' speed on this machine.")
@click.option("--model", "names", multiple=True, help="Model to measure; repeatable.  [default: all]")
@click.option(
    "--batch",
    "batches",
    multiple=True,
    type=click.IntRange(1, 100_000),
    help="Batch size; repeatable.  [default: 1 and 256]",
)
@click.option("--threads", type=click.IntRange(1, MOST_THREADS), help="Threads on a CPU.  [default: all usable cores]")
@artifacts_option
@device_option
@click.option(
    "--seconds", type=click.FloatRange(0, 600), default=2.0, show_default=True, help="Time for each measurement."
)
@json_option
def command(
    names: tuple[str, ...],
    batches: tuple[int, ...],
    threads: int | None,
    device: str,
    seconds: float,
    as_json: bool,
) -> None:
    """Measure images per second and the time per request of each model on this machine.

    \b
    Examples:
      mnistgen bench
      mnistgen bench --model cgan --batch 1 --batch 64 --threads 1 --json
    """
    check_device(device)
    listed = manifest()
    generators = [Generator(listed, name, device, threads) for name in dict.fromkeys(names) or listed.models]
    setup = {
        "processor": processor(),
        "provider": generators[0].provider,
        "threads": threads or usable_cores(),
        "onnxruntime": version(),
    }
    timings = []
    if not as_json:
        click.echo("{processor}, {provider}, {threads} threads, ONNX Runtime {onnxruntime}".format(**setup))
        click.echo("model      batch  images/s     p50 ms      p95 ms")
    for generator in generators:
        for batch in dict.fromkeys(batches) or (1, 256):
            timings.append(asdict(measure(generator, batch, seconds)))
            if not as_json:
                row = "{model:<9} {batch:>6} {images_per_second:>9,.0f} {p50_ms:>10.2f} {p95_ms:>11.2f}"
                click.echo(row.format(**timings[-1]))
    if as_json:
        click.echo(json.dumps({**setup, "timings": timings}))
