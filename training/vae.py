"""The variational autoencoder (VAE, Kingma & Welling 2013): encodes images as points of a plane, and decodes points.

Networks and seed recipe are those of Keras' VAE example. Train it with `python -m training.vae`.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training import trainer
from training.cli import command
from training.data import Digits
from training.latents import draw_latents
from training.layers import at_temperature
from training.prior import Prior, fit_prior
from training.shards import Losses, Minimize


@dataclass(frozen=True)
class Config(trainer.Config):
    """Seed recipe."""

    model: str = "vae"
    epochs: int = 30
    batch_size: int = 128
    learning_rate: float = 1e-3


@dataclass(frozen=True)
class TunedConfig(Config):
    """Tuned recipe."""

    recipe: str = "tuned"
    epochs: int = 40
    kl_weight: float = 0.5
    """Weight of the KL divergence (beta-VAE, Higgins et al. 2017); 1 in the seed recipe."""
    kl_warmup: float = 0.0
    """Fraction of the training in which the weight of the KL divergence rises (Bowman et al. 2016)."""
    feature_weight: float = 50.0
    """Weight of the feature loss."""
    feature_temperature: float = 0.65
    """Temperature of the reconstructions in the feature loss: their logits are divided by it, for sharper images."""
    temperature: float = 0.66
    """Temperature of the exported decoder."""
    prior_steps: int = 15_000
    """Optimizer steps that fit the prior."""
    ema_decay: float = 0.999


@dataclass(frozen=True)
class LessonConfig(TunedConfig):
    """Lesson recipe: the tuned one, shortened to minutes on two CPU cores."""

    recipe: str = "lesson"
    epochs: int = 6
    learning_rate: float = 2e-3
    kl_warmup: float = 0.5
    """At first, the digits may spread over the plane."""
    feature_weight: float = 120.0
    ema_decay: float = 0.99
    prior_steps: int = 2_000


class Encoder(nn.Module):
    """Encoder q(z|x) of the seed recipe."""

    input_shapes = ((1, 28, 28),)

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 32, 3, stride=2, padding=1),  # (N, 32, 14, 14)
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, stride=2, padding=1),  # (N, 64, 7, 7)
            nn.ReLU(),
            nn.Flatten(),  # (N, 3136)
            nn.Linear(3136, 16),  # (N, 16)
            nn.ReLU(),
        )
        self.mean = nn.Linear(16, 2)
        self.log_var = nn.Linear(16, 2)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean (N, 2) and log-variance (N, 2) of the latents of images (N, 1, 28, 28) in [0, 1]."""
        features = self.features(images)  # (N, 16)
        return self.mean(features), self.log_var(features)  # (N, 2) each


class Decoder(nn.Sequential):
    """Decoder p(x|z) of all recipes: latents (N, 2) → logits (N, 1, 28, 28), whose sigmoid is the image."""

    input_shapes = ((2,),)

    def __init__(self):
        super().__init__(
            nn.Linear(2, 3136),
            nn.ReLU(),
            nn.Unflatten(1, (64, 7, 7)),  # (N, 64, 7, 7)
            nn.ConvTranspose2d(64, 64, 3, stride=2, padding=1, output_padding=1),  # (N, 64, 14, 14)
            nn.ReLU(),
            nn.ConvTranspose2d(64, 32, 3, stride=2, padding=1, output_padding=1),  # (N, 32, 28, 28)
            nn.ReLU(),
            nn.ConvTranspose2d(32, 1, 3, padding=1),  # (N, 1, 28, 28)
        )


