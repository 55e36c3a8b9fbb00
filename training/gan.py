"""The generative adversarial network (GAN, Goodfellow et al. 2014): a generator learns to fool a discriminator.

Networks and seed recipe are those of TensorFlow's DCGAN tutorial (after Radford et al. 2015). Train it with
`python -m training.gan`.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training import r3gan, trainer
from training.cli import command
from training.data import Digits
from training.layers import KERAS_BATCH_NORM, estimate_batch_norm
from training.shards import Losses, Minimize


@dataclass(frozen=True)
class Config(trainer.Config):
    """Seed recipe."""

    model: str = "gan"
    epochs: int = 50
    batch_size: int = 256
    learning_rate: float = 1e-4


@dataclass(frozen=True)
class TunedConfig(r3gan.Config):
    """Tuned recipe."""

    model: str = "gan"
    epochs: int = 20
    learning_rate: float = 8e-4


@dataclass(frozen=True)
class LessonConfig(TunedConfig):
    """Lesson recipe: the tuned one, shortened to minutes on two CPU cores."""

    recipe: str = "lesson"
    epochs: int = 8
    batch_size: int = 32
    limit: int | None = 10_000
    discriminator_learning_rate: float = 8e-4
    ema_decay: float = 0.995


class Generator(nn.Module):
    """Generator of all recipes."""

    input_shapes = ((100,),)

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(100, 12544, bias=False),
            nn.BatchNorm1d(12544, **KERAS_BATCH_NORM),
            nn.LeakyReLU(0.3),
            nn.Unflatten(1, (256, 7, 7)),  # (N, 256, 7, 7)
            nn.ConvTranspose2d(256, 128, 5, padding=2, bias=False),  # (N, 128, 7, 7)
            nn.BatchNorm2d(128, **KERAS_BATCH_NORM),
            nn.LeakyReLU(0.3),
            nn.ConvTranspose2d(128, 64, 5, stride=2, padding=2, output_padding=1, bias=False),  # (N, 64, 14, 14)
            nn.BatchNorm2d(64, **KERAS_BATCH_NORM),
            nn.LeakyReLU(0.3),
            nn.ConvTranspose2d(64, 1, 5, stride=2, padding=2, output_padding=1, bias=False),  # (N, 1, 28, 28)
        )
        self.activation = nn.Tanh()

    def forward(self, z: Tensor) -> Tensor:
        """Return images (N, 1, 28, 28) in [-1, 1], ink 1, from latents (N, 100)."""
        return self.activation(self.layers(z).float())  # float32, since in bfloat16 small gradients would vanish


class Discriminator(nn.Sequential):
    """Discriminator of the seed recipe: images (N, 1, 28, 28) in [-1, 1] → logits (N, 1) of being real."""

    input_shapes = ((1, 28, 28),)

    def __init__(self):
        super().__init__(
            nn.Conv2d(1, 64, 5, stride=2, padding=2),  # (N, 64, 14, 14)
            nn.LeakyReLU(0.3),
            nn.Dropout(0.3),
            nn.Conv2d(64, 128, 5, stride=2, padding=2),  # (N, 128, 7, 7)
            nn.LeakyReLU(0.3),
            nn.Dropout(0.3),
            nn.Flatten(),  # (N, 6272)
            nn.Linear(6272, 1),  # (N, 1)
        )


LABEL_BIAS = (-0.006, 0.070, -0.003, 0.014, -0.017, -0.059, -0.007, 0.026, -0.014, -0.005)
"""Added to the first ten components of a latent, so that each is the largest as often as MNIST has its digit."""
TRAINING_TEMPERATURE = 0.02
"""Temperature of the softmax in training, where some latents between two clusters teach the generator to blend them."""
TEMPERATURE = 0.0005
"""Temperature of the softmax in exported models, whose digits are in one cluster."""
STYLE_SCALE = 1.02
"""Factor of the other numbers in exported models; it lowers the Fréchet distance."""
STATISTICS_LATENTS = 5_000
"""Number of latents that the batch-norm statistics of the generator's EMA are estimated from."""


