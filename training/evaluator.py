"""The evaluator: a classifier whose features and predictions score the quality of generated digits.

It is used for quality metrics only, never to train, tune or select what it scores. Train it with
`python -m training.evaluator`; `artifacts/weights/` holds its weights.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training import trainer
from training.cli import command
from training.shards import Losses, Minimize


@dataclass(frozen=True)
class Config(trainer.Config):
    """The only recipe."""

    model: str = "evaluator"
    epochs: int = 12
    batch_size: int = 128
    learning_rate: float = 2e-3
    """Initial value; cosine annealing to 0 (Loshchilov & Hutter 2016)."""


class Evaluator(nn.Module):
    """Convolutional classifier with six layers and batch norm (Ioffe & Szegedy 2015)."""

    input_shapes = ((1, 28, 28),)

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            *_block(1, 32),  # (N, 32, 28, 28)
            *_block(32, 32),
            nn.MaxPool2d(2),  # (N, 32, 14, 14)
            *_block(32, 64),  # (N, 64, 14, 14)
            *_block(64, 64),
            nn.MaxPool2d(2),  # (N, 64, 7, 7)
            *_block(64, 128),  # (N, 128, 7, 7)
            *_block(128, 128),
            nn.AdaptiveAvgPool2d(1),  # (N, 128, 1, 1)
            nn.Flatten(),  # (N, 128)
        )
        self.head = nn.Linear(128, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, 10) of images (N, 1, 28, 28) in [0, 1], ink 1."""
        features = self.features(images)  # (N, 128)
        return self.head(
            F.dropout(features, 0.3, self.training)
        )  # (N, 10); functional, so `speed_up` keeps it as it is


def _block(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()


class Predictions(NamedTuple):
    """The evaluator's output for N images."""

    features: Tensor
    """float32 (N, 128), non-negative: the input of the last layer."""
    probabilities: Tensor
    """float32 (N, 10), of the digits 0 to 9."""


@torch.inference_mode()
def predict(evaluator: Evaluator, images: Tensor) -> Predictions:
    """Return features and class probabilities of uint8 `images` (N, 1, 28, 28), ink 255."""
    evaluator.eval()
    device = next(evaluator.parameters()).device
    batches = []
    for batch in images.split(500):
        features = evaluator.features(batch.to(device).float() / 255)  # (B, 128)
        batches.append((features.cpu(), evaluator.head(features).softmax(1).cpu()))
    features, probabilities = zip(*batches, strict=True)
    return Predictions(torch.cat(features), torch.cat(probabilities))


def augment(images: Tensor) -> Tensor:
    """Apply a random affine transform to each of `images` (N, 1, 28, 28).

    Rotation by up to 12°, scale and shear by up to 12 %, translation by up to 2.5 pixels.
    """
    n = len(images)
    low = torch.tensor([-0.2, 0.88, 0.88, -0.12, -2.5 / 14, -2.5 / 14], device=images.device)  # 0.2 rad are 12°
    high = torch.tensor([0.2, 1.12, 1.12, 0.12, 2.5 / 14, 2.5 / 14], device=images.device)
    angle, width, height, shear, dx, dy = (low + (high - low) * torch.rand(n, 6, device=images.device)).unbind(1)
    cos, sin = angle.cos(), angle.sin()
    matrix = torch.stack([width * cos, shear - sin, dx, sin, height * cos, dy], 1).view(n, 2, 3)
    grid = F.affine_grid(matrix, list(images.shape), align_corners=False)  # (N, 28, 28, 2)
    return F.grid_sample(images, grid, align_corners=False)


class Trainer(trainer.Trainer):
    """Cross-entropy on augmented images."""

    exported_networks = ("evaluator",)

    def __init__(self, config: Config):
        super().__init__(config, evaluator=Evaluator())
        weights = self.networks["evaluator"].parameters()
        self.optimizers = {"evaluator": torch.optim.AdamW(weights, config.learning_rate, weight_decay=0.01, fused=True)}

    def before_step(self) -> None:
        """Set the learning rate by a cosine schedule."""
        cosine = (1 + math.cos(math.pi * self.progress)) / 2
        trainer.set_learning_rate(self.optimizers["evaluator"], self.config.learning_rate * cosine)

    def losses(self, images: Tensor, labels: Tensor) -> Losses:
        """Minimize the cross-entropy."""
        with self.autocast():
            logits = self.networks["evaluator"](augment(images)).float()  # (B, 10)
        loss = F.cross_entropy(logits, labels)
        yield Minimize(self.optimizers["evaluator"], loss)
        return {"loss": loss, "accuracy": (logits.argmax(1) == labels).float().mean()}

    def sample_grids(self, test_images: Tensor) -> dict[str, Tensor]:
        """Return test images, augmented as in `step`."""
        return {"augmented": augment(test_images)}


_NEXT_STEP = "Copy them to artifacts/weights/evaluator.safetensors for `python -m export.quality`."

main = command({"seed": (Trainer, Config)}, next_step=_NEXT_STEP)

if __name__ == "__main__":
    main()
