"""Walks and manifolds in Python: interpolation between latents and labels."""

from itertools import pairwise
from statistics import NormalDist

import numpy as np
import pytest
from subprocess_helpers import run_python

import mnistgen
from mnistgen import interpolation, walk

TENTHS = np.arange(11)[:, None] / 10


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("frames", [1, 2, 7, 24])
def test_stops_equal_generated_images(generator, frames, loop):
    seeds, digits = [5, 2**64 - 1, 0, 5], [3, 8, 8, 0] if generator.model.classes else [None] * 4
    digits_of_model = digits if generator.model.classes else None
    drawn = generator.walk(seeds=seeds, digits=digits_of_model, frames=frames, loop=loop)
    assert drawn.array.dtype == np.uint8
    assert drawn.array.shape == ((4 if loop else 3) * frames + (not loop), 28, 28)
    stops = [generator.generate(seed=seed, digit=digit)[0] for seed, digit in zip(seeds, digits, strict=True)]
    np.testing.assert_array_equal(drawn[::frames], stops)


def test_loop_does_not_repeat_first_stop(generator):
    there_and_back = generator.walk(seeds=[1, 2, 3, 1], frames=5)
    np.testing.assert_array_equal(generator.walk(seeds=[1, 2, 3], frames=5, loop=True), there_and_back[:-1])


def test_every_step_changes_the_image(generator):
    drawn = generator.walk(seeds=[1, 2, 2], frames=8)
    assert all((before != after).any() for before, after in pairwise(drawn[:9]))
    np.testing.assert_array_equal(drawn[9:], np.repeat(drawn[8:9], 8, axis=0))


def test_fewer_seeds_or_digits_repeat(cgan):
    drawn = cgan.walk(seeds=[1, 2, 3], digits=[3, 8], frames=4)
    np.testing.assert_array_equal(drawn, cgan.walk(seeds=range(1, 4), digits=(3, 8, 3), frames=4))
    drawn = cgan.walk(seeds=7, digits=np.array([3, 8, 1]), frames=4)
    np.testing.assert_array_equal(drawn, cgan.walk(seeds=[7, 7, 7], digits=[3, 8, 1], frames=4))
    drawn = cgan.walk(seeds=np.array([1, 2], dtype=np.uint64), digits=5, frames=4)
    np.testing.assert_array_equal(drawn, cgan.walk(seeds=[1, 2], digits=[5, 5], frames=4))


def test_labels_are_mixed_between_digits(cgan):
    z = np.repeat(cgan.latents(seed=7), 5, axis=0)
    label = np.outer([1, 0.75, 0.5, 0.25, 0], np.eye(10)[3]) + np.outer([0, 0.25, 0.5, 0.75, 1], np.eye(10)[8])
    drawn = cgan.walk(seeds=7, digits=[3, 8], frames=4)
    np.testing.assert_array_equal(drawn, np.rint(cgan.decode(z, label) * 255))


def test_vae_walks_are_linear():
    vae = mnistgen.load("vae", device="cpu")
    a, b = vae.latents(seed=1), vae.latents(seed=2)
    middle = np.rint(vae.decode((a + b) / 2) * 255)
    np.testing.assert_allclose(vae.walk(seeds=[1, 2], frames=2)[1], middle[0], atol=1)


def test_cgan_walks_stay_on_sphere(cgan):
    a, b = cgan.latents(seed=1), cgan.latents(seed=2)
    half = np.arccos(a @ b.T / (np.linalg.norm(a) * np.linalg.norm(b))) / 2
    middle = np.rint(cgan.decode((a + b) / (2 * np.cos(half)), np.eye(10)[:1]) * 255)
    np.testing.assert_allclose(cgan.walk(seeds=[1, 2], frames=2)[1], middle[0], atol=1)


def test_gan_walks_mix_clusters():
    gan = mnistgen.load("gan", device="cpu")
    ends = gan.latents(2, seed=1)  # (2, 100)
    points = walk.between(gan.model)(*ends, TENTHS)  # (11, 100)
    sums = points[:, :10] + np.array(gan.model.label_bias, np.float32)
    shares = np.exp((sums - sums.max(1, keepdims=True)) / gan.model.label_temperature)
    shares /= shares.sum(1, keepdims=True)
    start, end = np.eye(10)[(ends[:, :10] + gan.model.label_bias).argmax(1)]
    assert (start != end).any()
    np.testing.assert_allclose(shares, (1 - TENTHS) * start + TENTHS * end, atol=1e-3)
    np.testing.assert_allclose(points[:, 10:], interpolation.slerp(*ends[:, 10:], TENTHS))


def test_gan_walks_do_not_jump():
    gan = mnistgen.load("gan", device="cpu")
    images = gan.walk(seeds=[1, 2, 3, 4, 5, 6], frames=32).array.astype(float)
    for leg in range(5):
        steps = np.linalg.norm(np.diff(images[32 * leg : 32 * leg + 33], axis=0), axis=(1, 2))  # (32,)
        assert steps.max() < steps.sum() / 5


