"""The evidence lower bound (ELBO) of a VAE on digits that it was not trained on."""

import torch
from torch import Tensor, nn

from export.graphs.models import load
from export.weights import Weights
from training import vae
from training.layers import at_temperature


def load_encoder(weights: Weights) -> nn.Module:
    """Return the VAE's encoder; the tuned recipe, which also fits a prior, has a larger one."""
    return load(vae.TunedEncoder() if weights.network("prior") else vae.Encoder(), "encoder", weights)


@torch.inference_mode()
def likelihood(weights: Weights, images: Tensor, seed: int, temperature: float = 1) -> dict[str, float]:
    """Return the negative ELBO (Kingma & Welling 2013) of uint8 `images` (N, 1, 28, 28) and its terms.

    Values are in nats per image, estimated with one latent per image. `negative_elbo` is `reconstruction` plus `kl`,
    the divergence of the posterior from the unit normal. The decoder's logits are divided by `temperature`.
    """
    encoder, decoder = load_encoder(weights), at_temperature(load(vae.Decoder(), "decoder", weights), temperature)
    parts = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for batch in images.split(500):
            digits = batch.float() / 255  # (B, 1, 28, 28)
            mean, log_var = encoder(digits)  # (B, 2) each
            z = vae.reparameterize(mean, log_var)  # (B, 2)
            part = {
                "reconstruction": float(vae.reconstruction_loss(decoder(z), digits)),
                "kl": float(vae.kl_divergence(mean, log_var)),
            }
            part["negative_elbo"] = part["reconstruction"] + part["kl"]
            parts.append((len(batch), part))
    return {name: sum(n * part[name] for n, part in parts) / len(images) for name in parts[0][1]}
