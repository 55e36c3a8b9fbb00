"""The VAE's prior, and the latents that it learns."""

import pytest
import tiny_training
import torch

from training import latents, prior
from training.prior import Density, Prior, fit_prior, transport


@pytest.fixture
def two_groups():
    """Two small, round groups of latents, at (-2, 0) and (2, 0)."""
    torch.manual_seed(0)
    sign = (torch.arange(8000) % 2 * 2 - 1).float()
    return torch.stack([2 * sign, torch.zeros(8000)], 1) + 0.3 * torch.randn(8000, 2)


def test_transport_moves_points_to_the_latents(two_groups):
    points = torch.randn_like(two_groups)
    moved = transport(points, two_groups)
    assert (moved[:, 0].abs() > 1).float().mean() > 0.97  # 0.32 of a standard normal
    assert moved[:, 1].std().item() == pytest.approx(0.3, abs=0.02)
    far = points[:, 0].abs() > 0.5  # from the border between both groups
    assert torch.equal(moved[far, 0] > 0, points[far, 0] > 0)


def test_fit_leaves_gaps_empty(two_groups):
    fitted = Prior()
    fit_prior(fitted, two_groups, 300)
    with torch.inference_mode():
        found = fitted(torch.randn(4000, 2))
    assert (found[:, 0].abs() > 1).float().mean() > 0.95
    assert (found[:, 0] > 0).float().mean().item() == pytest.approx(0.5, abs=0.03)
    assert found[:, 1].std().item() == pytest.approx(0.3, abs=0.05)


def test_density_integrates_to_one(two_groups):
    density = Density(two_groups)
    side = torch.linspace(-4, 4, 401)
    values = density.log(torch.cartesian_prod(side, side)).exp()  # (401²,)
    assert values.sum().item() * (side[1] - side[0]).item() ** 2 == pytest.approx(1, abs=0.05)
    assert density.log(torch.tensor([[0.0, 0.0]])) < prior.LEAST_LOG_DENSITY
    assert (density.log(torch.tensor([[-2.0, 0.0], [2.0, 0.0]])) > -1).all()


def test_weights_keep_the_frequencies_of_the_labels():
    probabilities = torch.eye(10)[torch.tensor([0, 0, 0, 1, 1, 2])]
    probabilities[2] = 0.1  # illegible
    excluded = torch.tensor([False, False, False, True, False, False])
    frequencies = torch.tensor([0.2, 0.3, 0.5, *[0.0] * 7])
    found = latents.weigh(probabilities, excluded, frequencies)
    torch.testing.assert_close(found, torch.tensor([0.1, 0.1, 0, 0, 0.3, 0.5]))


def test_weights_without_legible_digits_are_positive():
    found = latents.weigh(torch.full((4, 10), 0.1), torch.zeros(4, dtype=torch.bool), torch.full((10,), 0.1))
    assert (found > 0).all()


def test_copies_are_too_near():
    images = torch.randint(0, 256, (200, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    decoded = torch.stack([images[3].float() / 255, 1 - images[3].float() / 255])
    assert latents.too_near(decoded, images).tolist() == [True, False]


def test_latents_come_from_the_posteriors(monkeypatch):
    monkeypatch.setattr(latents, "SAMPLES", 50)
    trainer = tiny_training.new_trainer("vae", "tuned")
    networks = trainer.exported("encoder"), trainer.exported("decoder"), trainer.networks["classifier"]
    found = latents.draw_latents(*networks, tiny_training.digits())
    assert found.shape == (50, 2)
    assert found.isfinite().all()


def test_temperature_divides_logits():
    trainer = tiny_training.new_trainer("vae", "tuned", temperature=0.5)
    z = torch.randn(3, 2)
    with torch.inference_mode():
        torch.testing.assert_close(trainer.exported("decoder")(z), 2 * trainer.ema["decoder"](z))
