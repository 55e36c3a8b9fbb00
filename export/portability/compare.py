"""Run the models in a runtime and compare the results with ONNX Runtime's."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.portability.runtimes import Runtime
from mnistgen.generator import Generator
from mnistgen.latents import one_hot
from mnistgen.manifest import Manifest
from mnistgen.verify import Verifier

SIZES = (*[1] * 17, *[2] * 13, *[17] * 5)
"""Images of each batch, 128 in all."""
SEED = 0
Inputs = dict[str, NDArray[np.float32]]
Batches = list[tuple[Inputs, NDArray[np.float32]]]
"""Inputs of a model and the output of ONNX Runtime on this machine."""


@dataclass(frozen=True)
class Outcome:
    """What became of a model in a runtime."""

    difference: float | None = None
    """Largest difference: in grey levels for images, in probabilities for the verifier."""
    differing: float | None = None
    """Share of the pixels that differ; for the verifier, of the images that are read as another digit."""
    fault: str | None = None
    """Why there is no result."""


def batches_of(manifest: Manifest, name: str) -> Batches:
    """Return the batches of a model, or of the "verifier", which reads the CGAN's images."""
    return list(_verifier_batches(manifest) if name == "verifier" else _model_batches(manifest, name))


def _model_batches(manifest: Manifest, name: str) -> Iterator[tuple[Inputs, NDArray[np.float32]]]:
    generator, start = Generator(manifest, name, "cpu", 1), 0
    for n in SIZES:
        inputs: Inputs = {"z": generator.latents(n, seed=SEED, start=start)}
        if generator.model.classes:
            inputs["label"] = one_hot(np.arange(start, start + n) % generator.model.classes, generator.model.classes)
        yield inputs, generator.decode(inputs["z"], inputs.get("label"))[:, None]
        start += n


def _verifier_batches(manifest: Manifest) -> Iterator[tuple[Inputs, NDArray[np.float32]]]:
    verifier = Verifier(manifest)
    for _, images in _model_batches(manifest, "cgan"):
        levels = np.rint(images[:, 0] * 255).astype(np.uint8)  # (n, 28, 28)
        yield {"image": levels[:, None].astype(np.float32) / 255}, verifier.read(levels)


def compare(runtime: Runtime, python: Path, model: Path, batches: Batches, seconds: float) -> Outcome:
    """Run a model in a runtime, in a process of its own, and compare.

    Args:
        runtime: The runtime.
        python: Python of its environment.
        model: The ONNX file.
        batches: Its inputs and expected outputs.
        seconds: Time limit.
    """
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder) / "inputs.npz", Path(folder) / "outputs.npz"
        arrays = {f"{i}.{name}": value for i, (inputs, _) in enumerate(batches) for name, value in inputs.items()}
        np.savez(given, **arrays)  # type: ignore[arg-type]  # mypy takes the names for options
        worker = Path(__file__).with_name("adapters.py")
        fault = _run([str(python), str(worker), runtime.adapter, str(model), str(given), str(found)], folder, seconds)
        if fault:
            return Outcome(fault=fault)
        with np.load(found) as outputs:
            results = [outputs[str(i)] for i in range(len(batches))]
    return judge([expected for _, expected in batches], results)


def _run(command: list[str], folder: str, seconds: float) -> str | None:
    """Run a command and its children; return the last line of its errors if it fails."""
    path = f"{Path(command[0]).parent}{os.pathsep}{os.environ['PATH']}"
    with subprocess.Popen(
        command, cwd=folder, env={**os.environ, "PATH": path}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace",
    ) as process:  # fmt: skip
        try:
            _, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return f"no result after {seconds:g} seconds"
    if process.returncode == 0:
        return None
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    return (lines[-1] if lines else f"it ended with code {process.returncode}")[:300]


def judge(expected: list[NDArray[np.float32]], found: list[NDArray[np.float32]]) -> Outcome:
    """Compare outputs batch by batch."""
    largest, differing, count = 0.0, 0, 0
    for wanted, given in zip(expected, found, strict=True):
        if given.size != wanted.size or not np.isfinite(given).all():
            return Outcome(fault=f"the output has the shape {given.shape} or is not finite; expected {wanted.shape}")
        given = given.reshape(wanted.shape)
        if wanted.ndim == 4:  # (n, 1, 28, 28)
            off = np.abs(np.rint(given * 255.0) - np.rint(wanted * 255.0))
            largest, differing, count = (
                max(largest, float(off.max())),
                differing + int((off > 0).sum()),
                count + off.size,
            )
        else:  # (n, 10)
            largest = max(largest, float(np.abs(given - wanted).max()))
            differing, count = differing + int((given.argmax(1) != wanted.argmax(1)).sum()), count + len(wanted)
    return Outcome(largest, differing / count)
