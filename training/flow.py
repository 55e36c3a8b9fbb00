"""A density of the plane, fitted to points: a normalising flow from the unit normal (RealNVP, Dinh et al. 2016)."""

import math

import torch
from torch import Tensor, nn
from tqdm import trange

COUPLINGS = 8
STEPS = 4000
"""Of the fit, a thousand points each."""


class Coupling(nn.Module):
    """Scales and moves one coordinate of points (N, 2) by what the other one is, so that it can be undone."""

    def __init__(self, moved: int):
        super().__init__()
        self.moved = moved
        self.layers = nn.Sequential(nn.Linear(1, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 2))

    def forward(self, points: Tensor) -> Tensor:
        kept, moved, log_scale, shift = self._parts(points)
        return self._joined(kept, moved * log_scale.exp() + shift)

    def inverse(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """The points (N, 2) that `forward` sends there, and by how much (N,) their density is changed, in nats."""
        kept, moved, log_scale, shift = self._parts(points)
        return self._joined(kept, (moved - shift) * (-log_scale).exp()), -log_scale[:, 0]

    def _parts(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(N, 1) each: the coordinate that stays, the one that moves, and the logarithm of its scale and its shift."""
        first, second = points.split(1, 1)
        kept, moved = (second, first) if self.moved == 0 else (first, second)
        log_scale, shift = self.layers(kept).split(1, 1)
        return kept, moved, 2 * torch.tanh(log_scale / 2), shift  # a bounded scale cannot explode

    def _joined(self, kept: Tensor, moved: Tensor) -> Tensor:
        return torch.cat([moved, kept] if self.moved == 0 else [kept, moved], 1)


class Flow(nn.Module):
    """Points of the unit normal (N, 2) → points (N, 2) of the fitted density."""

    input_shapes = ((2,),)

    def __init__(self):
        super().__init__()
        self.couplings = nn.Sequential(*(Coupling(i % 2) for i in range(COUPLINGS)))

    def reset(self) -> None:
        """Become the unit normal."""
        for coupling in self.couplings:
            nn.init.zeros_(coupling.layers[-1].weight)
            nn.init.zeros_(coupling.layers[-1].bias)

    def forward(self, points: Tensor) -> Tensor:
        return self.couplings(points)

    def log_prob(self, points: Tensor) -> Tensor:
        """Logarithm (N,) of the density at `points` (N, 2), in nats."""
        change = torch.zeros(len(points), device=points.device)
        for coupling in reversed(self.couplings):
            points, stretched = coupling.inverse(points)
            change = change + stretched
        return change - points.square().sum(1) / 2 - math.log(2 * math.pi)


def fit_flow(density: Flow, mean: Tensor, log_var: Tensor) -> None:
    """Fit `density` to the mixture of the normals of `mean` and `log_var` (N, 2) by maximum likelihood."""
    density.reset()
    optimizer = torch.optim.Adam(density.parameters(), 2e-3, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in trange(STEPS, desc="latent density", unit=" steps", disable=None, leave=False):
        chosen = torch.randint(len(mean), (1000,)).to(mean.device)
        points = mean[chosen] + (log_var[chosen] / 2).exp() * torch.randn_like(mean[chosen])  # (1000, 2)
        loss = -density.log_prob(points).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
