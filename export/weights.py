"""Read the weights of a trained model."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from export.errors import ExportError
from mnistgen.validation import facts, shown, text, whole
from training import checkpoint

_TEXT = text(1000)
FACTS = {
    "model": _TEXT,
    "recipe": _TEXT,
    "epochs": whole(0, 1_000_000),
    "training_data": _TEXT,
    "git_revision": _TEXT,
    "command": _TEXT,
    "device": _TEXT,
    "final_metrics": facts,
}
"""Facts in a weights file about its training (`training.checkpoint.save_weights`), and what is valid for each."""
_MOST_BYTES = 2**31 - 1


@dataclass(frozen=True)
class Weights:
    """The weights of one model, and facts about their training."""

    path: Path
    content: bytes
    """The safetensors file."""
    facts: dict[str, Any]
    """Values of FACTS."""
    tensors: dict[str, Tensor]
    """Tensors by "network.parameter", such as "generator.layers.0.weight"."""

    @property
    def sha256(self) -> str:
        """SHA-256 of the file, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def networks(self) -> set[str]:
        """Names of the networks."""
        return {key.partition(".")[0] for key in self.tensors}

    def network(self, name: str) -> dict[str, Tensor]:
        """Return the state of the network `name`; empty if there is none."""
        return {
            key.removeprefix(f"{name}."): value for key, value in self.tensors.items() if key.startswith(f"{name}.")
        }


def find(model: str, checkpoints: Path, artifacts: Path) -> Weights:
    """Read the weights in `checkpoints`/model if a finished training left them there, else in `artifacts`/weights.

    Raises:
        ExportError: There are none, or the file is damaged or holds another model.
    """
    trained = checkpoints / model / checkpoint.WEIGHTS
    committed = artifacts / "weights" / f"{model}.safetensors"
    for path in (trained, committed):
        if path.exists():
            return read(model, path)
    raise ExportError(
        f"The weights of the {model} are missing; expected {trained} or {committed}. Run python -m training.{model}."
    )


def read(model: str, path: Path) -> Weights:
    """Read the weights of `model` from a file.

    Raises:
        ExportError: The file cannot be read, is damaged, or holds another model.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError("too large")
        content = path.read_bytes()
        tensors = safetensors.torch.load(content)
        given = _facts(path)
    except OSError as error:
        raise ExportError(f"{path} cannot be read ({error.strerror}).") from error
    except (SafetensorError, AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ExportError(
            f"{path} is damaged, or not a weights file of this project. Train the {model} again."
        ) from error
    if given["model"] != model:
        raise ExportError(f"{path} holds weights of the {shown(given['model'])}; expected those of the {model}.")
    return Weights(path, content, given, tensors)


def _facts(path: Path) -> dict[str, Any]:
    with safe_open(path, framework="pt") as file:
        given = json.loads(file.metadata()[checkpoint.FACTS])
    for name, valid in FACTS.items():
        if not valid(given[name]):
            raise ValueError(name)
    return {name: given[name] for name in FACTS}
