"""The VAE's prior: a map from the unit normal to the latents of digits.

The latents of each digit form a group in the plane. What lies between two groups is illegible, so a map should cross
these gaps quickly. A normalizing flow is too smooth for this. Here, points of the normal are moved to the latents by
sliced optimal transport (Pitié, Kokaram & Dahyot 2007), and the map learns from these pairs.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import trange

MAPS = 128
"""Number of affine maps."""
HIDDEN = 128
"""Width of the hidden layer that bends the borders between them."""
ROTATIONS = 100
"""Steps of `transport`."""
CELLS = 512
"""Cells along each side of the grid that estimates the density of the latents."""
SHARPNESS = 16.0
"""Initial steepness of the borders between affine maps, which the fit changes."""
LEAST_LOG_DENSITY = -4.5
"""Log-density, in nats, below which a point of the plane counts as a gap."""


class Prior(nn.Module):
    """Mixture of affine maps, weighted by a softmax of the point (mixture of experts, Jacobs et al. 1991)."""

    input_shapes = ((2,),)

    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(2, MAPS)
        self.bend = nn.Sequential(nn.Linear(2, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, MAPS, bias=False))
        self.maps = nn.Linear(MAPS, 6, bias=False)

    def forward(self, points: Tensor) -> Tensor:
        """Map standard normal points (N, 2) to latents (N, 2)."""
        x, y, shift = self.maps(self.weights(points)).split(2, 1)  # (N, 2) each
        return points[:, :1] * x + points[:, 1:] * y + shift

    def weights(self, points: Tensor) -> Tensor:
        """Return the weights (N, MAPS) of the affine maps at `points` (N, 2)."""
        return (self.gate(points) + self.bend(points)).softmax(1)

    @torch.no_grad()
    def reset(self, points: Tensor, latents: Tensor) -> None:
        """Set each map to the mean of the `latents` (N, 2) whose `points` (N, 2) are near a random center."""
        centers = 1.2 * torch.randn(MAPS, 2, device=points.device)  # a little wider than the points
        self.gate.weight.copy_(SHARPNESS * centers)
        self.gate.bias.copy_(-SHARPNESS * centers.square().sum(1) / 2)
        nn.init.zeros_(self.bend[-1].weight)
        weights = self.weights(points)  # (N, MAPS), by the squared distance to the centers
        self.maps.weight[:4] = 0
        self.maps.weight[4:] = latents.T @ weights / (weights.sum(0) + 1e-6)


def transport(points: Tensor, latents: Tensor) -> Tensor:
    """Move `points` (N, 2) to the distribution of `latents` (N, 2); return them in the same order.

    Along a random direction, points and latents are matched in order, which is optimal in one dimension. The points
    move a part of the way, and so on with other directions.
    """
    for _ in range(ROTATIONS):
        angle = torch.rand(()) * math.pi
        rotation = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()]).view(2, 2).to(points.device)
        rotated = points @ rotation  # (N, 2)
        matched = torch.empty_like(rotated)
        matched.scatter_(0, rotated.argsort(0), (latents @ rotation).sort(0).values)
        points = torch.lerp(rotated, matched, 0.3) @ rotation.T
    return points


class Density:
    """Log-density of points of the plane, estimated on a grid and blurred.

    Args:
        latents: Points (N, 2) whose density it is.
    """

    def __init__(self, latents: Tensor):
        self._reach = float(latents.abs().max()) + 0.1
        size = 2 * self._reach / CELLS
        cells = ((latents + self._reach) / size).long()  # (N, 2): column, row
        counts = (cells[:, 1] * CELLS + cells[:, 0]).bincount(minlength=CELLS**2).float().view(1, 1, CELLS, CELLS)
        blur = torch.exp(-torch.arange(-4.0, 5, device=latents.device).square() / 2)  # (9,), one cell wide
        blur = blur / blur.sum()
        counts = F.conv2d(counts, blur.view(1, 1, 1, 9), padding=(0, 4))
        counts = F.conv2d(counts, blur.view(1, 1, 9, 1), padding=(4, 0))
        self._grid = (counts / len(latents) / size**2 + 1e-5).log()  # (1, 1, CELLS, CELLS)

    def log(self, points: Tensor) -> Tensor:
        """Return the log-density (N,) at `points` (N, 2), in nats."""
        places = (points / self._reach)[None, None]  # (1, 1, N, 2)
        return F.grid_sample(self._grid, places, padding_mode="border", align_corners=False)[0, 0, 0]


def fit_prior(prior: Prior, latents: Tensor, steps: int) -> None:
    """Fit `prior` to the distribution of `latents` (N, 2)."""
    points = torch.randn_like(latents)
    targets = transport(points, latents)
    prior.reset(points[:40_000], targets[:40_000])
    density = Density(latents)
    rates = {prior.gate: 0.01 * SHARPNESS, prior.bend[0]: 0.003, prior.bend[-1]: 0.01, prior.maps: 0.01}
    groups = [{"params": layer.parameters(), "lr": rate} for layer, rate in rates.items()]
    optimizer = torch.optim.Adam(groups, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in trange(steps, desc="prior", unit=" steps", disable=None, leave=False):
        batch = torch.randint(len(points), (1000,)).to(points.device)
        mapped = prior(points[batch])  # (1000, 2)
        distance = (mapped - targets[batch]).square().sum(1).add(1e-6).sqrt()  # not squared: prefers one side of a gap
        gap = F.relu(LEAST_LOG_DENSITY - density.log(mapped))
        loss = distance.mean() + 0.3 * gap.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