def test_slerp_turns_evenly():
    start, end = np.array([[3, 0, 0], [0, 0, 2]], dtype=np.float32)
    points = interpolation.slerp(start, end, TENTHS)
    turned = np.arange(11) * np.pi / 20
    np.testing.assert_allclose(points, np.stack([3 * np.cos(turned), 0 * turned, 2 * np.sin(turned)], 1), atol=1e-6)


@pytest.mark.parametrize("factor", [1, 1 + 1e-6, 0.5, -1, -2])
def test_slerp_is_linear_for_parallel_ends(factor):
    start = np.arange(1, 6, dtype=np.float32)
    end = (factor * start).astype(np.float32)
    np.testing.assert_allclose(interpolation.slerp(start, end, TENTHS), (1 - TENTHS) * start + TENTHS * end, atol=1e-5)
    if factor == 1:
        np.testing.assert_array_equal(interpolation.slerp(start, end, TENTHS), np.tile(start, (11, 1)))


def test_slerp_is_continuous_near_parallel_ends():
    start = np.array([1, 0], dtype=np.float32)
    for angle in (0.0099, 0.0101):
        end = np.array([np.cos(angle), np.sin(angle)], dtype=np.float32)
        arc = np.concatenate([np.cos(TENTHS * angle), np.sin(TENTHS * angle)], 1)
        np.testing.assert_allclose(interpolation.slerp(start, end, TENTHS), arc, atol=2e-5)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ({"seeds": [3], "digits": [5]}, "too-few-stops", "1 stop"),
        ({"seeds": []}, "invalid-seed", "seeds is empty"),
        ({"digits": ()}, "invalid-digit", "digits is empty"),
        ({"seeds": [1, -1]}, "invalid-seed", "-1"),
        ({"seeds": [1, 2**64]}, "invalid-seed", "from 0 to 18446744073709551615"),
        ({"seeds": [1, 2.5]}, "invalid-seed", "2.5"),
        ({"seeds": "12"}, "invalid-seed", "'12'"),
        ({"seeds": [[1], [2, 3]]}, "invalid-seed", "[1]"),
        ({"digits": [1, 10]}, "invalid-digit", "10; expected an integer from 0 to 9"),
        ({"seeds": [1, 2], "frames": 0}, "invalid-count", "frames is 0"),
        ({"seeds": [1, 2], "frames": -1}, "invalid-count", "frames is -1"),
        ({"seeds": [1, 2], "frames": 1.5}, "invalid-count", "frames is 1.5"),
        ({"seeds": [1, 2], "frames": 10**15}, "out-of-memory", str(10**15 + 1)),
        ({"seeds": [1, 2], "frames": 2**63 - 1}, "out-of-memory", str(2**63)),
        ({"seeds": range(10**12)}, "invalid-seed", "at most 1000000"),
        ({"seeds": range(2**64)}, "invalid-seed", "at most 1000000"),
        ({"seeds": np.broadcast_to(1, 10**12)}, "invalid-seed", "at most 1000000"),
        ({"digits": np.broadcast_to(1, 10**12)}, "invalid-digit", "at most 1000000"),
    ],
)
def test_walk_rejects_invalid_arguments(cgan, arguments, code, words):
    with pytest.raises(mnistgen.InputError) as caught:
        cgan.walk(**arguments)
    assert caught.value.code == code
    assert words in str(caught.value)


def test_walk_rejects_too_many_latents(cgan, monkeypatch):
    def path(*arguments):
        raise MemoryError

    monkeypatch.setattr(interpolation, "path", path)
    with pytest.raises(mnistgen.InputError, match="25 images") as caught:
        cgan.walk(seeds=[1, 2])
    assert caught.value.code == "out-of-memory"


@pytest.mark.parametrize("name", ["vae", "gan"])
def test_unconditional_models_reject_digits(name):
    with pytest.raises(mnistgen.InputError) as caught:
        mnistgen.load(name).walk(digits=[3, 8])
    assert caught.value.code == "model-unconditional"


def test_manifold_covers_even_quantiles():
    vae = mnistgen.load("vae", device="cpu")
    drawn = vae.manifold(4)
    assert (drawn.shape, drawn.dtype) == ((16, 28, 28), np.uint8)
    outer, inner = NormalDist().inv_cdf(1 / 8), NormalDist().inv_cdf(3 / 8)
    corners = vae.decode([[outer, -outer], [-outer, -outer], [inner, -outer], [-outer, outer]])
    np.testing.assert_array_equal(drawn[[0, 3, 1, 15]], np.rint(corners * 255))
    np.testing.assert_array_equal(vae.manifold(1)[0], np.rint(vae.decode([[0, 0]]) * 255)[0])


def test_manifold_rejects_invalid_arguments(cgan):
    with pytest.raises(mnistgen.InputError) as caught:
        cgan.manifold()
    assert caught.value.code == "model-without-manifold"
    for side, code in ((0, "invalid-count"), (1.5, "invalid-count"), (10**8, "out-of-memory")):
        with pytest.raises(mnistgen.InputError) as caught:
            mnistgen.load("vae").manifold(side)
        assert caught.value.code == code


def test_single_digit_does_not_import_walks():
    code = """
import sys, mnistgen
mnistgen.load("vae").generate()
print({"mnistgen.walk", "mnistgen.interpolation", "statistics"} & {*sys.modules})
"""
    done = run_python(code)
    assert done.stdout == "set()\n"
