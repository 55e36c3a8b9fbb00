"""Measure the memory of a process that generates a stream of images."""

import subprocess
import sys
from collections.abc import Iterable

import click

_STREAM = """
import mnistgen
for block in mnistgen.load({model!r}, device="cpu").stream({images}):
    pass
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])  # KiB
"""


def print_memory(models: Iterable[str], images: int) -> None:
    """Print the peak resident memory, as reported by Linux, of a process that only generates `images` images."""
    for model in models:
        script = _STREAM.format(model=model, images=images)
        done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
        click.echo(f"{model}, {images:,} images: {int(done.stdout) / 1024:.0f} MiB")
