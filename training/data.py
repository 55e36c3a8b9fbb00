"""MNIST, read by torchvision, as tensors.

MNIST: Copyright Yann LeCun and Corinna Cortes, CC BY-SA 3.0 (LeCun et al., "Gradient-based learning applied to document
recognition", 1998).
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from training.errors import TrainingError

# SHA-256 of the pixels followed by the labels, one byte each, as in the files that MNIST's authors published.
SHA256 = {
    "train": "edc0d1098aa497be14ace79ddd5171e5a3dcf9c4d196c015389203eb3ba1f59b",
    "test": "c3f9adf9c66efb572b1f9326c3a511b45910c7173b97be66ceceeeeaef6b802b",
}


@dataclass(frozen=True)
class Digits:
    """Images and what they show."""

    images: Tensor
    """uint8 (N, 1, 28, 28), ink 255."""
    labels: Tensor
    """int64 (N,), 0 to 9."""

    def __len__(self) -> int:
        return len(self.images)

    def first(self, n: int | None) -> "Digits":
        """The first `n` of them, or all."""
        return Digits(self.images[:n], self.labels[:n])

    def to(self, device: torch.device) -> "Digits":
        return Digits(self.images.to(device), self.labels.to(device))

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """One epoch in an order drawn from torch's global generator: images float32 (B, 1, 28, 28) in [0, 1], labels.

        The last batch may be smaller; a single image left over is skipped, as it has no batch statistics.
        """
        for chosen in torch.randperm(len(self)).split(size):
            if len(chosen) > 1:
                chosen = chosen.to(self.images.device)
                images = self.images[chosen].float() / 255  # (B, 1, 28, 28)
                yield images, self.labels[chosen]

    def epoch_size(self, size: int) -> int:
        """How many digits `batches(size)` yields."""
        return len(self) - (len(self) % size == 1)


def load(folder: Path, split: str) -> Digits:
    """The `split` ("train" or "test") of MNIST under `folder`, downloaded there if it is missing.

    Raises TrainingError where it is neither there nor to be had, or where the files are not MNIST's.
    """
    from training.vision import MNIST  # a slow import, which --summary does without

    raw = folder / "MNIST" / "raw"
    try:
        read = MNIST(str(folder), train=split == "train", download=True)
    except (OSError, RuntimeError, ValueError, AssertionError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise TrainingError(
            f"MNIST is missing or damaged in {raw} and could not be downloaded ({reason}): put its four .gz files "
            f"there and delete all others, or name another folder that holds MNIST/raw with --data."
        ) from error
    digits = Digits(read.data[:, None], read.targets)
    if _sha256(digits) != SHA256[split]:
        raise TrainingError(
            f"{raw} does not hold MNIST's {split} set as published: delete the files there that do not end in .gz, and "
            f"start again."
        )
    return digits


def _sha256(digits: Digits) -> str:
    labels = digits.labels.to(torch.uint8)
    return hashlib.sha256(digits.images.numpy().tobytes() + labels.numpy().tobytes()).hexdigest()
