"""The conditional GAN (Mirza & Osindero 2014): noise and a label in, a digit of that label out.

Networks and seed recipe are those of Keras' conditional GAN example, but for its label planes: the example's reshape
scrambles them, here each label fills its own plane. Start it with `python -m training.cgan`.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training import r3gan, trainer
from training.cli import command
from training.layers import Conv2d, ConvTranspose2d, WideKernelConv2d


@dataclass(frozen=True)
class Config(trainer.Config):
    model: str = "cgan"
    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 3e-4


class Generator(nn.Module):
    """Latents (N, 128) and one-hot labels (N, 10) → digits (N, 1, 28, 28) in [0, 1], ink 1."""

    input_shapes = ((128,), (10,))

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(138, 6762),
            nn.LeakyReLU(0.2),
            nn.Unflatten(1, (138, 7, 7)),
            ConvTranspose2d(138, 128, 4, stride=2, padding=1),  # (N, 128, 14, 14)
            nn.LeakyReLU(0.2),
            ConvTranspose2d(128, 128, 4, stride=2, padding=1),  # (N, 128, 28, 28)
            nn.LeakyReLU(0.2),
            WideKernelConv2d(128, 1, 7, padding=3),  # (N, 1, 28, 28)
        )
        self.activation = nn.Sigmoid()

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        logits = self.layers(torch.cat([z, label], 1))  # (N, 1, 28, 28)
        return self.activation(logits.float())  # in bfloat16 its gradient would round to 0 near its ends


class Discriminator(nn.Module):
    """Digits (N, 1, 28, 28) in [0, 1] and one-hot labels (N, 10) → logits (N, 1) of being real and so labelled."""

    input_shapes = ((1, 28, 28), (10,))

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            Conv2d(11, 64, 3, stride=2, padding=1),  # (N, 64, 14, 14)
            nn.LeakyReLU(0.2),
            Conv2d(64, 128, 3, stride=2, padding=1),  # (N, 128, 7, 7)
            nn.LeakyReLU(0.2),
        )
        self.head = nn.Linear(128, 1)

    def forward(self, images: Tensor, label: Tensor) -> Tensor:
        planes = label[:, :, None, None].expand(-1, -1, 28, 28)  # (N, 10, 28, 28)
        features = self.layers(torch.cat([images, planes], 1))  # (N, 128, 7, 7)
        return self.head(features.amax((2, 3)))  # (N, 1)


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """How far logits (N, 1) for real digits are from "real" and those for fakes from "fake", averaged, in nats."""
    targets = torch.cat([torch.ones_like(real), torch.zeros_like(fake)])
    return F.binary_cross_entropy_with_logits(torch.cat([real, fake]), targets)


def generator_loss(fake: Tensor) -> Tensor:
    """How far the discriminator's logits (N, 1) for fakes are from "real", in nats (the non-saturating loss)."""
    return F.binary_cross_entropy_with_logits(fake, torch.ones_like(fake))


class Trainer(trainer.Trainer):
    """Discriminator and generator, learning in turn, each from fakes of its own."""

    ships = ("generator",)

    def __init__(self, config: Config):
        super().__init__(config, generator=Generator(), discriminator=Discriminator())
        self.optimizers = {
            name: trainer.adam(network.parameters(), config.learning_rate) for name, network in self.networks.items()
        }

    def generate(self, label: Tensor) -> Tensor:
        """A digit (N, 1, 28, 28) for each one-hot label (N, 10), from fresh latents."""
        return self.networks["generator"](torch.randn(len(label), 128, device=label.device), label)

    def step(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        label = F.one_hot(labels, 10).float()  # (N, 10)
        with self.autocast():
            with torch.no_grad():
                fake = self.generate(label)  # (N, 1, 28, 28)
            logits = self.networks["discriminator"](torch.cat([images, fake]), label.repeat(2, 1)).float()  # (2N, 1)
            on_real, on_fake = logits.chunk(2)
            d_loss = discriminator_loss(on_real, on_fake)
        trainer.descend(self.optimizers["discriminator"], d_loss)
        with self.autocast():
            g_loss = generator_loss(self.networks["discriminator"](self.generate(label), label).float())
        trainer.descend(self.optimizers["generator"], g_loss)
        return {"g_loss": g_loss, "d_loss": d_loss, **trainer.discernment(on_real, on_fake)}

    def pictures(self, held_out: Tensor) -> dict[str, Tensor]:
        """Ten digits of each label, a row a label, from fixed latents."""
        return {"samples": ten_of_each(self.networks["generator"], self.fixed_latents(100, 128))}


def ten_of_each(generator: nn.Module, z: Tensor) -> Tensor:
    """Digits (100, 1, 28, 28) in [0, 1], ten of each label in turn, from latents (100, 128)."""
    label = F.one_hot(torch.arange(10, device=z.device).repeat_interleave(10), 10).float()  # (100, 10)
    return generator(z, label)


@dataclass(frozen=True)
class TunedConfig(r3gan.Config):
    model: str = "cgan"
    epochs: int = 30
    mismatch: float = 0.02
    mismatch_epochs: int = 7


class TunedTrainer(r3gan.Trainer):
    """The same generator, trained by the tuned recipe."""

    def __init__(self, config: TunedConfig):
        super().__init__(config, generator=Generator())

    def generate(self, generator: nn.Module, label: Tensor) -> Tensor:
        return generator(torch.randn(len(label), 128, device=label.device), label) * 2 - 1

    def pictures(self, held_out: Tensor) -> dict[str, Tensor]:
        """Ten digits of each label, a row a label, from fixed latents."""
        return {"samples": ten_of_each(self.final("generator"), self.fixed_latents(100, 128))}


main = command({"seed": (Trainer, Config), "tuned": (TunedTrainer, TunedConfig)})

if __name__ == "__main__":
    main()
