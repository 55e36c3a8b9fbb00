"""Discriminator, losses and training step of the tuned recipes of both GANs. The generators are the seed recipe's.

- Relativistic pairing loss (RpGAN): Jolicoeur-Martineau 2018.
- R1 and R2 gradient penalties: Mescheder et al. 2018. Combined with RpGAN they are R3GAN: Huang et al. 2024.
- Lazy regularization, penalties in some steps only: Karras et al. 2020. Here the steps are random.
- Projection discriminator: Miyato & Koyama 2018.
- Matching-aware loss, real images with wrong labels: Reed et al. 2016.
- Exponential moving average (EMA) of the generator's weights: Yazıcı et al. 2018.

`docs/quality.md` says what else was tried.
"""

from abc import abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training import trainer
from training.shards import Losses, Minimize


@dataclass(frozen=True)
class Config(trainer.Config):
    """Tuned recipe of both GANs."""

    recipe: str = "tuned"
    batch_size: int = 64
    learning_rate: float = 2e-4
    """Of the generator. Both learning rates are constant for half of the training, then fall linearly to 0."""
    discriminator_learning_rate: float = 4e-4
    gamma: float = 1.0
    """Weight of R1 and R2: the penalty is gamma / 2 · (R1 + R2)."""
    lazy_probability: float = 0.25
    """Probability that a step computes the penalty, which is then divided by this probability.

    In the first epoch every step does, since without it the discriminator wins at once.
    """
    ema_decay: float = 0.999
    matching_aware_weight: float = 0.0
    """Weight of the matching-aware loss."""
    matching_aware_epochs: int = 0
    """Number of last epochs that use the matching-aware loss."""


class LabelEmbedding(nn.Linear):
    """Embedding of one-hot labels (N, 10), initialized like `nn.Embedding`."""

    def reset_parameters(self) -> None:
        """Initialize the weights, standard normal."""
        nn.init.normal_(self.weight)


class Discriminator(nn.Module):
    """Projection discriminator."""

    input_shapes = ((1, 28, 28), (10,))

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 64, 4, stride=2, padding=1),  # (N, 64, 14, 14)
            nn.LeakyReLU(0.2),
            nn.Conv2d(64, 128, 4, stride=2, padding=1),  # (N, 128, 7, 7)
            nn.LeakyReLU(0.2),
            nn.Conv2d(128, 256, 3, padding=1),  # (N, 256, 7, 7)
            nn.LeakyReLU(0.2),
        )
        self.head = nn.Linear(256, 1)
        self.projection = LabelEmbedding(10, 256, bias=False)

    def forward(self, images: Tensor, label: Tensor) -> Tensor:
        """Return logits (N, 1) that images (N, 1, 28, 28) in [-1, 1] are real and show their one-hot labels (N, 10)."""
        return self.logits(self.features(images), label)

    def features(self, images: Tensor) -> Tensor:
        """Return pooled features (N, 256) of images (N, 1, 28, 28)."""
        maps = self.layers(images).float()  # (N, 256, 7, 7)
        return 7 * F.avg_pool2d(maps, 7).flatten(1)  # (N, 256): sum over 49 positions / 7; faster than `mean`

    def logits(self, features: Tensor, label: Tensor) -> Tensor:
        """Return logits (N, 1) from features (N, 256) and one-hot labels (N, 10)."""
        return self.head(features) + (self.projection(label) * features).sum(1, keepdim=True)  # (N, 1)


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return the RpGAN loss of the discriminator, in nats, from logits (N, 1) of pairs."""
    return F.softplus(fake - real).mean()


def generator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return the RpGAN loss of the generator, in nats, from logits (N, 1) of pairs."""
    return F.softplus(real - fake).mean()


