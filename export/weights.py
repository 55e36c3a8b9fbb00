"""A trained model's weights, read from where a training or an earlier export left them."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from export.errors import ExportError
from training import checkpoint

FACTS = ("model", "recipe", "epochs", "training_data", "git_revision", "command", "device", "final_metrics")
"""What a weights file says of its training: see `training.checkpoint.save_weights`."""


@dataclass(frozen=True)
class Weights:
    """The weights of one model, and how they came about."""

    path: Path
    content: bytes
    """The whole safetensors file."""
    facts: dict[str, Any]
    """By the names in FACTS."""
    tensors: dict[str, Tensor]
    """By "network.parameter", such as "generator.layers.0.weight"."""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def network(self, name: str) -> dict[str, Tensor]:
        """The state of the network called `name`."""
        return {
            key.removeprefix(f"{name}."): value for key, value in self.tensors.items() if key.startswith(f"{name}.")
        }


def find(model: str, checkpoints: Path, artifacts: Path) -> Weights:
    """The weights in `checkpoints`/model, where a finished training left some, else those in `artifacts`/weights.

    Raises ExportError where there are none, or the file is damaged or another model's.
    """
    trained = checkpoints / model / checkpoint.WEIGHTS
    committed = artifacts / "weights" / f"{model}.safetensors"
    for path in (trained, committed):
        if path.exists():
            return read(model, path)
    raise ExportError(
        f"There are no weights of the {model}, neither {trained} nor {committed}: make them with "
        f"python -m training.{model}."
    )


def read(model: str, path: Path) -> Weights:
    """The weights of `model` in the file at `path`; raises ExportError where they are damaged or another model's."""
    try:
        content = path.read_bytes()
        tensors = safetensors.torch.load(content)
        noted = _noted(content)
        facts = {name: noted[name] for name in FACTS}
    except OSError as error:
        raise ExportError(f"{path} cannot be read ({error.strerror}).") from error
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ExportError(f"{path} is damaged or not written by our training: train the {model} anew.") from error
    if facts["model"] != model:
        raise ExportError(
            f"{path} holds weights of the {facts['model']}, not of the {model}: put the right file there."
        )
    return Weights(path, content, facts, tensors)


def _noted(content: bytes) -> dict[str, Any]:
    """What our training noted in a safetensors file: eight bytes give the length of its header, which is JSON."""
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return json.loads(header["__metadata__"][checkpoint.FACTS])
