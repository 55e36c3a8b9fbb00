"""MNIST as tensors, read by torchvision and verified.

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
    """Images and their labels."""

    images: Tensor
    """uint8 (N, 1, 28, 28), ink 255."""
    labels: Tensor
    """int64 (N,), 0 to 9."""

    def __len__(self) -> int:
        return len(self.images)

    def first(self, n: int | None) -> "Digits":
        """Return the first `n` digits; all if `n` is None."""
        return Digits(self.images[:n], self.labels[:n])

    def to(self, device: torch.device) -> "Digits":
        """Return a copy on `device`."""
        return Digits(self.images.to(device), self.labels.to(device))

    def batches(self, size: int, shards: int = 1) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield one epoch of batches in random order, from PyTorch's global generator.

        The last batch may be smaller. It is shortened to a multiple of `shards`, and skipped if a shard has only one
        image, since batch norm needs two.

        Yields:
            Images float32 (B, 1, 28, 28) in [0, 1] and labels int64 (B,).
        """
        for batch in torch.randperm(len(self))[: self.epoch_size(size, shards)].split(size):
            batch = batch.to(self.images.device)
            images = self.images[batch].float() / 255  # (B, 1, 28, 28)
            yield images, self.labels[batch]

    def epoch_size(self, size: int, shards: int = 1) -> int:
        """Return the number of images in an epoch of `batches(size, shards)`."""
        return epoch_size(len(self), size, shards)


def epoch_size(n: int, size: int, shards: int) -> int:
    """Return how many of `n` images an epoch has, in batches of `size`: the last batch may be shortened or skipped."""
    last = n % size // shards * shards
    return n - n % size + (last if last >= 2 * shards else 0)


def load(folder: Path, split: str) -> Digits:
    """Load the `split` ("train" or "test") of MNIST from `folder`, after downloading it if it is missing.

    Raises:
        TrainingError: If MNIST is missing and cannot be downloaded, or the files differ from the published ones.
    """
    from training.vision import MNIST  # slow to import; not needed by --summary and --help

    raw = folder / "MNIST" / "raw"
    try:
        mnist = MNIST(str(folder), train=split == "train", download=True)
        digits = Digits(mnist.data[:, None], mnist.targets)
    except Exception as error:  # torchvision raises many types of exceptions for damaged files
        reason = " ".join(str(error).split()) or type(error).__name__
        raise TrainingError(
            f"MNIST in {raw} is missing or damaged and could not be downloaded ({reason}). Put its four .gz files "
            f"there and delete all other files, or name a folder that contains MNIST/raw with --data."
        ) from error
    if _sha256(digits) != SHA256[split]:
        raise TrainingError(
            f"The {split} set in {raw} differs from the published MNIST. Delete all files there that do not end in "
            f".gz, then run the command again."
        )
    return digits


def _sha256(digits: Digits) -> str:
    labels = digits.labels.to(torch.uint8)
    return hashlib.sha256(digits.images.numpy().tobytes() + labels.numpy().tobytes()).hexdigest()
