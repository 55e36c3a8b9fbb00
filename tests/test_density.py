"""The fitted density of the VAE's latents."""

import math

import pytest
import torch

from training import flow
from training.flow import Flow, fit_flow


@pytest.fixture
def drawn():
    """A density with weights as good as any."""
    torch.manual_seed(0)
    return Flow()


def test_an_unfitted_density_is_the_unit_normal():
    fresh = Flow()
    fresh.reset()
    points = torch.randn(5, 2)
    assert torch.equal(fresh(points), points)
    expected = torch.distributions.Normal(0, 1).log_prob(points).sum(1)
    torch.testing.assert_close(fresh.log_prob(points), expected)


def test_undoing_brings_the_points_back(drawn):
    points = torch.randn(100, 2)
    back = drawn(points)
    for coupling in reversed(drawn.couplings):
        back, _ = coupling.inverse(back)
    torch.testing.assert_close(back, points, atol=1e-5, rtol=1e-5)


def test_the_density_integrates_to_one(drawn):
    side = torch.linspace(-12, 12, 801)
    points = torch.cartesian_prod(side, side)  # (801², 2)
    with torch.inference_mode():
        mass = drawn.log_prob(points).exp().sum() * (side[1] - side[0]) ** 2
    assert mass.item() == pytest.approx(1, abs=0.01)


def test_the_fit_finds_a_distribution_that_is_not_normal(monkeypatch):
    monkeypatch.setattr(flow, "STEPS", 400)
    torch.manual_seed(0)
    side = (torch.arange(4000) % 2 * 2 - 1).float()
    mean = torch.stack([3 * side, torch.zeros(4000)], 1)  # two heaps, at (-3, 0) and (3, 0)
    fitted = Flow()
    fit_flow(fitted, mean, torch.full((4000, 2), math.log(0.25)))
    with torch.inference_mode():
        points = fitted(torch.randn(4000, 2))  # (4000, 2)
    assert (points[:, 0].abs() > 1.5).float().mean() > 0.9  # of the normal with their moments, 62 %
    assert points[:, 1].std().item() == pytest.approx(0.5, abs=0.1)