class Prior(nn.Module):
    """Multimodal prior of ten clusters, one per digit, as a function of a standard normal.

    A generator is continuous, so with a unimodal prior it must produce images between two digits, here for a tenth of
    all latents. A multimodal prior avoids this (Gurumurthy et al. 2017). Of the first ten components, the largest
    becomes 10 and the others 0, by a steep softmax. This partition of the normal has the least possible boundary
    (Milman & Neeman 2022). At a lower temperature, fewer latents are between two clusters.
    """

    input_shapes = ((100,),)

    def __init__(self, temperature: float = TEMPERATURE, style_scale: float = STYLE_SCALE):
        super().__init__()
        self.temperature, self.style_scale = temperature, style_scale
        self.register_buffer("leanings", torch.tensor(LABEL_BIAS))  # the name in weights files

    def forward(self, z: Tensor) -> Tensor:
        """Return latents (N, 100) in clusters from standard normal `z` (N, 100)."""
        cluster, style = z.split((10, 90), 1)  # (N, 10), (N, 90)
        return torch.cat([10 * F.softmax((cluster + self.leanings) / self.temperature, 1), style * self.style_scale], 1)

    def sample(self, label: Tensor) -> Tensor:
        """Sample standard normal latents (N, 100) that belong to the clusters of the one-hot `label` (N, 10)."""
        cluster, style = torch.randn(len(label), 100, device=label.device).split((10, 90), 1)
        cluster = cluster + self.leanings
        swap = torch.stack([cluster.argmax(1), label.argmax(1)], 1)  # (N, 2)
        cluster.scatter_(1, swap.flip(1), cluster.gather(1, swap))
        return torch.cat([cluster - self.leanings, style], 1)


def generator_loss(fake: Tensor) -> Tensor:
    """Return the non-saturating loss, in nats, from the discriminator's logits (N, 1) of fakes."""
    return F.binary_cross_entropy_with_logits(fake, torch.ones_like(fake))


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return the cross-entropy of the logits (N, 1) of real images plus that of fakes, in nats."""
    real_loss = F.binary_cross_entropy_with_logits(real, torch.ones_like(real))
    fake_loss = F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
    return real_loss + fake_loss


class Trainer(trainer.Trainer):
    """Seed recipe: generator and discriminator learn from the same fakes."""

    exported_networks = ("generator",)

    def __init__(self, config: Config):
        super().__init__(config, generator=Generator(), discriminator=Discriminator())
        self.optimizers = {
            name: trainer.adam(network.parameters(), config.learning_rate) for name, network in self.networks.items()
        }

    def losses(self, images: Tensor, labels: Tensor) -> Losses:
        """Update the generator, then the discriminator, with the same fakes."""
        generator, discriminator = self.networks["generator"], self.networks["discriminator"]
        real = images * 2 - 1  # (B, 1, 28, 28) in [-1, 1]
        with self.autocast():
            fake = generator(torch.randn(len(real), 100, device=real.device))  # (B, 1, 28, 28)
            real_logits, fake_logits = discriminator(real).float(), discriminator(fake).float()  # (B, 1) each
        g_loss, d_loss = generator_loss(fake_logits), discriminator_loss(real_logits, fake_logits)
        yield Minimize(self.optimizers["generator"], g_loss, retain_graph=True)  # d_loss needs the graph, too
        yield Minimize(self.optimizers["discriminator"], d_loss)
        return {"g_loss": g_loss, "d_loss": d_loss, **trainer.discriminator_accuracy(real_logits, fake_logits)}

    def sample_grids(self, test_images: Tensor) -> dict[str, Tensor]:
        """Return images generated from fixed latents."""
        return {"samples": (self.networks["generator"](self.fixed_latents(trainer.SAMPLES, 100)) + 1) / 2}


class TunedTrainer(r3gan.Trainer):
    """Tuned recipe: R3GAN with latents in ten clusters, whose digits are the labels of the discriminator."""

    exported_networks = ("generator", "prior")

    def __init__(self, config: TunedConfig):
        super().__init__(config, generator=Generator(), prior=Prior(TRAINING_TEMPERATURE, style_scale=1))

    def generate(self, label: Tensor) -> Tensor:
        """Generate images (B, 1, 28, 28) in [-1, 1] from the clusters of one-hot labels (B, 10)."""
        prior = self.networks["prior"]
        return self.networks["generator"](prior(prior.sample(label)))

    def end_epoch(self, digits: Digits) -> None:
        """Estimate the batch-norm statistics of the generator's EMA from its own activations."""
        latents = self.networks["prior"](self.fixed_latents(STATISTICS_LATENTS, 100))
        estimate_batch_norm(self.ema["generator"], latents.split(500))

    def sample_grids(self, test_images: Tensor) -> dict[str, Tensor]:
        """Return images generated from fixed latents."""
        latents = self.networks["prior"](self.fixed_latents(trainer.SAMPLES, 100))
        return {"samples": (self.exported("generator")(latents) + 1) / 2}


main = command(
    {"seed": (Trainer, Config), "tuned": (TunedTrainer, TunedConfig), "lesson": (TunedTrainer, LessonConfig)}
)

if __name__ == "__main__":
    main()
