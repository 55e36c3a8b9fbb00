"""Labels of a dataset: exact counts in shuffled order."""

import numpy as np
import pytest

from mnistgen.dataset.labels import Labels, apportion


@pytest.mark.parametrize(
    ("total", "shares", "counts"),
    [
        (60_000, [1] * 10, [6000] * 10),
        (13, [1] * 10, [2, 2, 2, 1, 1, 1, 1, 1, 1, 1]),
        (10, [1, 1, 1], [4, 3, 3]),
        (7, [0, 2, 0, 1], [0, 5, 0, 2]),
        (100, [0.2, 0.05, 0.75], [20, 5, 75]),
        (3, [6, 3, 1], [2, 1, 0]),
        (0, [1, 2], [0, 0]),
    ],
)
def test_counts_use_largest_remainder(total, shares, counts):
    assert apportion(total, shares) == counts


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 15, 16, 17, 64, 65, 1000, 5003])
def test_order_has_exact_counts(n):
    counts = apportion(n, [3, 1, 0, 2])
    labels = Labels(counts, seed=7, stream=1)
    order = labels(0, n)
    assert np.bincount(order, minlength=4).tolist() == counts
    np.testing.assert_array_equal(np.concatenate([labels(i, i + 1) for i in range(min(n, 70))]), order[:70])
    np.testing.assert_array_equal(labels(n // 3, n), order[n // 3 :])


def test_order_is_shuffled_evenly():
    order = Labels([2000] * 10, seed=0, stream=1)(0, 20_000)
    for lag in (1, 2, 141, 10_000):  # 141 is about the width of the network's halves
        pairs = np.histogram2d(order[:-lag], order[lag:], bins=10)[0]
        expected = (20_000 - lag) / 100
        assert 40 < ((pairs - expected) ** 2 / expected).sum() < 160  # chi-square of 81 degrees: 81 ± 13
    parts = np.stack([np.bincount(part, minlength=10) for part in np.split(order, 20)])
    assert 110 < ((parts - 100.0) ** 2 / 100).sum() < 260  # 171 degrees


def test_order_depends_on_seed_and_set():
    orders = [Labels([10] * 10, seed, stream)(0, 100) for seed, stream in ((0, 1), (1, 1), (0, 2), (2**64 - 1, 1))]
    assert len({order.tobytes() for order in orders}) == 4
    assert orders[0][:20].tolist() == [9, 3, 4, 7, 2, 3, 1, 7, 4, 8, 9, 0, 5, 1, 9, 3, 2, 5, 2, 2]
