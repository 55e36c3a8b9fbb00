"""The metrics of quality, on sets of which the answer is known."""

import math

import numpy as np
import pytest
import torch

from export.quality import interpolation, metrics
from mnistgen.latents import latents


@pytest.fixture
def normal():
    return torch.randn(2000, 8, generator=torch.Generator().manual_seed(0))


def test_frechet_distance_is_that_of_the_normal_distributions(normal):
    assert metrics.frechet_distance(normal, normal) == pytest.approx(0, abs=1e-4)
    assert metrics.frechet_distance(normal, normal + 2) == pytest.approx(8 * 4, rel=1e-4)  # the means' distance squared
    spread = normal.var(0).sum().item()  # of the doubled set, standard deviations differ by those of the set itself
    assert metrics.frechet_distance(normal - normal.mean(0), 2 * (normal - normal.mean(0))) == pytest.approx(
        spread, 1e-3
    )


def test_kernel_distance_is_nothing_between_draws_of_one_distribution_and_something_else_elsewhere(normal):
    assert metrics.kernel_distance(normal[:1000], normal[1000:]) == pytest.approx(0, abs=0.01)
    assert metrics.kernel_distance(normal[:1000], normal[1000:] + 1) > 0.5
    state = torch.get_rng_state()
    metrics.kernel_distance(normal[:500], normal[500:])
    assert torch.equal(state, torch.get_rng_state())


def test_a_set_covers_itself_and_nothing_far_away(normal):
    assert metrics.support(normal, normal) == pytest.approx(
        {"precision": 1, "recall": 1, "density": 1.2, "coverage": 1}, abs=0.01
    )  # each lies in its own ball and in five others on average: six over k
    far = metrics.support(normal, normal + 100)
    assert far == {"precision": 0, "recall": 0, "density": 0, "coverage": 0}


def test_a_generator_that_drops_half_of_the_modes_is_precise_but_covers_half(normal):
    a, b = normal[:500], normal[500:1000] + 50
    measured = metrics.support(torch.cat([a, b]), normal[1000:2000])  # around a's centre only
    assert measured["precision"] > 0.8
    assert measured["recall"] == pytest.approx(0.5, abs=0.08)
    assert measured["coverage"] == pytest.approx(0.5, abs=0.05)


def test_entropy_is_greatest_for_all_digits_alike():
    assert metrics.entropy(torch.arange(1000) % 10) == pytest.approx(math.log2(10), abs=1e-6)
    assert metrics.entropy(torch.zeros(10, dtype=torch.long)) == pytest.approx(0, abs=1e-6)
    assert metrics.entropy(torch.arange(10) % 2) == pytest.approx(1)


def test_strokes_of_one_width_are_even_and_others_are_not():
    digits = torch.zeros(4, 1, 28, 28, dtype=torch.uint8)
    digits[0, :, 4:24, 12:16] = digits[1:3, :, 4:14, 12:16] = 255  # of one width; and half of it is
    digits[1, :, 14:24, 13:15] = 255  # … twice as wide as the rest
    digits[2, :, 14:24, 10:18] = 255  # … half as wide as the rest
    assert metrics.stroke_unevenness(digits[:1]) == pytest.approx(0, abs=1e-6)
    assert metrics.stroke_unevenness(digits[1:3]) == pytest.approx(2**0.5 / 5)  # two thirds of the ink twice as wide
    assert metrics.stroke_unevenness(digits[::3]) == metrics.stroke_unevenness(digits[:1])  # an empty one is left out


def test_sharpness_falls_with_blur_and_is_nothing_without_edges():
    sharp = torch.zeros(3, 1, 28, 28)
    sharp[..., 10:18, 10:18] = 255
    blurred = torch.nn.functional.avg_pool2d(sharp, 3, stride=1, padding=1)
    assert metrics.sharpness(blurred.byte()) < 0.7 * metrics.sharpness(sharp.byte())
    assert metrics.sharpness(torch.full((2, 1, 28, 28), 100, dtype=torch.uint8)) == 0


def test_a_copy_is_nearest_to_its_original():
    others = torch.randint(256, (50, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images = others[[3, 7]].clone()
    images[1, 0, 5, 5] ^= 255
    distance = abs(int(images[1, 0, 5, 5]) - int(others[7, 0, 5, 5])) / 255
    assert metrics.nearest(images, others).tolist() == pytest.approx([0, distance], abs=0.02)


def test_a_straight_even_walk_has_length_one_and_a_half_circle_has_pi_over_two():
    share = torch.linspace(0, 1, 101)
    straight = torch.stack([share, 2 * share], 1)[None]  # (1, 101, 2)
    assert metrics.path_lengths(straight) == pytest.approx((1, 0.01), abs=1e-4)
    circle = torch.stack([(math.pi * share).cos(), (math.pi * share).sin()], 1)[None]
    assert metrics.path_lengths(circle) == pytest.approx((math.pi / 2, 0.01), abs=1e-3)
    jump = torch.cat([torch.zeros(1, 5, 1), torch.ones(1, 5, 1)], 1)
    assert metrics.path_lengths(jump) == pytest.approx((1, 1))


@pytest.mark.parametrize("size", [2, 128])
def test_walks_begin_and_end_where_they_should_and_keep_to_the_sphere_in_many_dimensions(size):
    start, end = latents(2, size, seed=0)
    path = interpolation.between(start, end)
    assert path.shape == (interpolation.STEPS, size)
    np.testing.assert_allclose(path[[0, -1]], [start, end], atol=1e-6)
    if size == 2:
        np.testing.assert_allclose(path[16], (start + end) / 2, atol=1e-6)
    else:
        lengths = np.linalg.norm(path, axis=1)
        low, high = sorted([np.linalg.norm(start), np.linalg.norm(end)])
        assert (lengths >= 0.95 * low).all()
        assert (lengths <= 1.05 * high).all()
