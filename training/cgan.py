"""The conditional GAN (CGAN, Mirza & Osindero 2014): generator and discriminator also see the digit's label.

Networks and seed recipe are those of Keras' conditional GAN example, except for the discriminator's label planes: the
example's reshape scrambles them; here, each label fills its own plane. Train it with `python -m training.cgan`.
"""

import copy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training import r3gan, trainer
from training.cli import command
from training.shards import Losses, Minimize


@dataclass(frozen=True)
class Config(trainer.Config):
    """Seed recipe."""

    model: str = "cgan"
    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 3e-4


@dataclass(frozen=True)
class TunedConfig(r3gan.Config):
    """Tuned recipe."""

    model: str = "cgan"
    epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 4e-4
    matching_aware_weight: float = 0.02
    matching_aware_epochs: int = 7
    latent_scale: float = 1.05
    """Factor of the exported generator's latents (`scale_inputs`). It does not affect the training."""
    label_contrast: float = 1.025
    """Factor of the differences between the exported generator's labels (`scale_inputs`)."""


@dataclass(frozen=True)
class LessonConfig(TunedConfig):
    """Lesson recipe: the tuned one, shortened to minutes on two CPU cores."""

    recipe: str = "lesson"
    epochs: int = 8
    limit: int | None = 12_000
    learning_rate: float = 6e-4
    discriminator_learning_rate: float = 6e-4
    ema_decay: float = 0.995
    matching_aware_weight: float = 0.1
    matching_aware_epochs: int = 8
    latent_scale: float = 1.0
    label_contrast: float = 1.0


class Generator(nn.Module):
    """Generator of all recipes."""

    input_shapes = ((128,), (10,))

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(138, 6762),
            nn.LeakyReLU(0.2),
            nn.Unflatten(1, (138, 7, 7)),  # (N, 138, 7, 7)
            nn.ConvTranspose2d(138, 128, 4, stride=2, padding=1),  # (N, 128, 14, 14)
            nn.LeakyReLU(0.2),
            nn.ConvTranspose2d(128, 128, 4, stride=2, padding=1),  # (N, 128, 28, 28)
            nn.LeakyReLU(0.2),
            nn.Conv2d(128, 1, 7, padding=3),  # (N, 1, 28, 28)
        )
        self.activation = nn.Sigmoid()

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        """Return images (N, 1, 28, 28) in [0, 1], ink 1, from latents (N, 128) and one-hot labels (N, 10)."""
        logits = self.layers(torch.cat([z, label], 1))  # (N, 1, 28, 28)
        return self.activation(logits.float())  # float32, since in bfloat16 small gradients would vanish


@torch.no_grad()
def scale_inputs(generator: Generator, latent_scale: float, label_contrast: float) -> Generator:
    """Return a copy of a generator, with factors of its inputs folded into the weights of the first layer.

    Args:
        generator: Generator.
        latent_scale: Factor of the latents. With a larger one, digits are more varied.
        label_contrast: Factor of the differences between the labels: of each label's weights to the mean of all. With a
            larger one, more digits are classified as their label.
    """
    generator = copy.deepcopy(generator)
    of_latents, of_labels = generator.layers[0].weight.split((128, 10), 1)  # (6762, 128), (6762, 10)
    differences = of_labels - of_labels.mean(1, keepdim=True)  # (6762, 10)
    generator.layers[0].weight.copy_(
        torch.cat([latent_scale * of_latents, of_labels + (label_contrast - 1) * differences], 1)
    )
    return generator


class Discriminator(nn.Module):
    """Discriminator of the seed recipe."""

    input_shapes = ((1, 28, 28), (10,))

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(11, 64, 3, stride=2, padding=1),  # (N, 64, 14, 14)
            nn.LeakyReLU(0.2),
            nn.Conv2d(64, 128, 3, stride=2, padding=1),  # (N, 128, 7, 7)
            nn.LeakyReLU(0.2),
        )
        self.head = nn.Linear(128, 1)

    def forward(self, images: Tensor, label: Tensor) -> Tensor:
        """Return logits (N, 1) that images (N, 1, 28, 28) in [0, 1] are real and show their one-hot labels (N, 10)."""
        planes = label[:, :, None, None].expand(-1, -1, 28, 28)  # (N, 10, 28, 28)
        features = self.layers(torch.cat([images, planes], 1))  # (N, 128, 7, 7)
        return self.head(features.amax((2, 3)))  # (N, 1), from global max pooling


