"""Files that a training writes: state.pt to resume from, metrics.jsonl, and weights.safetensors at the end."""

import io
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors.torch import save as safetensors_bytes
from torch import Tensor

from training.errors import TrainingError
from training.files import locked, replace_files

STATE, METRICS, WEIGHTS = "state.pt", "metrics.jsonl", "weights.safetensors"
FACTS = "mnistgen"
"""Metadata key of a weights file; its value is JSON that describes the training."""
_LARGEST = 1e100
"""Bound of the metrics in a file; it also excludes infinity and NaN."""


@dataclass(frozen=True)
class Log:
    """History of a training."""

    git_revision: str
    """Revision of the checkout at the start, with "-dirty" if files were changed."""
    epochs: list[dict] = field(default_factory=list)
    """Metrics of each finished epoch."""


@contextmanager
def locked_folder(out: Path) -> Iterator[None]:
    """Create the folder `out` if it is missing, and lock it against other trainings.

    Raises:
        TrainingError: If it cannot be created, is not writable, or another training writes to it.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(out))
        except BlockingIOError as error:
            raise TrainingError(
                f"Another training is writing to {out}. Wait for it, or choose another folder with --out."
            ) from error
        except OSError as error:
            raise TrainingError(
                f"The folder {out} cannot be created ({error.strerror}). Choose another folder with --out."
            ) from error
        if not os.access(out, os.W_OK):
            raise TrainingError(f"The folder {out} is not writable. Choose another folder with --out.")
        yield


def save(out: Path, state: dict, log: Log, pictures: dict[str, bytes]) -> None:
    """Save a checkpoint after the last epoch of `log`.

    Args:
        out: Existing folder.
        state: Tensors and plain data that the next epoch depends on.
        log: Written to state.pt and, a line per epoch, to metrics.jsonl.
        pictures: PNG files of this epoch, by name.

    Raises:
        TrainingError: If a file cannot be written. The previous checkpoint stays as it is.
    """
    buffer = io.BytesIO()
    torch.save({**state, "log": asdict(log)}, buffer)
    lines = "".join(json.dumps(metrics) + "\n" for metrics in log.epochs)
    images = {out / f"{name}-{len(log.epochs):03d}.png": png for name, png in pictures.items()}
    write({**images, out / METRICS: lines.encode(), out / STATE: buffer.getvalue()})


def load(out: Path) -> dict:
    """Load the state and the log that `save` wrote to `out`, without executing code from the file.

    Raises:
        TrainingError: If the file is missing or unreadable.
    """
    path = out / STATE
    if not path.exists():
        raise TrainingError(
            f"{path} is missing; expected a training to resume. Start a training without --resume, or name its folder "
            f"with --out."
        )
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises many types of exceptions for invalid files
        raise invalid_state(out) from error


def read_log(state: dict, out: Path) -> Log:
    """Return the log in the `state` that `load` read from `out`.

    Raises:
        TrainingError: If it has another format.
    """
    try:
        log = Log(**state["log"])
        valid = isinstance(log.git_revision, str) and isinstance(log.epochs, list) and all(map(_is_metrics, log.epochs))
    except (KeyError, TypeError) as error:
        raise invalid_state(out) from error
    if not valid:
        raise invalid_state(out)
    return log


def _is_metrics(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(name, str) and isinstance(number, int | float) and abs(number) < _LARGEST
        for name, number in value.items()
    )


def invalid_state(out: Path) -> TrainingError:
    """Return the error for a state.pt in `out` that `save` did not write."""
    return TrainingError(
        f"{out / STATE} is damaged or has another version's format. Restore the file, or start a new training in "
        f"another folder with --out."
    )


def save_weights(out: Path, tensors: dict[str, Tensor], facts: dict) -> Path:
    """Write `tensors` to weights.safetensors in `out`, with `facts` as metadata; return the file's path.

    Raises:
        TrainingError: If the file cannot be written.
    """
    # A single metadata key: safetensors writes several in random order, so equal weights would give unequal bytes.
    write({out / WEIGHTS: safetensors_bytes(tensors, {FACTS: json.dumps(facts)})})
    return out / WEIGHTS


def git_revision() -> str:
    """Return the checkout's git revision, with "-dirty" if files were changed; "unknown" outside a checkout."""
    describe = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        run = subprocess.run(describe, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "unknown"
    return run.stdout.strip() or "unknown"


def write(contents: dict[Path, bytes]) -> None:
    """Replace all of these files or none.

    Raises:
        TrainingError: If a file cannot be written.
    """
    try:
        replace_files(contents)
    except OSError as error:
        raise TrainingError(
            f"Files in {next(iter(contents)).parent} cannot be written ({error.strerror}). Fix this, then continue "
            f"with --resume; if no epoch was finished, start again."
        ) from error
