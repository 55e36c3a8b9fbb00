"""Rewrites equal the layers that they replace."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from export.graphs import rewrites
from training.prior import Prior

UPSAMPLING = [
    {"kernel_size": 3, "padding": 1, "output_padding": 1},
    {"kernel_size": 5, "padding": 2, "output_padding": 1, "bias": False},
    {"kernel_size": 4, "padding": 1},
]
"""Stride-2 layers of the three models."""
LAST = [
    lambda: nn.ConvTranspose2d(5, 1, 3, padding=1),
    lambda: nn.ConvTranspose2d(5, 1, 5, stride=2, padding=2, output_padding=1, bias=False),
    lambda: rewrites.conv_as_transposed(nn.Conv2d(5, 1, 7, padding=3)),
]
"""The last layers of the three models."""


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def difference(one: Tensor, other: Tensor) -> float:
    assert one.shape == other.shape
    return (one - other).abs().max().item()


@pytest.mark.parametrize("options", UPSAMPLING)
@torch.no_grad()
def test_phases_are_every_second_pixel(options):
    layer = nn.ConvTranspose2d(6, 5, stride=2, **options)
    x = torch.randn(2, 6, 7, 7)
    whole = torch.relu(layer(x))
    for (a, b), phase in zip(rewrites.PHASES, rewrites.PolyphaseConvTranspose2d(layer, nn.ReLU())(x), strict=True):
        assert difference(phase, whole[:, :, a::2, b::2]) < 1e-5


@pytest.mark.parametrize("make", LAST)
@torch.no_grad()
def test_transposed_convolution_of_phases(make):
    layer = make()
    x = torch.randn(2, 5, 14, 14)
    phases = [x[:, :, a::2, b::2] for a, b in rewrites.PHASES]
    assert difference(rewrites.PolyphaseInputConvTranspose2d(layer)(phases), layer(x)) < 1e-5


def test_interleave_restores_the_map():
    x = torch.randn(2, 5, 14, 6)
    phases = [x[:, :, a::2, b::2] for a, b in rewrites.PHASES]
    assert torch.equal(rewrites.Interleave()(phases), x)


@torch.no_grad()
def test_fused_prior_equals_prior():
    prior = Prior()
    points = torch.randn(50, 2)
    assert difference(rewrites.FusedPrior(prior)(points), prior(points)) < 1e-6


@torch.no_grad()
def test_convolution_equals_transposed_convolution():
    layer = nn.Conv2d(5, 2, 7, padding=3)
    x = torch.randn(2, 5, 14, 14)
    assert difference(rewrites.conv_as_transposed(layer)(x), layer(x)) < 1e-5


@pytest.mark.parametrize("size", [6, 7])
@torch.no_grad()
def test_winograd_equals_convolution(size):
    layer = nn.ConvTranspose2d(16, 8, 5, padding=2)
    x = torch.randn(3, 16, size, size)
    columns = x.permute(0, 3, 1, 2).flatten(2)  # (N, size, C·size)
    assert difference(rewrites.WinogradConvTranspose2d(layer, size)(columns), layer(x)) < 1e-5


def test_toom_cook_uses_fewer_products():
    backward, of_kernel, forward = rewrites.toom_cook(4, 5)
    generator = np.random.default_rng(0)
    kernel, x = generator.standard_normal(5), generator.standard_normal(8)
    products = (of_kernel @ kernel) * (forward @ x)
    assert len(products) == 8
    np.testing.assert_allclose(backward @ products, np.correlate(x, kernel, "valid"), atol=1e-12)
