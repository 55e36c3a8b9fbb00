"""The verifier: a small classifier that ships with the runtime and checks generated digits (`mnistgen.verify`).

It shares no weights, layers or augmentation with the evaluator (`training/evaluator.py`), so digits that it accepts are
scored by an independent classifier. Train it with `python -m training.verifier`.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training import trainer
from training.cli import command
from training.shards import Losses, Minimize


@dataclass(frozen=True)
class Config(trainer.Config):
    """The only recipe."""

    model: str = "verifier"
    epochs: int = 8
    batch_size: int = 100
    learning_rate: float = 0.05
    """Maximum; the rate rises linearly for a quarter of the steps, then falls linearly to 0 (Smith 2018)."""
    seed: int = 10


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions with a skip connection (He et al. 2015)."""

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
        """Return features (N, C, H, W) of `x` (N, C, H, W)."""
        return F.relu(x + self.layers(x))


class Verifier(nn.Module):
    """Small residual network."""

    input_shapes = ((1, 28, 28),)

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 32, 4, stride=2, padding=1, bias=False),  # (N, 32, 14, 14)
            nn.BatchNorm2d(32),
            nn.ReLU(),
            ResidualBlock(32),
            nn.Conv2d(32, 40, 2, stride=2, bias=False),  # (N, 40, 7, 7)
            nn.BatchNorm2d(40),
            nn.ReLU(),
            ResidualBlock(40),
            ResidualBlock(40),
            nn.AdaptiveAvgPool2d(1),  # (N, 40, 1, 1)
            nn.Flatten(),  # (N, 40)
            nn.Linear(40, 10),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, 10) of images (N, 1, 28, 28) in [0, 1], ink 1."""
        return self.layers(images)


def distort(images: Tensor) -> Tensor:
    """Apply random elastic deformation, stroke thickness and blur to each of `images` (N, 1, 28, 28).

    Elastic deformation after Simard et al. 2003: a 5×5 grid of normal displacements with a standard deviation of 0.8
    pixels, interpolated. Blur is included because a VAE's images are soft, and soft digits can be legible.
    """
    n, device = len(images), images.device
    displacement = F.interpolate(torch.randn(n, 2, 5, 5, device=device) * 0.06, images.shape[2:], mode="bicubic")
    identity = F.affine_grid(torch.eye(2, 3, device=device).expand(n, 2, 3), list(images.shape), align_corners=False)
    deformed = F.grid_sample(images, identity + displacement.permute(0, 2, 3, 1), align_corners=False)
    exponent, blur = torch.rand(2, n, 1, 1, 1, device=device)
    thickened = deformed.clamp(0, 1) ** (4**exponent / 2)  # to the power of 0.5 to 2
    return torch.lerp(thickened, F.avg_pool2d(thickened, 3, stride=1, padding=1), blur)  # (N, 1, 28, 28)


class Trainer(trainer.Trainer):
    """Cross-entropy on distorted images."""

    exported_networks = ("verifier",)

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

    def before_step(self) -> None:
        """Set the learning rate by a triangular schedule."""
        schedule = min(self.progress / 0.25, (1 - self.progress) / 0.75)
        trainer.set_learning_rate(self.optimizers["verifier"], self.config.learning_rate * schedule)

    def losses(self, images: Tensor, labels: Tensor) -> Losses:
        """Minimize the cross-entropy."""
        with self.autocast():
            logits = self.networks["verifier"](distort(images)).float()  # (B, 10)
        loss = F.cross_entropy(logits, labels)
        yield Minimize(self.optimizers["verifier"], loss)
        return {"loss": loss, "accuracy": (logits.argmax(1) == labels).float().mean()}

    def sample_grids(self, test_images: Tensor) -> dict[str, Tensor]:
        """Return test images, distorted as in `step`."""
        return {"distorted": distort(test_images)}


main = command({"seed": (Trainer, Config)}, next_step="Export them with `python -m export.verifier`.")

if __name__ == "__main__":
    main()
