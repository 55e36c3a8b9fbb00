"""Contract C4: a seed is an address."""

import json
from pathlib import Path

import numpy as np
import philox
import pytest

from mnistgen.latents import joined_latents, latents, reserve_latents

VECTORS = json.loads((Path(__file__).parent / "latents.json").read_text())


def test_reference_philox_known_answers():
    # Random123's kat_vectors, philox4x64 10: zeros, and all ones.
    zeros = [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B]
    ones = [0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0]
    assert philox.philox4x64(0, 0) == zeros
    assert philox.philox4x64(2**256 - 1, 2**128 - 1) == ones


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: f"{v['size']}-{v['seed']}-{v['index']}-{v.get('attempt', 0)}")
def test_latents_match_published_vectors(vector):
    size, seed, index, attempt = vector["size"], int(vector["seed"]), int(vector["index"]), vector.get("attempt", 0)
    expected = np.array(vector["latent"], dtype=np.float32)
    drawn = [reserve_latents([index], size, seed, attempt)[0], philox.latent(size, seed, index, attempt)]
    if not attempt:
        drawn.append(latents(1, size, seed, index)[0])
    # log, cos and sin may differ in the last bit of float64 between machines, and so round to a neighbouring float32.
    for got in drawn:
        np.testing.assert_array_almost_equal_nulp(np.array(got, dtype=np.float32), expected, nulp=1)


@pytest.mark.parametrize("size", [2, 100, 128])
def test_latent_depends_on_seed_and_index(size):
    many = latents(50, size, seed=3, start=1000)
    one_by_one = [latents(1, size, seed=3, start=1000 + i)[0] for i in range(50)]
    np.testing.assert_array_equal(many, one_by_one)
    assert not (many == latents(50, size, seed=4, start=1000)).any()


@pytest.mark.parametrize("size", [2, 100, 128])
def test_joined_latents_are_those_of_each_call(size):
    parts = [(1, 7, 0), (3, 2**64 - 1, 5), (2, 0, 2**62)]
    expected = np.concatenate([latents(n, size, seed, start) for n, seed, start in parts])
    np.testing.assert_array_equal(joined_latents(parts, size), expected)


@pytest.mark.parametrize("size", [2, 100, 128])
def test_reserve_latents_are_unique(size):
    indices = [0, 1, 2, 50, 51, 2**63 - 1]
    together = reserve_latents(indices, size, seed=3, attempt=2)
    alone = [reserve_latents([index], size, seed=3, attempt=2)[0] for index in indices]
    np.testing.assert_array_equal(together, alone)
    others = [latents(100, size, seed=3), latents(100, size, seed=5), reserve_latents(range(100), size, 3, attempt=1)]
    assert not {row.tobytes() for row in together} & {row.tobytes() for row in np.concatenate(others)}


def test_latents_are_unit_normal():
    z = latents(20_000, 100, seed=0)
    assert z.dtype == np.float32
    assert np.isfinite(z).all()
    assert abs(z.mean()) < 0.005
    assert abs(z.std() - 1) < 0.005
    assert abs((np.abs(z) < 1).mean() - 0.6827) < 0.005