class TunedEncoder(Encoder):
    """Encoder q(z|x) of the tuned recipe."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 32, 4, stride=2, padding=1),  # (N, 32, 14, 14)
            nn.ReLU(),
            nn.Conv2d(32, 64, 4, stride=2, padding=1),  # (N, 64, 7, 7)
            nn.ReLU(),
            nn.Conv2d(64, 128, 3, stride=2, padding=1),  # (N, 128, 4, 4)
            nn.ReLU(),
            nn.Flatten(),  # (N, 2048)
            nn.Linear(2048, 256),  # (N, 256)
            nn.ReLU(),
        )
        self.mean = nn.Linear(256, 2)
        self.log_var = nn.Linear(256, 2)


class Classifier(nn.Module):
    """Classifier for the feature loss."""

    input_shapes = ((1, 28, 28),)

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 32, 4, stride=2, padding=1),  # (N, 32, 14, 14)
            nn.LeakyReLU(0.2),
            nn.Conv2d(32, 64, 4, stride=2, padding=1),  # (N, 64, 7, 7)
            nn.LeakyReLU(0.2),
            nn.Conv2d(64, 128, 3, padding=1),  # (N, 128, 7, 7)
            nn.LeakyReLU(0.2),
            nn.AvgPool2d(2, ceil_mode=True),  # (N, 128, 4, 4)
            nn.Flatten(),  # (N, 2048)
            nn.Linear(2048, 128),  # (N, 128)
            nn.LeakyReLU(0.2),
        )
        self.head = nn.Linear(128, 10)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (N, 128) and logits (N, 10) of images (N, 1, 28, 28) in [0, 1]."""
        features = self.features(images)  # (N, 128)
        return features, self.head(features)


def reparameterize(mean: Tensor, log_var: Tensor) -> Tensor:
    """Sample latents (N, 2) by the reparameterization trick."""
    return mean + torch.exp(log_var / 2) * torch.randn_like(mean)


def reconstruction_loss(logits: Tensor, images: Tensor) -> Tensor:
    """Return the binary cross-entropy in nats, summed over the pixels, averaged over the images."""
    return F.binary_cross_entropy_with_logits(logits, images, reduction="sum") / len(images)


def kl_divergence(mean: Tensor, log_var: Tensor) -> Tensor:
    """Return KL(q(z|x) ‖ N(0, 1)) in nats, averaged over the images."""
    return -0.5 * (1 + log_var - mean.square() - log_var.exp()).sum(1).mean()


def feature_loss(reconstructed: Tensor, original: Tensor) -> Tensor:
    """Return the mean squared error of features (N, 128), divided by the variance of the original ones.

    A perceptual loss (deep feature consistent VAE, Hou et al. 2017).
    """
    return (reconstructed - original).square().sum(1).mean() / (original - original.mean(0)).square().sum(1).mean()


