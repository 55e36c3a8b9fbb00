"""Distances between two sets of digits and properties of one, as numbers."""

import warnings

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training import vision  # noqa: F401 (makes torchvision importable, which torchmetrics imports)

NEIGHBOURS = 5
"""k of precision, recall, density and coverage."""


def frechet_distance(real: Tensor, fake: Tensor) -> float:
    """Fréchet distance of the normal distributions that features (N, D) and (M, D) suggest (Heusel et al. 2017)."""
    from torchmetrics.image.fid import FrechetInceptionDistance

    return float(_fed(FrechetInceptionDistance(_features(real.shape[1])), real, fake).compute())


def kernel_distance(real: Tensor, fake: Tensor) -> float:
    """Squared maximum mean discrepancy of features (N, D) and (M, D) under the cubic kernel (Bińkowski et al. 2018).

    Averaged over 100 draws of up to 1,000 of each, the same draws at every call; about 0 for equal distributions.
    """
    from torchmetrics.image.kid import KernelInceptionDistance

    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")  # that it keeps all features
        torch.manual_seed(0)
        size = min(1000, len(real), len(fake))
        mean, _ = _fed(KernelInceptionDistance(_features(real.shape[1]), subset_size=size), real, fake).compute()
    return float(mean)


def _features(size: int) -> nn.Module:
    """In the place of torchmetrics' Inception network: what it is given are features already."""
    identity = nn.Identity()
    identity.num_features = size
    return identity


def _fed(metric, real: Tensor, fake: Tensor):
    metric.update(real, real=True)
    metric.update(fake, real=False)
    return metric


def support(real: Tensor, fake: Tensor, k: int = NEIGHBOURS) -> dict[str, float]:
    """How well features (N, D) of real and (M, D) of fake digits cover each other, by the balls to k-th neighbours.

    Precision and recall (Kynkäänniemi et al. 2019) are the shares of the one set that lie in a ball of the other;
    coverage (Naeem et al. 2020) is the share of real balls that hold a fake, density how many real balls a fake lies
    in, over k.
    """
    real_radii, fake_radii = _radii(real, k), _radii(fake, k)  # (N,), (M,)
    in_real = torch.zeros(len(fake))  # how many real balls each fake lies in
    covered, recalled = [], []
    for rows, radii in zip(real.split(1000), real_radii.split(1000), strict=True):
        distances = torch.cdist(rows, fake)  # (B, M)
        inside = distances <= radii[:, None]
        in_real += inside.sum(0)
        covered.append(inside.any(1))
        recalled.append((distances <= fake_radii).any(1))
    return {
        "precision": float((in_real > 0).float().mean()),
        "recall": float(torch.cat(recalled).float().mean()),
        "density": float(in_real.mean() / k),
        "coverage": float(torch.cat(covered).float().mean()),
    }


def _radii(points: Tensor, k: int) -> Tensor:
    """Distance (N,) of each of `points` (N, D) to its k-th nearest neighbour, itself not counted."""
    distances = [torch.cdist(rows, points).kthvalue(k + 1).values for rows in points.split(1000)]
    return torch.cat(distances)


def entropy(labels: Tensor) -> float:
    """Entropy in bits of how often each of ten labels occurs in `labels` (N,); log2(10) = 3.32 if all alike."""
    shares = labels.bincount(minlength=10) / len(labels)  # (10,)
    return float(-(shares * shares.clamp(min=1e-12).log2()).sum())


def sharpness(images: Tensor) -> float:
    """Standard deviation of the Laplacian (Pech-Pacheco et al. 2000), mean over uint8 `images` (N, 1, 28, 28)."""
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])[None, None]  # (1, 1, 3, 3)
    laplacian = F.conv2d(images.float() / 255, kernel)  # (N, 1, 26, 26)
    return float(laplacian.flatten(1).std(1).mean())


def stroke_unevenness(images: Tensor) -> float:
    """Coefficient of variation of the strokes' width in a digit, mean over uint8 `images` (N, 1, 28, 28) that hold ink.

    Where there is ink, the width is the side of the largest inked square that covers the spot (a granulometry,
    Matheron 1975), in half pixels.
    """
    return float(torch.cat([_unevenness(part) for part in images.split(1000)]).mean())


def _unevenness(images: Tensor) -> Tensor:
    ink = F.interpolate(images.float() / 255, scale_factor=2, mode="bilinear") >= 0.5  # (N, 1, 56, 56)
    ink = ink[ink.any((1, 2, 3))]
    width = torch.zeros(ink.shape)
    for side in range(1, 57):
        corners = -_pooled(-ink.float(), side)  # (N, 1, 57 - side, 57 - side): an inked square begins here
        if not corners.any():
            break
        width[_pooled(F.pad(corners, (side - 1,) * 4), side) > 0] = side
    area = ink.sum((1, 2, 3))  # (N,)
    mean = width.sum((1, 2, 3)) / area
    variance = width.square().sum((1, 2, 3)) / area - mean.square()
    return variance.clamp(min=0).sqrt() / mean


def _pooled(maps: Tensor, side: int) -> Tensor:
    """The greatest value of `maps` in each square of `side`, one way after the other, which is faster."""
    return F.max_pool2d(F.max_pool2d(maps, (side, 1), stride=1), (1, side), stride=1)


def nearest(images: Tensor, others: Tensor) -> Tensor:
    """Euclidean distance (N,), in whole pixels' ink, of each of uint8 `images` to the nearest of uint8 `others`."""
    others = others.flatten(1).float() / 255  # (M, 784)
    squares = others.square().sum(1)  # (M,)
    distances = []
    for rows in (images.flatten(1).float() / 255).split(500):
        squared = rows.square().sum(1)[:, None] + squares - 2 * rows @ others.T  # (B, M)
        distances.append(squared.min(1).values.clamp(min=0).sqrt())
    return torch.cat(distances)


def path_lengths(features: Tensor) -> tuple[float, float]:
    """Of interpolations' features (N, steps, D): length of the path over that of the straight line, and largest step.

    The first is 1 where a walk goes straight; the second is the share of the path that its largest step takes, 1 over
    the number of steps where it goes evenly. Both are means over the N walks.
    """
    steps = features.diff(dim=1).norm(dim=2)  # (N, steps - 1)
    length = steps.sum(1)  # (N,)
    straight = (features[:, -1] - features[:, 0]).norm(dim=1)  # (N,)
    return float((length / straight).mean()), float((steps.max(1).values / length).mean())
