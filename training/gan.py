"""The generative adversarial network (Goodfellow et al. 2014): noise in, digit out, taught by a discriminator.

Networks and seed recipe are those of TensorFlow's DCGAN tutorial (after Radford et al. 2015). Start it with
`python -m training.gan`.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training import r3gan, trainer
from training.cli import command
from training.data import Digits
from training.layers import Conv2d, ConvTranspose2d, Dropout, batch_norm, estimate_batch_norm


@dataclass(frozen=True)
class Config(trainer.Config):
    model: str = "gan"
    epochs: int = 50
    batch_size: int = 256
    learning_rate: float = 1e-4


class Generator(nn.Module):
    """Latents (N, 100) → digits (N, 1, 28, 28) in [-1, 1], ink 1."""

    input_shapes = ((100,),)

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(100, 12544, bias=False),
            batch_norm(12544, 1),
            nn.LeakyReLU(0.3),
            nn.Unflatten(1, (256, 7, 7)),
            ConvTranspose2d(256, 128, 5, padding=2, bias=False),  # (N, 128, 7, 7)
            batch_norm(128, 2),
            nn.LeakyReLU(0.3),
            ConvTranspose2d(128, 64, 5, stride=2, padding=2, output_padding=1, bias=False),  # (N, 64, 14, 14)
            batch_norm(64, 2),
            nn.LeakyReLU(0.3),
            ConvTranspose2d(64, 1, 5, stride=2, padding=2, output_padding=1, bias=False),  # (N, 1, 28, 28)
        )
        self.activation = nn.Tanh()

    def forward(self, z: Tensor) -> Tensor:
        return self.activation(self.layers(z).float())  # in bfloat16 its gradient would round to 0 near its ends


class Discriminator(nn.Sequential):
    """Digits (N, 1, 28, 28) in [-1, 1] → logits (N, 1) of their being real."""

    input_shapes = ((1, 28, 28),)

    def __init__(self):
        super().__init__(
            Conv2d(1, 64, 5, stride=2, padding=2),  # (N, 64, 14, 14)
            nn.LeakyReLU(0.3),
            Dropout(0.3),
            Conv2d(64, 128, 5, stride=2, padding=2),  # (N, 128, 7, 7)
            nn.LeakyReLU(0.3),
            Dropout(0.3),
            nn.Flatten(),  # (N, 6272)
            nn.Linear(6272, 1),
        )


def generator_loss(fake: Tensor) -> Tensor:
    """How far the discriminator's logits (N, 1) for fakes are from "real", in nats (the non-saturating loss)."""
    return F.binary_cross_entropy_with_logits(fake, torch.ones_like(fake))


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """How far logits (N, 1) for real digits are from "real", plus those for fakes from "fake", in nats."""
    real_loss = F.binary_cross_entropy_with_logits(real, torch.ones_like(real))
    fake_loss = F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
    return real_loss + fake_loss


class Trainer(trainer.Trainer):
    """Generator and discriminator, both learning from the same fakes."""

    ships = ("generator",)

    def __init__(self, config: Config):
        super().__init__(config, generator=Generator(), discriminator=Discriminator())
        self.optimizers = {
            name: trainer.adam(network.parameters(), config.learning_rate) for name, network in self.networks.items()
        }

    def step(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        generator, discriminator = self.networks["generator"], self.networks["discriminator"]
        real = images * 2 - 1  # (N, 1, 28, 28) in [-1, 1]
        with self.autocast():
            fake = generator(torch.randn(len(real), 100, device=real.device))  # (N, 1, 28, 28)
            on_real, on_fake = discriminator(real).float(), discriminator(fake).float()  # (N, 1) each
        g_loss, d_loss = generator_loss(on_fake), discriminator_loss(on_real, on_fake)
        trainer.descend(
            self.optimizers["generator"], g_loss, retain_graph=True
        )  # d_loss's gradient passes no generator
        trainer.descend(self.optimizers["discriminator"], d_loss)
        return {"g_loss": g_loss, "d_loss": d_loss, **trainer.discernment(on_real, on_fake)}

    def pictures(self, held_out: Tensor) -> dict[str, Tensor]:
        """Digits generated from fixed latents, in [0, 1]."""
        return {"samples": (self.networks["generator"](self.fixed_latents(100, 100)) + 1) / 2}


LEANINGS = (-0.006, 0.070, -0.003, 0.014, -0.017, -0.059, -0.007, 0.026, -0.014, -0.005)
"""Added to a latent's first ten numbers, they make each the largest as often as MNIST's training set has its digit."""


class Prior(nn.Module):
    """Latents of the unit normal (N, 100) → latents (N, 100) in ten clusters, a digit each.

    A generator that is fed from one normal must draw between two digits what is neither, and this one draws it for a
    tenth of all latents; from clusters it need not (Gurumurthy et al. 2017). Of the first ten numbers the largest
    becomes 10 and the others 0, with a steep passage where two are about the same. Of all ways to cut the normal into
    ten this one has the least borders (Milman & Neeman 2022).
    """

    input_shapes = ((100,),)

    def __init__(self):
        super().__init__()
        self.register_buffer("leanings", torch.tensor(LEANINGS))

    def forward(self, z: Tensor) -> Tensor:
        first, style = z.split((10, 90), 1)
        return torch.cat([10 * F.softmax((first + self.leanings) / 0.02, 1), style], 1)

    def draw(self, label: Tensor) -> Tensor:
        """Latents (N, 100) of the unit normal that belong to the clusters of the one-hot `label` (N, 10)."""
        first, style = torch.randn(len(label), 100, device=label.device).split((10, 90), 1)
        first = first + self.leanings
        swapped = torch.stack([first.argmax(1), label.argmax(1)], 1)  # (N, 2)
        first.scatter_(1, swapped.flip(1), first.gather(1, swapped))
        return torch.cat([first - self.leanings, style], 1)


@dataclass(frozen=True)
class TunedConfig(r3gan.Config):
    model: str = "gan"
    epochs: int = 20
    learning_rate: float = 8e-4


class TunedTrainer(r3gan.Trainer):
    """The same generator, fed from clusters of latents, a digit each, which the discriminator judges it by."""

    ships = ("generator", "prior")

    def __init__(self, config: TunedConfig):
        super().__init__(config, generator=Generator(), prior=Prior())

    def generate(self, generator: nn.Module, label: Tensor) -> Tensor:
        prior = self.networks["prior"]
        return generator(prior(prior.draw(label)))

    def end_epoch(self, digits: Digits) -> None:
        """Give the averaged generator the batch-norm statistics of its own activations, not of the others' average."""
        average = self.averages["generator"]
        estimate_batch_norm(average, self.networks["prior"](self.fixed_latents(5_000, 100)).split(500))

    def pictures(self, held_out: Tensor) -> dict[str, Tensor]:
        """Digits generated from fixed latents, in [0, 1]."""
        latents = self.networks["prior"](self.fixed_latents(100, 100))
        return {"samples": (self.final("generator")(latents) + 1) / 2}


main = command({"seed": (Trainer, Config), "tuned": (TunedTrainer, TunedConfig)})

if __name__ == "__main__":
    main()