class Trainer(trainer.Trainer):
    """Seed recipe: encoder and decoder minimize the negative ELBO."""

    exported_networks = ("encoder", "decoder")

    def __init__(self, config: Config, **networks: nn.Module):
        super().__init__(config, **(networks or {"encoder": Encoder(), "decoder": Decoder()}))
        parameters = [*self.networks["encoder"].parameters(), *self.networks["decoder"].parameters()]
        self.optimizers = {"vae": trainer.adam(parameters, config.learning_rate)}

    def reconstruct(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return mean (B, 2) and log-variance (B, 2) of the latents, and logits (B, 1, 28, 28) of reconstructions."""
        with self.autocast():
            mean, log_var = (output.float() for output in self.networks["encoder"](images))
            return mean, log_var, self.networks["decoder"](reparameterize(mean, log_var)).float()

    def losses(self, images: Tensor, labels: Tensor) -> Losses:
        """Minimize the negative ELBO: reconstruction loss plus KL divergence."""
        mean, log_var, logits = self.reconstruct(images)
        reconstruction, kl = reconstruction_loss(logits, images), kl_divergence(mean, log_var)
        yield Minimize(self.optimizers["vae"], reconstruction + kl)
        return {"loss": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}

    def sample_grids(self, test_images: Tensor) -> dict[str, Tensor]:
        """Return images decoded from fixed latents, and rows of test images, each row above its reconstructions."""
        encoder, decoder = self.exported("encoder"), self.exported("decoder")
        mean, _ = encoder(test_images)
        reconstructed = torch.sigmoid(decoder(mean))  # (N, 1, 28, 28)
        rows = torch.stack([test_images.unflatten(0, (-1, 10)), reconstructed.unflatten(0, (-1, 10))], 1)
        return {
            "samples": torch.sigmoid(decoder(self.fixed_latents(trainer.SAMPLES, 2))),
            "reconstructions": rows.flatten(0, 2),  # (rows, 2, 10, 1, 28, 28) → (2N, 1, 28, 28)
        }


class TunedTrainer(Trainer):
    """Tuned recipe: a larger encoder, a feature loss, EMA, sharper images, and a prior that is fitted at the end.

    With the pixel loss alone, half of the digits are reconstructed as another digit. So a classifier is trained in the
    first epoch, and from the second epoch on reconstructions must have the features of the originals.
    """

    exported_networks = ("encoder", "decoder", "prior")

    def __init__(self, config: TunedConfig):
        networks = {"encoder": TunedEncoder(), "decoder": Decoder(), "classifier": Classifier(), "prior": Prior()}
        super().__init__(config, **networks)
        self.optimizers["classifier"] = trainer.adam(self.networks["classifier"].parameters(), config.learning_rate)
        self.track_ema("encoder")
        self.track_ema("decoder")

    def before_step(self) -> None:
        """Set the learning rates, which fall linearly to 0: the classifier's in the first epoch."""
        trainer.set_learning_rate(self.optimizers["vae"], self.config.learning_rate * (1 - self.progress))
        if self.trains_classifier():
            remaining = 1 - self.progress * self.config.epochs
            trainer.set_learning_rate(self.optimizers["classifier"], 2 * self.config.learning_rate * remaining)

    def trains_classifier(self) -> bool:
        """Return whether this is the first epoch, which trains the classifier instead of using it."""
        return self.progress < 1 / self.config.epochs

    def losses(self, images: Tensor, labels: Tensor) -> Losses:
        """Minimize the weighted sum of reconstruction loss, KL divergence and feature loss."""
        mean, log_var, logits = self.reconstruct(images)
        reconstruction, kl, feature = reconstruction_loss(logits, images), kl_divergence(mean, log_var), torch.zeros(())
        if self.trains_classifier():
            yield self.classifier_loss(images, labels)
        else:
            feature = feature_loss(
                self.features(torch.sigmoid(logits / self.config.feature_temperature)), self.features(images).detach()
            )
        loss = reconstruction + self.kl_weight() * kl + self.config.feature_weight * feature
        yield Minimize(self.optimizers["vae"], loss)
        return {"loss": reconstruction + kl, "reconstruction": reconstruction, "kl": kl, "feature_loss": feature}

    def after_step(self) -> None:
        """Update the EMA."""
        self.update_ema(self.config.ema_decay)

    def kl_weight(self) -> float:
        """Return the weight of the KL divergence, which rises from a twentieth during the warm-up."""
        warmup = self.config.kl_warmup
        return self.config.kl_weight * (min(1.0, 0.05 + self.progress / warmup) if warmup else 1.0)

    def features(self, images: Tensor) -> Tensor:
        """Return the classifier's features (B, 128)."""
        with self.autocast():
            return self.networks["classifier"](images)[0].float()

    def classifier_loss(self, images: Tensor, labels: Tensor) -> Minimize:
        """Return the cross-entropy on images with noise of random strength, as reconstructions differ from images."""
        noise = torch.randn_like(images) * torch.rand(len(images), 1, 1, 1, device=images.device) / 4
        with self.autocast():
            logits = self.networks["classifier"](images + noise)[1].float()  # (B, 10)
        return Minimize(self.optimizers["classifier"], F.cross_entropy(logits, labels))

    def exported(self, name: str) -> nn.Module:
        """Return the EMA of network `name` if there is one, else the network; the decoder at the temperature."""
        network = super().exported(name)
        return at_temperature(network, self.config.temperature) if name == "decoder" else network

    def end_epoch(self, digits: Digits) -> None:
        """After the last epoch, fit the prior to latents of the training set."""
        if self.progress == 1:
            networks = self.exported("encoder"), self.exported("decoder"), self.networks["classifier"]
            fit_prior(self.networks["prior"], draw_latents(*networks, digits), self.config.prior_steps)

    def sample_grids(self, test_images: Tensor) -> dict[str, Tensor]:
        """Return the seed recipe's grids; after the last epoch, the samples are those of the prior."""
        z = self.fixed_latents(trainer.SAMPLES, 2)  # (SAMPLES, 2)
        z = self.networks["prior"](z) if self.progress == 1 else z
        return {**super().sample_grids(test_images), "samples": torch.sigmoid(self.exported("decoder")(z))}


main = command(
    {"seed": (Trainer, Config), "tuned": (TunedTrainer, TunedConfig), "lesson": (TunedTrainer, LessonConfig)}
)

if __name__ == "__main__":
    main()
