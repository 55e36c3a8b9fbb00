"""The variational autoencoder (Kingma & Welling 2013): encodes a digit as a point of a plane, and decodes it again.

Networks and seed recipe are those of the Keras VAE example. Start it with `python -m training.vae`.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training import trainer
from training.cli import command
from training.data import Digits
from training.flow import Flow, fit_flow
from training.layers import Conv2d, ConvTranspose2d


@dataclass(frozen=True)
class Config(trainer.Config):
    model: str = "vae"
    epochs: int = 30
    batch_size: int = 128
    learning_rate: float = 1e-3


class Encoder(nn.Module):
    """Digits (N, 1, 28, 28) in [0, 1] → mean and log-variance of their latents, (N, 2) each."""

    input_shapes = ((1, 28, 28),)

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            Conv2d(1, 32, 3, stride=2, padding=1),  # (N, 32, 14, 14)
            nn.ReLU(),
            Conv2d(32, 64, 3, stride=2, padding=1),  # (N, 64, 7, 7)
            nn.ReLU(),
            nn.Flatten(),  # (N, 3136)
            nn.Linear(3136, 16),
            nn.ReLU(),
        )
        self.mean = nn.Linear(16, 2)
        self.log_var = nn.Linear(16, 2)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.features(images)  # (N, 16)
        return self.mean(features), self.log_var(features)


class Decoder(nn.Sequential):
    """Latents (N, 2) → logits of the pixels, (N, 1, 28, 28); their sigmoid is the digit in [0, 1]."""

    input_shapes = ((2,),)

    def __init__(self):
        super().__init__(
            nn.Linear(2, 3136),
            nn.ReLU(),
            nn.Unflatten(1, (64, 7, 7)),
            ConvTranspose2d(64, 64, 3, stride=2, padding=1, output_padding=1),  # (N, 64, 14, 14)
            nn.ReLU(),
            ConvTranspose2d(64, 32, 3, stride=2, padding=1, output_padding=1),  # (N, 32, 28, 28)
            nn.ReLU(),
            ConvTranspose2d(32, 1, 3, padding=1),  # (N, 1, 28, 28)
        )


def sample_latent(mean: Tensor, log_var: Tensor) -> Tensor:
    """One latent (N, 2) for each mean and log-variance, by the reparameterisation trick (Kingma & Welling 2013)."""
    return mean + torch.exp(log_var / 2) * torch.randn_like(mean)


def reconstruction_loss(logits: Tensor, images: Tensor) -> Tensor:
    """Binary cross-entropy in nats, summed over a digit's pixels, averaged over the digits."""
    return F.binary_cross_entropy_with_logits(logits, images, reduction="sum") / len(images)


def kl_loss(mean: Tensor, log_var: Tensor) -> Tensor:
    """Kullback-Leibler divergence in nats of the latents' normals from the unit normal, averaged over the digits."""
    return -0.5 * (1 + log_var - mean.square() - log_var.exp()).sum(1).mean()


