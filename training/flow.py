"""A normalizing flow of the plane: affine couplings on a standard normal (RealNVP, Dinh et al. 2016)."""

import math

import torch
from torch import Tensor, nn
from tqdm import trange

COUPLINGS = 8
STEPS = 4000
"""Optimizer steps of `fit_flow`."""


class Coupling(nn.Module):
    """Affine coupling, which scales and shifts one coordinate by functions of the other."""

    def __init__(self, moved: int):
        super().__init__()
        self.moved = moved
        self.layers = nn.Sequential(nn.Linear(1, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 2))

    def forward(self, points: Tensor) -> Tensor:
        """Transform points (N, 2)."""
        kept, moved, log_scale, shift = self._split(points)
        return self._join(kept, moved * log_scale.exp() + shift)

    def inverse(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return the points (N, 2) that `forward` maps to `points`, and the log-determinants (N,) of this inverse."""
        kept, moved, log_scale, shift = self._split(points)
        return self._join(kept, (moved - shift) * (-log_scale).exp()), -log_scale[:, 0]

    def _split(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the kept coordinate, the moved coordinate, its log-scale and its shift, (N, 1) each."""
        first, second = points.split(1, 1)
        kept, moved = (second, first) if self.moved == 0 else (first, second)
        log_scale, shift = self.layers(kept).split(1, 1)
        return kept, moved, 2 * torch.tanh(log_scale / 2), shift  # a log-scale in (-2, 2) is stable

    def _join(self, kept: Tensor, moved: Tensor) -> Tensor:
        return torch.cat([moved, kept] if self.moved == 0 else [kept, moved], 1)


class Flow(nn.Module):
    """Map from the standard normal to the fitted distribution."""

    input_shapes = ((2,),)

    def __init__(self):
        super().__init__()
        self.couplings = nn.Sequential(*(Coupling(i % 2) for i in range(COUPLINGS)))

    def reset_to_identity(self) -> None:
        """Set the last layer of every coupling to zero, which makes the flow the identity."""
        for coupling in self.couplings:
            nn.init.zeros_(coupling.layers[-1].weight)
            nn.init.zeros_(coupling.layers[-1].bias)

    def forward(self, points: Tensor) -> Tensor:
        """Transform standard normal points (N, 2) to points (N, 2) of the fitted distribution."""
        return self.couplings(points)

    def log_prob(self, points: Tensor) -> Tensor:
        """Return the log-density (N,) at `points` (N, 2), in nats."""
        log_det = torch.zeros(len(points), device=points.device)
        for coupling in reversed(self.couplings):
            points, coupling_log_det = coupling.inverse(points)
            log_det = log_det + coupling_log_det
        return log_det - points.square().sum(1) / 2 - math.log(2 * math.pi)


def fit_flow(flow: Flow, mean: Tensor, log_var: Tensor) -> None:
    """Fit `flow` by maximum likelihood to the mixture of normals with `mean` and `log_var`, (N, 2) each."""
    flow.reset_to_identity()
    optimizer = torch.optim.Adam(flow.parameters(), 2e-3, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in trange(STEPS, desc="normalizing flow", unit=" steps", disable=None, leave=False):
        batch = torch.randint(len(mean), (1000,)).to(mean.device)
        points = mean[batch] + (log_var[batch] / 2).exp() * torch.randn_like(mean[batch])  # (1000, 2)
        loss = -flow.log_prob(points).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
