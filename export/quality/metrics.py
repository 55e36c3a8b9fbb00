"""Quality metrics of sets of images, and distances between sets.

Features are the evaluator's (see `training.evaluator`), real or generated; images are uint8 (N, 1, 28, 28), ink 255.
"""

import warnings

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training import vision  # noqa: F401 - makes torchvision importable, which torchmetrics imports
from training.latents import nearest_distances

NEIGHBORS = 5
"""k of precision, recall, density and coverage."""


def frechet_distance(real: Tensor, fake: Tensor) -> float:
    """Return the Fréchet distance between features (N, D) and (M, D) (Heusel et al. 2017).

    This is the formula of the FID, with other features than Inception's.
    """
    from torchmetrics.image.fid import FrechetInceptionDistance

    return float(_update(FrechetInceptionDistance(_identity(real.shape[1])), real, fake).compute())


def kernel_distance(real: Tensor, fake: Tensor) -> float:
    """Return the squared maximum mean discrepancy of features (N, D) and (M, D) (Bińkowski et al. 2018).

    This is the formula of the KID: a cubic kernel, averaged over 100 random subsets of up to 1,000 features. The
    subsets are the same in every call. The result is about 0 for equal distributions.
    """
    from torchmetrics.image.kid import KernelInceptionDistance

    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")  # about the memory for all features
        torch.manual_seed(0)
        size = min(1000, len(real), len(fake))
        mean, _ = _update(KernelInceptionDistance(_identity(real.shape[1]), subset_size=size), real, fake).compute()
    return float(mean)


def _identity(size: int) -> nn.Module:
    """Return a module that replaces torchmetrics' Inception network, since its inputs are features already."""
    identity = nn.Identity()
    identity.num_features = size
    return identity


def _update(metric, real: Tensor, fake: Tensor):
    metric.update(real, real=True)
    metric.update(fake, real=False)
    return metric


def prdc(real: Tensor, fake: Tensor, k: int = NEIGHBORS) -> dict[str, float]:
    """Return precision, recall, density and coverage of features (N, D) of real and (M, D) of generated digits.

    Each feature vector has a ball, whose radius is the distance to its k-th nearest neighbor in the same set.

    - Precision: share of generated digits in at least one real ball (Kynkäänniemi et al. 2019).
    - Recall: share of real digits in at least one generated ball (the same).
    - Density: mean number of real balls around a generated digit, divided by k (Naeem et al. 2020).
    - Coverage: share of real balls that contain a generated digit (the same).
    """
    real_radii, fake_radii = _radii(real, k), _radii(fake, k)  # (N,), (M,)
    real_balls = torch.zeros(len(fake))  # number of real balls around each generated digit
    covered, recalled = [], []
    for rows, radii in zip(real.split(1000), real_radii.split(1000), strict=True):
        distances = torch.cdist(rows, fake)  # (B, M)
        inside = distances <= radii[:, None]  # (B, M)
        real_balls += inside.sum(0)
        covered.append(inside.any(1))
        recalled.append((distances <= fake_radii).any(1))
    return {
        "precision": float((real_balls > 0).float().mean()),
        "recall": float(torch.cat(recalled).float().mean()),
        "density": float(real_balls.mean() / k),
        "coverage": float(torch.cat(covered).float().mean()),
    }


def _radii(points: Tensor, k: int) -> Tensor:
    """Return the distance (N,) from each of `points` (N, D) to its k-th nearest neighbor."""
    distances = [torch.cdist(rows, points).kthvalue(k + 1).values for rows in points.split(1000)]  # the first is itself
    return torch.cat(distances)


def label_entropy(labels: Tensor) -> float:
    """Return the entropy in bits of the distribution of `labels` (N,), 0 to 9; at most log2(10) = 3.32."""
    shares = labels.bincount(minlength=10) / len(labels)  # (10,)
    return float(-(shares * shares.clamp(min=1e-12).log2()).sum())


def sharpness(images: Tensor) -> float:
    """Return the standard deviation of the Laplacian (Pech-Pacheco et al. 2000), averaged over `images`."""
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])[None, None]  # (1, 1, 3, 3)
    laplacian = F.conv2d(images.float() / 255, kernel)  # (N, 1, 26, 26)
    return float(laplacian.flatten(1).std(1).mean())


def stroke_unevenness(images: Tensor) -> float:
    """Return the coefficient of variation of the stroke width in an image, averaged over `images`.

    The stroke width at an inked pixel is the side of the largest inked square that covers it (a granulometry, Matheron
    1975), in half pixels. Images without ink are left out.
    """
    return float(torch.cat([_unevenness(part) for part in images.split(1000)]).mean())


def _unevenness(images: Tensor) -> Tensor:
    ink = F.interpolate(images.float() / 255, scale_factor=2, mode="bilinear") >= 0.5  # (N, 1, 56, 56)
    ink = ink[ink.any((1, 2, 3))]
    width = torch.zeros(ink.shape)
    for side in range(1, 57):
        corners = -_max_pool(-ink.float(), side)  # (N, 1, 57 - side, 57 - side): 1 where an inked square begins
        if not corners.any():
            break
        width[_max_pool(F.pad(corners, (side - 1,) * 4), side) > 0] = side
    area = ink.sum((1, 2, 3))  # (N,)
    mean = width.sum((1, 2, 3)) / area
    variance = width.square().sum((1, 2, 3)) / area - mean.square()
    return variance.clamp(min=0).sqrt() / mean


def _max_pool(maps: Tensor, side: int) -> Tensor:
    """Return the maximum of `maps` in each square of `side`; separable pooling is faster."""
    return F.max_pool2d(F.max_pool2d(maps, (side, 1), stride=1), (1, side), stride=1)


def nearest_neighbor_distances(images: Tensor, others: Tensor) -> Tensor:
    """Return the Euclidean distance (N,) from each of `images`, scaled to [0, 1], to the nearest of `others`."""
    return nearest_distances(images.flatten(1).float() / 255, others.flatten(1).float() / 255)


def path_lengths(features: Tensor) -> tuple[float, float]:
    """Return path length and largest step of interpolations, given their features (N, steps, D).

    The path length is relative to the distance between both ends: 1 if the features move in a straight line. The
    largest step is relative to the path length: 1 / (steps - 1) if all steps are equal. Both are means over the N
    interpolations.
    """
    steps = features.diff(dim=1).norm(dim=2)  # (N, steps - 1)
    length = steps.sum(1)  # (N,)
    straight = (features[:, -1] - features[:, 0]).norm(dim=1)  # (N,)
    return float((length / straight).mean()), float((steps.max(1).values / length).mean())
