"""The normalizing flow that is fitted to the VAE's latents."""

import math

import pytest
import torch

from training import flow
from training.flow import Flow, fit_flow


@pytest.fixture
def random_flow():
    torch.manual_seed(0)
    return Flow()


def test_identity_flow_is_standard_normal():
    identity = Flow()
    identity.reset_to_identity()
    points = torch.randn(5, 2)
    assert torch.equal(identity(points), points)
    expected = torch.distributions.Normal(0, 1).log_prob(points).sum(1)
    torch.testing.assert_close(identity.log_prob(points), expected)


def test_inverse_restores_points(random_flow):
    points = torch.randn(100, 2)
    restored = random_flow(points)
    for coupling in reversed(random_flow.couplings):
        restored, _ = coupling.inverse(restored)
    torch.testing.assert_close(restored, points, atol=1e-5, rtol=1e-5)


def test_density_integrates_to_one(random_flow):
    side = torch.linspace(-12, 12, 241)
    points = torch.cartesian_prod(side, side)  # (241², 2)
    with torch.inference_mode():
        mass = random_flow.log_prob(points).exp().sum() * (side[1] - side[0]) ** 2
    assert mass.item() == pytest.approx(1, abs=0.01)


def test_fit_finds_bimodal_distribution(monkeypatch):
    monkeypatch.setattr(flow, "STEPS", 250)
    torch.manual_seed(0)
    sign = (torch.arange(4000) % 2 * 2 - 1).float()
    mean = torch.stack([3 * sign, torch.zeros(4000)], 1)  # two modes, at (-3, 0) and (3, 0)
    fitted = Flow()
    fit_flow(fitted, mean, torch.full((4000, 2), math.log(0.25)))
    with torch.inference_mode():
        points = fitted(torch.randn(4000, 2))  # (4000, 2)
    assert (points[:, 0].abs() > 1.5).float().mean() > 0.9  # 0.62 for a normal with the same moments
    assert points[:, 1].std().item() == pytest.approx(0.5, abs=0.1)
