"""The tuned recipe that the GAN and the CGAN share: the same generators, another opponent and other rules.

Relativistic pairs (Jolicoeur-Martineau 2018) with zero-centred gradient penalties on real digits and on fakes
(Mescheder et al. 2018), as R3GAN has them (Huang et al. 2024); labels enter the discriminator by projection (Miyato &
Koyama 2018), and at the end a wrong label makes a real digit a fake (Reed et al. 2016); the generator that ships is an
average over training (Yazıcı et al. 2018). `docs/quality.md` tells what else was tried.
"""

from abc import abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training import trainer
from training.layers import Conv2d


@dataclass(frozen=True)
class Config(trainer.Config):
    recipe: str = "tuned"
    batch_size: int = 64
    learning_rate: float = 2e-4
    """The generator's, in the training's first half; both networks' fall linearly to 0 in its second."""
    discriminator_learning_rate: float = 4e-4
    penalty: float = 1.0
    """Weight of half the squared norm of the discriminator's gradient, on real digits and on fakes."""
    penalised: float = 0.25
    """Share of the steps that bear the penalty, then so much heavier, as it costs as much as the rest of a
    discriminator's step; in the first epoch all do, since without it the discriminator wins at once."""
    averaging: float = 0.999
    """Share of the averaged generator that each step leaves."""
    mismatch: float = 0.0
    """Weight of telling real digits with their label from the same with another."""
    mismatch_epochs: int = 0
    """The last epochs, in which that is learnt; in none by default."""


class Embedding(nn.Linear):
    """One-hot labels (N, classes) → vectors, drawn as `nn.Embedding` draws them."""

    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight)


class Discriminator(nn.Module):
    """Digits (N, 1, 28, 28) in [-1, 1] and one-hot labels (N, 10) → logits (N, 1) of being real, and so labelled."""

    input_shapes = ((1, 28, 28), (10,))

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            Conv2d(1, 64, 4, stride=2, padding=1),  # (N, 64, 14, 14)
            nn.LeakyReLU(0.2),
            Conv2d(64, 128, 4, stride=2, padding=1),  # (N, 128, 7, 7)
            nn.LeakyReLU(0.2),
            Conv2d(128, 256, 3, padding=1),  # (N, 256, 7, 7)
            nn.LeakyReLU(0.2),
        )
        self.head = nn.Linear(256, 1)
        self.projection = Embedding(10, 256, bias=False)

    def forward(self, images: Tensor, label: Tensor) -> Tensor:
        return self.judge(self.features(images), label)

    def features(self, images: Tensor) -> Tensor:
        """What digits (N, 1, 28, 28) are judged by (N, 256)."""
        maps = self.layers(images).float()  # (N, 256, 7, 7)
        return 7 * F.avg_pool2d(maps, 7).flatten(1)  # of the scale of one of the 49; faster than a mean

    def judge(self, features: Tensor, label: Tensor) -> Tensor:
        """Logits (N, 1) from features (N, 256) and one-hot labels (N, 10)."""
        return self.head(features) + (self.projection(label) * features).sum(1, keepdim=True)  # (N, 1)


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """How far each real digit's logit (N, 1) is from exceeding its fake's, in nats."""
    return F.softplus(fake - real).mean()


def generator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """How far each fake's logit (N, 1) is from exceeding its real digit's, in nats."""
    return F.softplus(real - fake).mean()


def another_label(label: Tensor) -> Tensor:
    """For each one-hot label (N, 10) one of the nine others, at random."""
    shift = torch.randint(1, 10, (len(label),), device=label.device)
    return F.one_hot((label.argmax(1) + shift) % 10, 10).to(label)


def gradient_penalty(logits: Tensor, images: Tensor) -> Tensor:
    """Half the squared norm of the gradient of `logits` (N, 1) with respect to `images`, averaged over the images."""
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)  # (N, 1, 28, 28)
    return gradient.float().square().sum((1, 2, 3)).mean() / 2


class Trainer(trainer.Trainer):
    """Discriminator and generator, learning in turn from the same fakes; the generator's average ships."""

    ships = ("generator",)

    def __init__(self, config: Config, **networks: nn.Module):
        super().__init__(config, **networks, discriminator=Discriminator())
        self.keep_average("generator")
        self.learning_rates = {
            "generator": config.learning_rate,
            "discriminator": config.discriminator_learning_rate,
        }
        self.optimizers = {
            name: torch.optim.Adam(self.networks[name].parameters(), rate, betas=(0.0, 0.99), fused=True)
            for name, rate in self.learning_rates.items()
        }

    def initialise(self, network: nn.Module) -> None:
        """PyTorch's own way, from which all of this recipe was measured."""
        for layer in network.modules():
            if hasattr(layer, "reset_parameters"):
                layer.reset_parameters()

    @abstractmethod
    def generate(self, generator: nn.Module, label: Tensor) -> Tensor:
        """Digits (N, 1, 28, 28) in [-1, 1] of one-hot labels (N, 10), from fresh latents."""

    def step(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        for name, rate in self.learning_rates.items():
            trainer.set_learning_rate(self.optimizers[name], rate * min(1, 2 - 2 * self.progress))
        discriminator, label = self.networks["discriminator"], F.one_hot(labels, 10).float()  # (N, 10)
        with self.autocast():
            fake = self.generate(self.networks["generator"], label)  # (N, 1, 28, 28)
            both = torch.cat([images * 2 - 1, fake.detach()]).requires_grad_()  # (2N, 1, 28, 28)
            features = discriminator.features(both)  # (2N, 256)
            logits = discriminator.judge(features, label.repeat(2, 1)).float()  # (2N, 1)
        on_real, on_fake = logits.chunk(2)
        d_loss, penalty = discriminator_loss(on_real, on_fake), self.penalty(logits, both)
        mismatch = self.mismatch(on_real, features[: len(label)], label)
        objective = d_loss + self.config.penalty * penalty + self.config.mismatch * mismatch
        trainer.descend(self.optimizers["discriminator"], objective)
        with self.autocast():
            on_learnt = discriminator(fake, label).float()  # (N, 1)
        g_loss = generator_loss(on_real.detach(), on_learnt)
        trainer.descend(self.optimizers["generator"], g_loss)
        self.update_averages(self.config.averaging)
        won = (on_real > on_fake).float().mean()
        return {"g_loss": g_loss, "d_loss": d_loss, "penalty": penalty, "pairs_right": won}

    def penalty(self, logits: Tensor, images: Tensor) -> Tensor:
        """The penalties on real digits and on fakes, whose logits (2N, 1) and images (2N, 1, 28, 28) are given."""
        share = 1 if self.progress < 1 / self.config.epochs else self.config.penalised
        if torch.rand(()) >= share:
            return torch.zeros((), device=images.device)
        return 2 * gradient_penalty(logits, images) / share  # a mean over 2N is half that of either, added

    def mismatch(self, on_real: Tensor, features: Tensor, label: Tensor) -> Tensor:
        """How far logits (N, 1) of real digits are from exceeding those with another label; 0 before the last epochs.

        `features` (N, 256) are the digits', `label` (N, 10) their own one-hot labels.
        """
        epochs_left = self.config.epochs * (1 - self.progress)
        if epochs_left > self.config.mismatch_epochs + 1e-6:  # 1e-6: an epoch's start is a rounded share
            return torch.zeros((), device=label.device)
        with self.autocast():
            on_other = self.networks["discriminator"].judge(features, another_label(label)).float()  # (N, 1)
        return discriminator_loss(on_real, on_other)