def gradient_penalty(logits: Tensor, images: Tensor) -> Tensor:
    """Return the mean squared norm of the gradient of `logits` (N, 1) with respect to `images` (N, 1, 28, 28).

    It is R1 for real images, R2 for fakes, and (R1 + R2) / 2 for as many of both.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)  # (N, 1, 28, 28)
    return gradient.float().square().sum((1, 2, 3)).mean()


def wrong_label(label: Tensor) -> Tensor:
    """Return one of the nine other labels at random, for each one-hot label (N, 10)."""
    shift = torch.randint(1, 10, (len(label),), device=label.device)
    return F.one_hot((label.argmax(1) + shift) % 10, 10).to(label)


class Trainer(trainer.Trainer):
    """Tuned recipe of both GANs; discriminator and generator learn from the same fakes."""

    exported_networks = ("generator",)

    def __init__(self, config: Config, **networks: nn.Module):
        super().__init__(config, **networks, discriminator=Discriminator())
        self.track_ema("generator")
        self.learning_rates = {
            "generator": config.learning_rate,
            "discriminator": config.discriminator_learning_rate,
        }
        self.optimizers = {
            name: torch.optim.Adam(self.networks[name].parameters(), rate, betas=(0.0, 0.99), fused=True)
            for name, rate in self.learning_rates.items()
        }

    def initialize(self, network: nn.Module) -> None:
        """Set PyTorch's default weights, which this recipe was tuned with."""
        for layer in network.modules():
            if hasattr(layer, "reset_parameters"):
                layer.reset_parameters()

    @abstractmethod
    def generate(self, label: Tensor) -> Tensor:
        """Generate images (B, 1, 28, 28) in [-1, 1] of one-hot labels (B, 10), from random latents."""

    def before_step(self) -> None:
        """Set the learning rates, which are constant for half of the training, then fall linearly to 0."""
        for name, rate in self.learning_rates.items():
            trainer.set_learning_rate(self.optimizers[name], rate * min(1, 2 - 2 * self.progress))

    def losses(self, images: Tensor, labels: Tensor) -> Losses:
        """Update the discriminator, then the generator with the same fakes."""
        discriminator, label = self.networks["discriminator"], F.one_hot(labels, 10).float()  # (B, 10)
        with self.autocast():
            fake = self.generate(label)  # (B, 1, 28, 28)
            both = torch.cat([images * 2 - 1, fake.detach()]).requires_grad_()  # (2B, 1, 28, 28)
            features = discriminator.features(both)  # (2B, 256)
            logits = discriminator.logits(features, label.repeat(2, 1)).float()  # (2B, 1)
        real_logits, fake_logits = logits.chunk(2)  # (B, 1) each
        d_loss = discriminator_loss(real_logits, fake_logits)
        penalty = self.lazy_gradient_penalty(logits, both)
        matching = self.matching_aware_loss(real_logits, features[: len(label)], label)
        loss = d_loss + self.config.gamma * penalty + self.config.matching_aware_weight * matching
        yield Minimize(self.optimizers["discriminator"], loss)
        with self.autocast():
            fake_logits_after = discriminator(fake, label).float()  # (B, 1)
        g_loss = generator_loss(real_logits.detach(), fake_logits_after)
        yield Minimize(self.optimizers["generator"], g_loss)
        accuracy = (real_logits > fake_logits).float().mean()
        return {"g_loss": g_loss, "d_loss": d_loss, "r1_r2_penalty": penalty, "relativistic_accuracy": accuracy}

    def after_step(self) -> None:
        """Update the EMA of the generator."""
        self.update_ema(self.config.ema_decay)

    def lazy_gradient_penalty(self, logits: Tensor, images: Tensor) -> Tensor:
        """Return (R1 + R2) / 2 from logits (2B, 1) and images (2B, 1, 28, 28), or 0 in steps without penalty."""
        probability = 1 if self.progress < 1 / self.config.epochs else self.config.lazy_probability
        if torch.rand(()) >= probability:
            return torch.zeros((), device=images.device)
        return gradient_penalty(logits, images) / probability

    def matching_aware_loss(self, real_logits: Tensor, features: Tensor, label: Tensor) -> Tensor:
        """Return the RpGAN loss of real images with their labels against the same images with wrong labels.

        Args:
            real_logits: (B, 1), with the right labels.
            features: (B, 256), of the real images.
            label: (B, 10), one-hot, the right labels.

        Returns:
            The loss in nats; 0 before the last `matching_aware_epochs` epochs.
        """
        epochs_left = self.config.epochs * (1 - self.progress)
        if epochs_left > self.config.matching_aware_epochs + 1e-6:  # progress is rounded at the start of an epoch
            return torch.zeros((), device=label.device)
        with self.autocast():
            wrong_logits = self.networks["discriminator"].logits(features, wrong_label(label)).float()  # (B, 1)
        return discriminator_loss(real_logits, wrong_logits)