class Trainer(trainer.Trainer):
    """Encoder and decoder, learning together."""

    ships = ("encoder", "decoder")

    def __init__(self, config: Config, **networks: nn.Module):
        super().__init__(config, **(networks or {"encoder": Encoder(), "decoder": Decoder()}))
        both = [*self.networks["encoder"].parameters(), *self.networks["decoder"].parameters()]
        self.optimizers = {"both": trainer.adam(both, config.learning_rate)}

    def rebuild(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and log-variance (N, 2) of the latents, and logits (N, 1, 28, 28) decoded from one latent a digit."""
        with self.autocast():
            mean, log_var = (head.float() for head in self.networks["encoder"](images))
            return mean, log_var, self.networks["decoder"](sample_latent(mean, log_var)).float()

    def step(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        mean, log_var, logits = self.rebuild(images)
        reconstruction, kl = reconstruction_loss(logits, images), kl_loss(mean, log_var)
        trainer.descend(self.optimizers["both"], reconstruction + kl)
        return {"loss": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}

    def pictures(self, held_out: Tensor) -> dict[str, Tensor]:
        """Decoded fixed latents; and held-out digits (N, 1, 28, 28), each above its reconstruction."""
        encoder, decoder = self.final("encoder"), self.final("decoder")
        mean, _ = encoder(held_out)
        rebuilt = torch.sigmoid(decoder(mean))  # (N, 1, 28, 28)
        pairs = torch.stack([held_out.unflatten(0, (-1, 10)), rebuilt.unflatten(0, (-1, 10))], 1)  # (rows, 2, 10, …)
        return {
            "samples": torch.sigmoid(decoder(self.fixed_latents(100, 2))),
            "reconstructions": pairs.flatten(0, 2),
        }


@dataclass(frozen=True)
class TunedConfig(Config):
    recipe: str = "tuned"
    kl_weight: float = 0.5
    """Of the divergence, where the seed recipe has 1."""
    feature_weight: float = 50.0
    """Of the rebuilt digits' feature error, in nats."""
    averaging: float = 0.999
    """Share of the averaged networks that each step leaves."""


class TunedEncoder(Encoder):
    """A larger encoder: digits (N, 1, 28, 28) in [0, 1] → mean and log-variance of their latents, (N, 2) each."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            Conv2d(1, 32, 4, stride=2, padding=1),  # (N, 32, 14, 14)
            nn.ReLU(),
            Conv2d(32, 64, 4, stride=2, padding=1),  # (N, 64, 7, 7)
            nn.ReLU(),
            Conv2d(64, 128, 3, stride=2, padding=1),  # (N, 128, 4, 4)
            nn.ReLU(),
            nn.Flatten(),  # (N, 2048)
            nn.Linear(2048, 256),
            nn.ReLU(),
        )
        self.mean = nn.Linear(256, 2)
        self.log_var = nn.Linear(256, 2)


class Classifier(nn.Module):
    """Digits (N, 1, 28, 28) in [0, 1] → features (N, 128) that tell digits apart, and logits (N, 10) of the labels."""

    input_shapes = ((1, 28, 28),)

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            Conv2d(1, 32, 4, stride=2, padding=1),  # (N, 32, 14, 14)
            nn.LeakyReLU(0.2),
            Conv2d(32, 64, 4, stride=2, padding=1),  # (N, 64, 7, 7)
            nn.LeakyReLU(0.2),
            Conv2d(64, 128, 3, padding=1),  # (N, 128, 7, 7)
            nn.LeakyReLU(0.2),
            nn.AvgPool2d(2, ceil_mode=True),  # (N, 128, 4, 4)
            nn.Flatten(),  # (N, 2048)
            nn.Linear(2048, 128),
            nn.LeakyReLU(0.2),
        )
        self.head = nn.Linear(128, 10)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.features(images)  # (N, 128)
        return features, self.head(features)


def feature_error(rebuilt: Tensor, original: Tensor) -> Tensor:
    """Mean squared distance of features (N, 128) from the original's, as a share of the originals' variance."""
    return (rebuilt - original).square().sum(1).mean() / (original - original.mean(0)).square().sum(1).mean()


class TunedTrainer(Trainer):
    """The same decoder, with a larger encoder and another objective; at the end a density is fitted to the latents.

    Pixels alone make a plane in which half of the digits are rebuilt as another. So a classifier learns to read in the
    first epoch, and from the second on rebuilt digits shall have the originals' features, too (Hou et al. 2017).
    """

    ships = ("encoder", "decoder", "density")

    def __init__(self, config: TunedConfig):
        networks = {"encoder": TunedEncoder(), "decoder": Decoder(), "density": Flow(), "classifier": Classifier()}
        super().__init__(config, **networks)
        self.networks["density"].reset()
        self.optimizers["classifier"] = trainer.adam(self.networks["classifier"].parameters(), config.learning_rate)
        self.keep_average("encoder")
        self.keep_average("decoder")

    def step(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        trainer.set_learning_rate(self.optimizers["both"], self.config.learning_rate * (1 - self.progress))
        mean, log_var, logits = self.rebuild(images)
        reconstruction, kl, error = reconstruction_loss(logits, images), kl_loss(mean, log_var), torch.zeros(())
        if self.progress < 1 / self.config.epochs:
            self.learn_to_read(images, labels)
        else:
            error = feature_error(self.features(torch.sigmoid(logits)), self.features(images).detach())
        objective = reconstruction + self.config.kl_weight * kl + self.config.feature_weight * error
        trainer.descend(self.optimizers["both"], objective)
        self.update_averages(self.config.averaging)
        return {"loss": reconstruction + kl, "reconstruction": reconstruction, "kl": kl, "feature_error": error}

    def features(self, images: Tensor) -> Tensor:
        """What the classifier sees in the digits, (N, 128)."""
        with self.autocast():
            return self.networks["classifier"](images)[0].float()

    def learn_to_read(self, images: Tensor, labels: Tensor) -> None:
        """A step of the classifier, on digits with noise of many strengths, as rebuilt ones are not like real ones."""
        optimizer, left = self.optimizers["classifier"], 1 - self.progress * self.config.epochs
        trainer.set_learning_rate(optimizer, 2 * self.config.learning_rate * left)
        noise = torch.randn_like(images) * torch.rand(len(images), 1, 1, 1, device=images.device) / 4
        with self.autocast():
            logits = self.networks["classifier"](images + noise)[1].float()  # (N, 10)
        trainer.descend(optimizer, F.cross_entropy(logits, labels))

    def end_epoch(self, digits: Digits) -> None:
        """After the last epoch, fit the density to the digits' latents."""
        if self.progress < 1:
            return
        with torch.inference_mode():
            parts = [self.final("encoder")(images.float() / 255) for images in digits.images.split(500)]
        mean, log_var = (torch.cat(heads).clone() for heads in zip(*parts, strict=True))  # (N, 2) each
        fit_flow(self.networks["density"], mean, log_var)

    def pictures(self, held_out: Tensor) -> dict[str, Tensor]:
        """As the seed recipe's, but samples come from the density, which is the unit normal until it is fitted."""
        z = self.networks["density"](self.fixed_latents(100, 2))  # (100, 2)
        return {**super().pictures(held_out), "samples": torch.sigmoid(self.final("decoder")(z))}


main = command({"seed": (Trainer, Config), "tuned": (TunedTrainer, TunedConfig)})

if __name__ == "__main__":
    main()
