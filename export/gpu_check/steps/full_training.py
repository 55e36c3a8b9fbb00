"""Step "cgan": a full training of the tuned CGAN, if it fits into the time left."""

import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from export.gpu_check.context import ROOT, Context, SkippedError
from export.gpu_check.steps.training import tuned_cgan_rate
from training import cgan

FILES = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
IMAGES = 60_000
MARGIN = 1.3
"""Factor on the time that is expected, for the start and for what an epoch does besides its steps."""


def train_cgan(context: Context) -> None:
    """Train the tuned CGAN; the folder `out`/cgan, or cgan-2 and so on, keeps its weights, metrics and samples.

    `python -m export.quality` computes their certificate later, on any machine.

    Raises:
        SkippedError: There is no GPU or no MNIST, or the training does not fit into the time left.
        RuntimeError: The training fails.
    """
    context.require_device()
    raw = context.data / "MNIST" / "raw"
    if missing := [name for name in FILES if not list(raw.glob(f"{name}-ubyte*"))]:
        raise SkippedError(f"{raw} lacks {', '.join(missing)}")
    config = cgan.TunedConfig()
    images = 32 if context.tiny else config.epochs * IMAGES
    rate = tuned_cgan_rate(context)
    expected = MARGIN * images / rate
    context.emit(images_per_s=rate, expected_s=expected, time_left_s=context.seconds)
    if expected > context.seconds and not context.tiny:
        raise SkippedError(f"a full training takes about {expected:.0f} s; {context.seconds:.0f} s are left")
    out = next(folder for folder in _folders(context.out) if not folder.exists())  # a training is never overwritten
    command = [sys.executable, "-m", "training.cgan", "--recipe", "tuned", "--device", context.device]
    command += ["--data", str(context.data), "--out", str(out)]
    if context.tiny:
        command += ["--limit", "32", "--epochs", "1", "--batch-size", "16"]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["it gives no reason"])[-1])
    last = (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1]
    context.emit(folder=out.name, **json.loads(last))


def _folders(out: Path) -> Iterator[Path]:
    return (out / (f"cgan-{number}" if number > 1 else "cgan") for number in count(1))
