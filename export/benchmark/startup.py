"""Measure how long `mnistgen-run` takes for one digit."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click


def print_startup(rounds: int) -> None:
    """Print the median run time of `mnistgen-run`, and of a Python process that only imports ONNX Runtime."""
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
    medians = {name: statistics.median(taken[1:]) for name, taken in seconds.items()}  # the first run compiles
    for name, median in medians.items():
        click.echo(f"{name}: {median * 1e3:.0f} ms, {median / medians['import onnxruntime']:.2f}")