def generator_loss(fake: Tensor) -> Tensor:
    """Return the non-saturating loss, in nats, from the discriminator's logits (N, 1) of fakes."""
    return F.binary_cross_entropy_with_logits(fake, torch.ones_like(fake))


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return the mean cross-entropy of the logits (N, 1) of real images and of fakes, in nats."""
    targets = torch.cat([torch.ones_like(real), torch.zeros_like(fake)])
    return F.binary_cross_entropy_with_logits(torch.cat([real, fake]), targets)


class Trainer(trainer.Trainer):
    """Seed recipe: discriminator and generator learn alternately, each from new fakes."""

    exported_networks = ("generator",)

    def __init__(self, config: Config):
        super().__init__(config, generator=Generator(), discriminator=Discriminator())
        self.optimizers = {
            name: trainer.adam(network.parameters(), config.learning_rate) for name, network in self.networks.items()
        }

    def generate(self, label: Tensor) -> Tensor:
        """Generate images (B, 1, 28, 28) in [0, 1] of one-hot labels (B, 10), from random latents."""
        return self.networks["generator"](torch.randn(len(label), 128, device=label.device), label)

    def losses(self, images: Tensor, labels: Tensor) -> Losses:
        """Update the discriminator, then the generator with new fakes."""
        label = F.one_hot(labels, 10).float()  # (B, 10)
        with self.autocast():
            with torch.no_grad():
                fake = self.generate(label)  # (B, 1, 28, 28)
            logits = self.networks["discriminator"](torch.cat([images, fake]), label.repeat(2, 1)).float()  # (2B, 1)
            real_logits, fake_logits = logits.chunk(2)  # (B, 1) each
            d_loss = discriminator_loss(real_logits, fake_logits)
        yield Minimize(self.optimizers["discriminator"], d_loss)
        with self.autocast():
            g_loss = generator_loss(self.networks["discriminator"](self.generate(label), label).float())
        yield Minimize(self.optimizers["generator"], g_loss)
        return {"g_loss": g_loss, "d_loss": d_loss, **trainer.discriminator_accuracy(real_logits, fake_logits)}

    def sample_grids(self, test_images: Tensor) -> dict[str, Tensor]:
        """Return images of the labels 0 to 9, one label per row, from fixed latents."""
        return {"samples": generate_rows(self.networks["generator"], self.fixed_latents(trainer.SAMPLES, 128))}


class TunedTrainer(r3gan.Trainer):
    """Tuned recipe: R3GAN with a matching-aware loss in the last epochs."""

    def __init__(self, config: TunedConfig):
        super().__init__(config, generator=Generator())

    def generate(self, label: Tensor) -> Tensor:
        """Generate images (B, 1, 28, 28) in [-1, 1] of one-hot labels (B, 10), from random latents."""
        return self.networks["generator"](torch.randn(len(label), 128, device=label.device), label) * 2 - 1

    def exported(self, name: str) -> nn.Module:
        """Return the EMA of network `name` if there is one, else the network; the generator with scaled inputs."""
        network, config = super().exported(name), self.config
        return scale_inputs(network, config.latent_scale, config.label_contrast) if name == "generator" else network

    def sample_grids(self, test_images: Tensor) -> dict[str, Tensor]:
        """Return images of the labels 0 to 9, one label per row, from fixed latents."""
        return {"samples": generate_rows(self.exported("generator"), self.fixed_latents(trainer.SAMPLES, 128))}


def generate_rows(generator: nn.Module, z: Tensor) -> Tensor:
    """Generate images (N, 1, 28, 28) in [0, 1], N / 10 of each label in order, from latents (N, 128)."""
    label = F.one_hot(torch.arange(10, device=z.device).repeat_interleave(len(z) // 10), 10).float()  # (N, 10)
    return generator(z, label)


main = command(
    {"seed": (Trainer, Config), "tuned": (TunedTrainer, TunedConfig), "lesson": (TunedTrainer, LessonConfig)}
)

if __name__ == "__main__":
    main()
