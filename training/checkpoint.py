"""What a training leaves in its folder: state.pt to resume from, metrics.jsonl, at its end weights.safetensors."""

import io
import json
import os
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save as safetensors_bytes

from training.errors import TrainingError
from training.files import replace_files

if TYPE_CHECKING:
    from training.trainer import Trainer

STATE, METRICS, WEIGHTS = "state.pt", "metrics.jsonl", "weights.safetensors"
FACTS = "mnistgen"
"""Key of the weights file's metadata, JSON, under which it says how the weights came about."""


def make_folder(out: Path) -> None:
    """See that there is a folder `out` to write to, or raise TrainingError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"The folder {out} cannot be made ({error.strerror}): name another with --out.") from error
    if not os.access(out, os.W_OK):
        raise TrainingError(f"The folder {out} cannot be written to: mend that, or name another with --out.")


def write(contents: dict[Path, bytes]) -> None:
    """Put `contents` in the place of these files; raises TrainingError, and changes none, if the disk refuses."""
    try:
        replace_files(contents)
    except OSError as error:
        raise TrainingError(
            f"{next(iter(contents)).parent} cannot be written to ({error.strerror}): mend that, then go on with "
            f"--resume, or start again if no epoch had been finished."
        ) from error


@dataclass(frozen=True)
class Log:
    """What has happened in a training so far."""

    git_revision: str
    """Of the checkout when the training began, "-dirty" added where files had been changed."""
    epochs: list[dict] = field(default_factory=list)
    """The metrics of each finished epoch."""


def save(out: Path, training: "Trainer", log: Log, pictures: dict[str, bytes]) -> None:
    """Write the whole state after the last epoch of `log`, the epochs' metrics, and that epoch's pictures by name."""
    state = {"config": asdict(training.config), "log": asdict(log), **training.state()}
    buffer = io.BytesIO()
    torch.save(state, buffer)
    lines = "".join(json.dumps(metrics) + "\n" for metrics in log.epochs)
    shown = {out / f"{name}-{len(log.epochs):03d}.png": png for name, png in pictures.items()}
    write({**shown, out / METRICS: lines.encode(), out / STATE: buffer.getvalue()})


def load(out: Path) -> dict:
    """The state that `save` left in `out`, read without running code from it.

    Raises TrainingError where there is none, or none that can be read.
    """
    path = out / STATE
    if not path.exists():
        raise TrainingError(
            f"There is no training in {out} to resume: leave --resume out, or name its folder with --out."
        )
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises errors of many kinds for files that are not its own
        raise foreign(out) from error


def foreign(out: Path) -> TrainingError:
    """The error to raise where the state in `out` is not what `save` writes."""
    return TrainingError(
        f"{out / STATE} is damaged or no checkpoint of this version: restore it, or start anew elsewhere with --out."
    )


def save_weights(out: Path, training: "Trainer", log: Log, command: str, machine: str) -> Path:
    """Write the weights that ship, float32, and in the file's metadata how they came about; return the file's path."""
    tensors = {
        f"{name}.{key}": value.float().cpu().contiguous()
        for name in training.ships
        for key, value in training.final(name).state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    config = training.config
    facts = {
        **asdict(config),
        "recipe": "custom" if config.is_custom else config.recipe,
        "command": command,
        "training_data": "MNIST, training set" + (f", first {config.limit} images" if config.limit else ""),
        "device": machine,
        "git_revision": log.git_revision,
        "final_metrics": {name: value for name, value in log.epochs[-1].items() if name != "seconds"},
    }
    # One key: safetensors writes several in random order, and the same weights would not give the same bytes.
    write({out / WEIGHTS: safetensors_bytes(tensors, {FACTS: json.dumps(facts)})})
    return out / WEIGHTS


def git_revision() -> str:
    """The checkout's git revision, "-dirty" added where files were changed; "unknown" outside a checkout."""
    describe = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        run = subprocess.run(describe, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "unknown"
    return run.stdout.strip() or "unknown"
