"""The digit reader: a classifier that quality is measured with, and nothing is ever trained, tuned or picked with.

Train it with `python -m training.evaluator`. `artifacts/weights/reader.safetensors` holds its weights.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training import trainer
from training.cli import command


@dataclass(frozen=True)
class Config(trainer.Config):
    model: str = "reader"
    epochs: int = 12
    batch_size: int = 128
    learning_rate: float = 2e-3
    """At the beginning; it falls to 0 along half a cosine (Loshchilov & Hutter 2016)."""


class Reader(nn.Module):
    """Digits (N, 1, 28, 28) in [0, 1], ink 1 → logits (N, 10) of what they show."""

    input_shapes = ((1, 28, 28),)

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            *_block(1, 32),
            *_block(32, 32),
            nn.MaxPool2d(2),  # (N, 32, 14, 14)
            *_block(32, 64),
            *_block(64, 64),
            nn.MaxPool2d(2),  # (N, 64, 7, 7)
            *_block(64, 128),
            *_block(128, 128),
            nn.AdaptiveAvgPool2d(1),  # (N, 128, 1, 1)
            nn.Flatten(),  # (N, 128)
        )
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(128, 10)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.dropout(self.features(images)))


def _block(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()


class Predictions(NamedTuple):
    """What the reader makes of N digits."""

    features: Tensor
    """float32 (N, 128), not negative: what its last layer sees."""
    probabilities: Tensor
    """float32 (N, 10), of the digits 0 to 9."""


@torch.inference_mode()
def read(reader: Reader, images: Tensor) -> Predictions:
    """What `reader` makes of uint8 `images` (N, 1, 28, 28), ink 255."""
    device = next(reader.parameters()).device
    parts = []
    for batch in images.split(500):
        features = reader.eval().features(batch.to(device).float() / 255)  # (B, 128)
        parts.append((features.cpu(), reader.head(features).softmax(1).cpu()))
    features, probabilities = zip(*parts, strict=True)
    return Predictions(torch.cat(features), torch.cat(probabilities))


def jitter(images: Tensor) -> Tensor:
    """Images (N, 1, 28, 28), each turned by up to 12°, scaled and sheared by up to 12 %, moved by up to 2.5 pixels."""
    n = len(images)
    low = torch.tensor([-0.2, 0.88, 0.88, -0.12, -2.5 / 14, -2.5 / 14], device=images.device)  # 0.2 rad are 12°
    high = torch.tensor([0.2, 1.12, 1.12, 0.12, 2.5 / 14, 2.5 / 14], device=images.device)
    angle, width, height, shear, right, down = (low + (high - low) * torch.rand(n, 6, device=images.device)).unbind(1)
    cos, sin = angle.cos(), angle.sin()
    rows = [width * cos, shear - sin, right, sin, height * cos, down]
    grid = F.affine_grid(torch.stack(rows, 1).view(n, 2, 3), list(images.shape), align_corners=False)  # (N, 28, 28, 2)
    return F.grid_sample(images, grid, align_corners=False)


class Trainer(trainer.Trainer):
    """Cross-entropy on jittered digits."""

    ships = ("reader",)

    def __init__(self, config: Config):
        super().__init__(config, reader=Reader())
        weights = self.networks["reader"].parameters()
        self.optimizers = {"reader": torch.optim.AdamW(weights, config.learning_rate, weight_decay=0.01, fused=True)}

    def step(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        trainer.set_learning_rate(
            self.optimizers["reader"], self.config.learning_rate * (1 + math.cos(math.pi * self.progress)) / 2
        )
        with self.autocast():
            logits = self.networks["reader"](jitter(images)).float()  # (N, 10)
        loss = F.cross_entropy(logits, labels)
        trainer.descend(self.optimizers["reader"], loss)
        return {"loss": loss, "right": (logits.argmax(1) == labels).float().mean()}

    def pictures(self, held_out: Tensor) -> dict[str, Tensor]:
        """Held-out digits as `step` jitters them."""
        return {"jittered": jitter(held_out)}


main = command(
    {"seed": (Trainer, Config)},
    purpose="`python -m export.quality` reads digits with once they are in artifacts/weights/reader.safetensors",
)

if __name__ == "__main__":
    main()
