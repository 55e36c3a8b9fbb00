"""Steps "doctor" and "digits": does the GPU draw the CPU's digits?"""

from pathlib import Path

import numpy as np
from PIL import Image

import mnistgen
from export.gpu_check.context import ARTIFACTS, ROOT, Context, SkippedError, first_line
from export.graphs.models import INT8, SHIPPED
from mnistgen import doctor
from mnistgen.errors import DeviceError

PARTS = (1, 2, 61, 448)
"""Numbers of images of which 512 are put together, to show that they do not depend on the batch."""
LEVELS = 1
"""Largest accepted difference in grey levels, from the CPU's digits and the golden pictures.

For int8 models, it bounds the mean: a rounding can change an int8 value, and so a pixel by many levels.
"""


def examine(context: Context) -> None:
    """Run the doctor, and fail if it finds a fault or cannot use the device.

    Raises:
        SkippedError: There is no GPU.
        RuntimeError: The device draws no digits.
    """
    report = doctor.examine(ARTIFACTS)
    for check in report.checks:
        context.emit(check=check.name, level=check.level, found=check.sentence, code=check.code)
    faults = [check.sentence for check in report.checks if check.level == doctor.FAULT]
    if faults:
        raise RuntimeError("; ".join(faults))
    context.require_device()
    if context.device == "cuda" and not any(
        check.name == "gpu" and check.level == doctor.OK for check in report.checks
    ):
        raise RuntimeError("ONNX Runtime does not draw on the GPU; the warnings above say why")


def compare_digits(context: Context) -> None:
    """Compare each model's digits with the CPU's and the golden pictures, and those of batches of several sizes.

    Raises:
        SkippedError: There is no GPU.
        RuntimeError: Digits differ.
    """
    context.require_device()
    wrong = []
    for name in SHIPPED:
        try:
            row = _compare(name, context)
        except DeviceError as error:
            raise RuntimeError(first_line(error)) from error
        context.emit(model=name, **row)
        if not (is_close(name, row) and row["any_batch_equal"] and row["sessions_equal"]):
            wrong.append(name)
    if wrong:
        raise RuntimeError(f"The digits of {', '.join(wrong)} differ; see the table")


def is_close(name: str, row: dict) -> bool:
    """Return whether the differences in `row` are within LEVELS."""
    prefix = "mean_" if name.endswith(INT8) else ""
    return max(row[f"{prefix}from_cpu"], row[f"{prefix}from_golden"]) <= LEVELS


def _compare(name: str, context: Context) -> dict:
    n = 64 if context.tiny else 512
    with (
        mnistgen.load(name, device="cpu", artifacts=ARTIFACTS) as cpu,
        mnistgen.load(name, device=context.runtime_device, artifacts=ARTIFACTS) as tested,
        mnistgen.load(name, device=context.runtime_device, artifacts=ARTIFACTS) as other,
    ):
        expected, drawn = cpu.generate(n, seed=7).astype(int), tested.generate(n, seed=7)
        parts, start = [], 0
        for size in PARTS:
            size = min(size, n - start)
            if size:
                parts.append(tested.generate(size, seed=7, start=start))
            start += size
        apart = np.abs(expected - drawn)
        from_golden = np.abs(_golden(name) - np.concatenate(list(tested.generate(10, seed=0)), axis=1))
        return {
            "provider": tested.provider,
            "from_cpu": int(apart.max()),
            "mean_from_cpu": float(apart.mean()),
            "from_golden": int(from_golden.max()),
            "mean_from_golden": float(from_golden.mean()),
            "any_batch_equal": bool((np.concatenate(parts) == drawn).all()),
            "sessions_equal": bool((other.generate(n, seed=7) == drawn).all()),
        }


def _golden(name: str) -> np.ndarray:
    path: Path = ROOT / "tests" / "golden" / f"{name}.png"
    if not path.exists():
        raise SkippedError(f"{path} is missing; run the check in a checkout")
    with Image.open(path) as image:
        return np.asarray(image).astype(int)
