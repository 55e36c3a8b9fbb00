"""Latents for the VAE's prior to learn: those of digits that are decoded legibly, and not too like a training image."""

import torch
from torch import Tensor, nn

from training.data import Digits

SAMPLES = 200_000
"""Number of latents."""
POOL = 20_000
"""Number of training digits, at most, that they come from."""
CONFIDENCE = 0.99
"""Least probability of the digit that the classifier reads."""


@torch.no_grad()
def draw_latents(encoder: nn.Module, decoder: nn.Module, classifier: nn.Module, digits: Digits) -> Tensor:
    """Draw latents (SAMPLES, 2) from the posteriors of training digits.

    The ten digits that the classifier reads are as frequent as the labels.

    Args:
        encoder: Images (N, 1, 28, 28) in [0, 1] → mean and log-variance of the latents, (N, 2) each.
        decoder: Latents (N, 2) → logits (N, 1, 28, 28).
        classifier: Images (N, 1, 28, 28) in [0, 1] → features, and logits (N, 10).
        digits: The training set.
    """
    device = next(encoder.parameters()).device
    outputs = []
    for images in digits.images[:POOL].split(500):
        mean, log_var = encoder(images.to(device).float() / 255)  # (B, 2) each
        decoded = torch.sigmoid(decoder(mean))  # (B, 1, 28, 28)
        outputs.append((mean, log_var, decoded, classifier(decoded)[1].softmax(1)))
    mean, log_var, decoded, probabilities = (torch.cat(batches) for batches in zip(*outputs, strict=True))
    frequencies = (digits.labels.bincount(minlength=10) / len(digits.labels)).to(device)  # (10,)
    weights = weigh(probabilities, too_near(decoded, digits.images), frequencies)  # (N,)
    drawn = weights.multinomial(SAMPLES, replacement=True)
    return mean[drawn] + (log_var[drawn] / 2).exp() * torch.randn_like(mean[drawn])


def weigh(probabilities: Tensor, excluded: Tensor, frequencies: Tensor) -> Tensor:
    """Return the weights (N,) of digits, given the classifier's probabilities (N, 10) for them.

    Digits that are not legible or `excluded` (N,) have weight 0. Those that are read as digit d have in sum the weight
    `frequencies[d]`, if there are any.
    """
    confidence, read = probabilities.max(1)
    chosen = ((confidence >= CONFIDENCE) & ~excluded).float()  # (N,)
    if not chosen.any():  # the training was too short for legible digits
        chosen = torch.ones_like(chosen)
    counts = torch.zeros_like(frequencies).index_add_(0, read, chosen)  # (10,)
    return chosen * (frequencies / counts.clamp(min=1))[read]


def too_near(decoded: Tensor, images: Tensor) -> Tensor:
    """Return which decoded digits (N,) are nearer to a training image than 97.5 % of these are to each other.

    Nearly all digits that are so similar are ones. A latent of two numbers would draw too many of them.

    Args:
        decoded: Images (N, 1, 28, 28) in [0, 1].
        images: uint8 training images (M, 1, 28, 28).
    """
    train = images.flatten(1).to(decoded.device).float() / 255  # (M, 784)
    some = train[:: max(1, len(train) // 3000)]  # (about 3000, 784)
    among_each_other = nearest_distances(some, train, nth=2)  # the nearest is the image itself
    return nearest_distances(decoded.flatten(1), train) < among_each_other.quantile(0.025)


def nearest_distances(rows: Tensor, others: Tensor, nth: int = 1) -> Tensor:
    """Return the Euclidean distance (N,) from each of `rows` (N, D) to its `nth` nearest of `others` (M, D)."""
    squares = others.square().sum(1)  # (M,)
    found = []
    for part in rows.split(500):
        squared = part.square().sum(1)[:, None] + squares - 2 * part @ others.T  # (B, M)
        found.append(squared.topk(nth, 1, largest=False).values[:, -1].clamp(min=0).sqrt())
    return torch.cat(found)
