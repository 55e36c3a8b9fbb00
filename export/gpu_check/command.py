"""The command: `python -m export.gpu_check`."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click
import torch

from export.gpu_check import results
from export.gpu_check.results import OK, SKIPPED, Result
from export.gpu_check.runner import LIMITS, exit_on_signals, run_steps
from mnistgen.inference.cpu import processor, usable_cores

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.option("--out", type=_FOLDER, default="gpu-check", show_default=True, help="Folder for the results.")
@click.option("--data", type=_FOLDER, default="data", show_default=True, help="Folder of MNIST.")
@click.option(
    "--device",
    type=click.Choice(["cuda", "cpu"]),
    default="cuda",
    show_default=True,
    help="Device to check; cpu tries the code of the steps with tiny sizes.",
)
@click.option(
    "--step", "steps", multiple=True, type=click.Choice(list(LIMITS)), help="Step to run; repeatable.  [default: all]"
)
@click.option(
    "--minutes", type=click.FloatRange(0, min_open=True), default=7.75, show_default=True, help="Time for all steps."
)
@click.option("--require-gpu", is_flag=True, help="Exit with code 1 if a step is skipped.")
def main(out: Path, data: Path, device: str, steps: tuple[str, ...], minutes: float, require_gpu: bool) -> None:
    """Check digits, speed and training on a GPU.

    Each step runs in a process of its own with a time limit. Its result is written at once to results.json and
    results.md in the folder --out. Without a GPU, the steps are skipped and the exit code is 0. It is 1 if a step
    fails, 130 after Ctrl-C, and 143 after SIGTERM.

    \b
    Examples:
      python -m export.gpu_check
      python -m export.gpu_check --step digits --require-gpu
      python -m export.gpu_check --device cpu --out try
    """
    out = out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    setting, done = describe(device), []

    def add(result: Result) -> None:
        done.append(result)
        results.write(out, done, setting)
        click.echo(f"{result.step:<9} {result}")

    exit_on_signals()
    if device == "cpu":
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny batches gain nothing from threads
    settings = {"device": device, "tiny": device == "cpu", "out": str(out), "data": str(data.resolve())}
    try:
        run_steps(list(dict.fromkeys(steps)) or list(LIMITS), settings, out, 60 * minutes, add)
    except KeyboardInterrupt:
        click.echo(f"Interrupted. {out} holds the results so far.", err=True)
        sys.exit(130)
    counts = ", ".join(
        f"{n} {status}"
        for status in dict.fromkeys(each.status for each in done)
        if (n := sum(each.status == status for each in done))
    )
    click.echo(f"{len(done)} steps: {counts}. {out / 'results.md'} has the details.")
    accepted = (OK,) if require_gpu else (OK, SKIPPED)
    sys.exit(int(any(each.status not in accepted for each in done)))


def describe(device: str) -> dict[str, str]:
    """Return the hardware and the versions that the figures belong to."""
    found = torch.cuda.is_available()
    return {
        "device": "cpu, with tiny sizes: the figures mean nothing" if device == "cpu" else device,
        "GPU": torch.cuda.get_device_name() if found else "none",
        "compute capability": ".".join(map(str, torch.cuda.get_device_capability())) if found else "none",
        "CPU": f"{processor()}, {usable_cores()} cores",
        "Python": platform.python_version(),
        "PyTorch": f"{torch.__version__}, CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}",
        "ONNX Runtime": _installed("onnxruntime-gpu", "onnxruntime"),
    }


def _installed(*names: str) -> str:
    for name in names:
        try:
            return f"{name} {version(name)}"
        except PackageNotFoundError:
            continue
    return "missing"
