"""Quality metrics of data with known results."""

import math

import numpy as np
import pytest
import torch

from export.quality import interpolation, metrics


@pytest.fixture
def normal():
    return torch.randn(1000, 8, generator=torch.Generator().manual_seed(0))


def test_frechet_distance_of_normal_distributions(normal):
    assert metrics.frechet_distance(normal, normal) == pytest.approx(0, abs=1e-4)
    assert metrics.frechet_distance(normal, normal + 2) == pytest.approx(8 * 4, rel=1e-4)  # of the means, squared
    spread = normal.var(0).sum().item()  # doubling adds the standard deviations
    assert metrics.frechet_distance(normal - normal.mean(0), 2 * (normal - normal.mean(0))) == pytest.approx(
        spread, 1e-3
    )


def test_kernel_distance_separates_distributions(normal):
    assert metrics.kernel_distance(normal[:500], normal[500:]) == pytest.approx(0, abs=0.01)
    assert metrics.kernel_distance(normal[:500], normal[500:] + 1) > 0.5
    state = torch.get_rng_state()
    metrics.kernel_distance(normal[:100], normal[100:200])
    assert torch.equal(state, torch.get_rng_state())


def test_prdc_of_equal_and_distant_sets(normal):
    assert metrics.prdc(normal, normal) == pytest.approx(
        {"precision": 1, "recall": 1, "density": 1.2, "coverage": 1}, abs=0.01
    )  # in its own ball and in five others on average: six over k
    far = metrics.prdc(normal, normal + 100)
    assert far == {"precision": 0, "recall": 0, "density": 0, "coverage": 0}


def test_prdc_of_dropped_mode(normal):
    a, b = normal[:250], normal[250:500] + 50
    measured = metrics.prdc(torch.cat([a, b]), normal[500:])  # around the center of a only
    assert measured["precision"] > 0.8
    assert measured["recall"] == pytest.approx(0.5, abs=0.08)
    assert measured["coverage"] == pytest.approx(0.5, abs=0.05)


def test_label_entropy_is_greatest_for_equal_frequencies():
    assert metrics.label_entropy(torch.arange(1000) % 10) == pytest.approx(math.log2(10), abs=1e-6)
    assert metrics.label_entropy(torch.zeros(10, dtype=torch.long)) == pytest.approx(0, abs=1e-6)
    assert metrics.label_entropy(torch.arange(10) % 2) == pytest.approx(1)


def test_stroke_unevenness_of_known_widths():
    digits = torch.zeros(4, 1, 28, 28, dtype=torch.uint8)
    digits[0, :, 4:24, 12:16] = digits[1:3, :, 4:14, 12:16] = 255  # one width; the other half of 1 and 2 is
    digits[1, :, 14:24, 13:15] = 255  # half as wide
    digits[2, :, 14:24, 10:18] = 255  # twice as wide
    assert metrics.stroke_unevenness(digits[:1]) == pytest.approx(0, abs=1e-6)
    assert metrics.stroke_unevenness(digits[1:3]) == pytest.approx(2**0.5 / 5)  # twice as wide in two thirds
    assert metrics.stroke_unevenness(digits[::3]) == metrics.stroke_unevenness(digits[:1])  # without the empty image


def test_blur_reduces_sharpness():
    sharp = torch.zeros(3, 1, 28, 28)
    sharp[..., 10:18, 10:18] = 255
    blurred = torch.nn.functional.avg_pool2d(sharp, 3, stride=1, padding=1)
    assert metrics.sharpness(blurred.byte()) < 0.7 * metrics.sharpness(sharp.byte())
    assert metrics.sharpness(torch.full((2, 1, 28, 28), 100, dtype=torch.uint8)) == 0


def test_nearest_neighbor_of_a_copy():
    others = torch.randint(256, (50, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images = others[[3, 7]].clone()
    images[1, 0, 5, 5] ^= 255
    distance = abs(int(images[1, 0, 5, 5]) - int(others[7, 0, 5, 5])) / 255
    assert metrics.nearest_neighbor_distances(images, others).tolist() == pytest.approx([0, distance], abs=0.02)


def test_path_lengths_of_known_curves():
    t = torch.linspace(0, 1, 101)
    straight = torch.stack([t, 2 * t], 1)[None]  # (1, 101, 2)
    assert metrics.path_lengths(straight) == pytest.approx((1, 0.01), abs=1e-4)
    circle = torch.stack([(math.pi * t).cos(), (math.pi * t).sin()], 1)[None]
    assert metrics.path_lengths(circle) == pytest.approx((math.pi / 2, 0.01), abs=1e-3)
    jump = torch.cat([torch.zeros(1, 5, 1), torch.ones(1, 5, 1)], 1)
    assert metrics.path_lengths(jump) == pytest.approx((1, 1))


def test_interpolation_is_a_walk(generator):
    ends = generator.latents(1, seed=4)[0], generator.latents(1, seed=5)[0]
    digits = [3] if generator.model.classes else None
    walk = generator.walk(seeds=[4, 5], digits=digits, frames=interpolation.STEPS - 1)
    np.testing.assert_allclose(interpolation.interpolate(generator, *ends, digit=3), walk, atol=1)
