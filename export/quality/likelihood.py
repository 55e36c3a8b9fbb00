"""How likely a VAE thinks digits are that it has not seen."""

import torch
from torch import Tensor, nn

from export.graphs.models import load
from export.weights import Weights
from training import vae
from training.flow import Flow


def load_encoder(weights: Weights) -> nn.Module:
    """The encoder of the recipe by which the VAE was trained: the tuned one fits a density, too."""
    return load(vae.TunedEncoder() if weights.network("density") else vae.Encoder(), "encoder", weights)


@torch.inference_mode()
def likelihood(weights: Weights, images: Tensor, seed: int) -> dict[str, float]:
    """The negative evidence lower bound and its parts, in nats a digit, of uint8 `images` (N, 1, 28, 28).

    One latent is drawn for each image. `negative_elbo` is `reconstruction` plus `kl`, the divergence from the unit
    normal; where a density was fitted, `negative_elbo_fitted` is the bound with that in the unit normal's place.
    """
    encoder, decoder = load_encoder(weights), load(vae.Decoder(), "decoder", weights)
    density = load(Flow(), "density", weights) if weights.network("density") else None
    parts = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for batch in images.split(500):
            digits = batch.float() / 255  # (B, 1, 28, 28)
            mean, log_var = encoder(digits)  # (B, 2) each
            z = vae.sample_latent(mean, log_var)  # (B, 2)
            part = {
                "reconstruction": float(vae.reconstruction_loss(decoder(z), digits)),
                "kl": float(vae.kl_loss(mean, log_var)),
            }
            part["negative_elbo"] = part["reconstruction"] + part["kl"]
            if density:
                log_q = torch.distributions.Normal(mean, (log_var / 2).exp()).log_prob(z).sum(1)  # (B,)
                divergence = float((log_q - density.log_prob(z)).mean())
                part["negative_elbo_fitted"] = part["reconstruction"] + divergence
            parts.append((len(batch), part))
    return {name: sum(n * part[name] for n, part in parts) / len(images) for name in parts[0][1]}
