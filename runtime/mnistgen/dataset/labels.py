"""Labels of a dataset: exact counts in shuffled order, computed for any part of it.

Shuffling a list needs the whole list in memory. Here, a position's rank comes from a permutation that is computed: a
Feistel network (Luby & Rackoff 1988), the construction of block ciphers, maps each number of a fixed size to another,
none twice. Its size is the smallest power of four that holds all positions. A result beyond the last position is mapped
again until it is below (cycle walking, Black & Rogaway 2002). The rank then gives the label: the first `counts[0]`
ranks are zeros, the next `counts[1]` ones, and so on. So a billion labels need as little memory as ten.
"""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

_ROUNDS = 8
_STREAMS = 2**63
"""Second words of Philox keys from here on belong to orders; latents have 0, reserve latents small numbers."""


def apportion(total: int, shares: Sequence[int | Fraction]) -> list[int]:
    """Split `total` into integers proportional to `shares` by largest remainder; ties go to the first."""
    quotas = [total * Fraction(share) / sum(shares) for share in shares]
    counts = [int(quota) for quota in quotas]
    by_remainder = sorted(range(len(counts)), key=lambda i: counts[i] - quotas[i])
    for i in by_remainder[: total - sum(counts)]:
        counts[i] += 1
    return counts


class Labels:
    """Labels in an order determined by a seed.

    Args:
        counts: Number of labels of each class.
        seed: Integer from 0 to 2⁶⁴ - 1.
        stream: Integer from 0 to 2⁶³ - 1; each stream of a seed has another order.
    """

    def __init__(self, counts: Sequence[int], seed: int, stream: int):
        self._ends = np.cumsum(counts)
        self._n = sum(counts)
        self._keys = np.random.Philox(key=seed | (_STREAMS + stream) << 64).random_raw(_ROUNDS)
        self._half = np.uint64(max(1, ((self._n - 1).bit_length() + 1) // 2))  # bits of half a position

    def __call__(self, first: int, stop: int) -> NDArray[np.uint8]:
        """Return the labels (stop - first,) at the positions `first` to `stop` - 1."""
        ranks = self._permute(np.arange(first, stop, dtype=np.uint64))
        while (outside := ranks >= self._n).any():
            ranks[outside] = self._permute(ranks[outside])
        return np.searchsorted(self._ends, ranks, side="right").astype(np.uint8)

    def _permute(self, positions: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Map numbers of two halves (m,) to other such numbers, no two to the same."""
        mask = (np.uint64(1) << self._half) - np.uint64(1)
        left, right = positions >> self._half, positions & mask
        for key in self._keys:
            left, right = right, left ^ (_mix(right ^ key) & mask)
        return left << self._half | right


def _mix(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Mix words (m,) so that each bit depends on all bits (the finalizer of SplitMix64, Steele et al. 2014)."""
    words = (words ^ words >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ words >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return words ^ words >> np.uint64(31)
