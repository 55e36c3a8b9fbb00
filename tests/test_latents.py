"""Contract C4: a seed is an address."""

import json
from pathlib import Path

import numpy as np
import philox
import pytest

from mnistgen.latents import latents

VECTORS = json.loads((Path(__file__).parent / "latents.json").read_text())


def test_reference_philox_gives_the_known_answers_of_its_authors():
    # Random123's kat_vectors, philox4x64 10: zeros, and all ones.
    zeros = [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B]
    ones = [0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0]
    assert philox.philox4x64(0, 0) == zeros
    assert philox.philox4x64(2**256 - 1, 2**128 - 1) == ones


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: f"{v['size']}-{v['seed']}-{v['index']}")
def test_latents_are_the_published_test_vectors(vector):
    seed, index = int(vector["seed"]), int(vector["index"])
    expected = np.array(vector["latent"], dtype=np.float32)
    # log, cos and sin may differ in the last bit of float64 between machines, and so round to a neighbouring float32.
    for got in (latents(1, vector["size"], seed, index)[0], philox.latent(vector["size"], seed, index)):
        np.testing.assert_array_almost_equal_nulp(np.array(got, dtype=np.float32), expected, nulp=1)


@pytest.mark.parametrize("size", [2, 100, 128])
def test_a_latent_depends_on_seed_and_index_alone(size):
    many = latents(50, size, seed=3, start=1000)
    one_by_one = [latents(1, size, seed=3, start=1000 + i)[0] for i in range(50)]
    np.testing.assert_array_equal(many, one_by_one)
    assert not (many == latents(50, size, seed=4, start=1000)).any()


def test_latents_are_unit_normal():
    z = latents(20_000, 100, seed=0)
    assert z.dtype == np.float32
    assert np.isfinite(z).all()
    assert abs(z.mean()) < 0.005
    assert abs(z.std() - 1) < 0.005
    assert abs((np.abs(z) < 1).mean() - 0.6827) < 0.005
