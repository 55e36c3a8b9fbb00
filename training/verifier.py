"""The verifier: a small classifier that ships, and reads back what the generators drew (`mnistgen.verify`).

It shares nothing with training/reader.py, which scores what ships: digits picked by the reader itself would score
themselves. Train it with `python -m training.verifier`.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training import trainer
from training.cli import command


@dataclass(frozen=True)
class Config(trainer.Config):
    model: str = "verifier"
    epochs: int = 8
    batch_size: int = 100
    learning_rate: float = 0.05
    """At its height, which it reaches after a quarter of the steps, in a straight line up and down (Smith 2018)."""
    seed: int = 10


class Block(nn.Module):
    """Two 3×3 convolutions and a way past them (He et al. 2015): (N, C, H, W) → the same shape."""

    def __init__(self, channels: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.layers(x))


class Verifier(nn.Module):
    """Digits (N, 1, 28, 28) in [0, 1], ink 1 → logits (N, 10) of what they show."""

    input_shapes = ((1, 28, 28),)

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 32, 4, stride=2, padding=1, bias=False),  # (N, 32, 14, 14)
            nn.BatchNorm2d(32),
            nn.ReLU(),
            Block(32),
            nn.Conv2d(32, 40, 2, stride=2, bias=False),  # (N, 40, 7, 7)
            nn.BatchNorm2d(40),
            nn.ReLU(),
            Block(40),
            Block(40),
            nn.AdaptiveAvgPool2d(1),  # (N, 40, 1, 1)
            nn.Flatten(),  # (N, 40)
            nn.Linear(40, 10),
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


def distort(images: Tensor) -> Tensor:
    """Images (N, 1, 28, 28), each as if drawn on rubber and pulled about (Simard et al. 2003), thin or bold, blurred.

    Five by five points of each move by 0.8 pixels, one standard deviation, to each side, and all between them along.
    Blurred, since a VAE's digits are: what is soft can be as legible as what is sharp.
    """
    n, device = len(images), images.device
    pulled = F.interpolate(torch.randn(n, 2, 5, 5, device=device) * 0.06, images.shape[2:], mode="bicubic")
    straight = F.affine_grid(torch.eye(2, 3, device=device).expand(n, 2, 3), list(images.shape), align_corners=False)
    bent = F.grid_sample(images, straight + pulled.permute(0, 2, 3, 1), align_corners=False)
    exponent, share = torch.rand(2, n, 1, 1, 1, device=device)
    inked = bent.clamp(0, 1) ** (4**exponent / 2)
    return torch.lerp(inked, F.avg_pool2d(inked, 3, stride=1, padding=1), share)


class Trainer(trainer.Trainer):
    """Cross-entropy on distorted digits."""

    ships = ("verifier",)

    def __init__(self, config: Config):
        super().__init__(config, verifier=Verifier())
        self.optimizers = {
            "verifier": torch.optim.SGD(
                self.networks["verifier"].parameters(),
                config.learning_rate,
                momentum=0.9,
                nesterov=True,
                weight_decay=5e-4,
                fused=True,
            )
        }

    def step(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        height = min(self.progress / 0.25, (1 - self.progress) / 0.75)
        trainer.set_learning_rate(self.optimizers["verifier"], self.config.learning_rate * height)
        with self.autocast():
            logits = self.networks["verifier"](distort(images)).float()  # (B, 10)
        loss = F.cross_entropy(logits, labels)
        trainer.descend(self.optimizers["verifier"], loss)
        return {"loss": loss, "right": (logits.argmax(1) == labels).float().mean()}

    def pictures(self, held_out: Tensor) -> dict[str, Tensor]:
        """Held-out digits as `step` distorts them."""
        return {"distorted": distort(held_out)}


main = command(
    {"seed": (Trainer, Config)},
    purpose="`python -m export.verifier` turns into an ONNX file",
)

if __name__ == "__main__":
    main()
