"""Which digit each image of a dataset shows: exact counts, in an order that is shuffled without being kept.

A position's rank comes from a permutation that is computed, not stored: a Feistel network (Luby & Rackoff 1988) on the
smallest power of four that holds all positions, walked until it falls among them (Black & Rogaway 2002). So any part of
the order is there at once, in as little memory for a billion images as for ten.
"""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

_ROUNDS = 8
_STREAMS = 2**63
"""Second words of Philox's keys from here on are those of orders; latents have 0, and small ones are kept for more."""


def apportion(total: int, shares: Sequence[int | Fraction]) -> list[int]:
    """`total` in whole numbers proportional to `shares`, by largest remainder; of equal remainders the first gains."""
    quotas = [total * Fraction(share) / sum(shares) for share in shares]
    counts = [int(quota) for quota in quotas]
    by_remainder = sorted(range(len(counts)), key=lambda i: counts[i] - quotas[i])
    for i in by_remainder[: total - sum(counts)]:
        counts[i] += 1
    return counts


class Labels:
    """As many labels of each class as `counts` says, in an order that (`seed`, `stream`) determines."""

    def __init__(self, counts: Sequence[int], seed: int, stream: int):
        """`seed` is 0 to 2⁶⁴ - 1; `stream`, 0 to 2⁶³ - 1, tells the orders of one seed apart."""
        self._ends = np.cumsum(counts)
        self._n = sum(counts)
        self._keys = np.random.Philox(key=seed | (_STREAMS + stream) << 64).random_raw(_ROUNDS)
        self._half = np.uint64(max(1, ((self._n - 1).bit_length() + 1) // 2))  # bits of half a position

    def __call__(self, first: int, stop: int) -> NDArray[np.uint8]:
        """The labels (stop - first,) of the positions `first` to `stop` - 1."""
        ranks = self._permute(np.arange(first, stop, dtype=np.uint64))
        while (outside := ranks >= self._n).any():
            ranks[outside] = self._permute(ranks[outside])
        return np.searchsorted(self._ends, ranks, side="right").astype(np.uint8)

    def _permute(self, positions: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Numbers of two halves (m,) → other such numbers, no two the same."""
        mask = (np.uint64(1) << self._half) - np.uint64(1)
        left, right = positions >> self._half, positions & mask
        for key in self._keys:
            left, right = right, left ^ (_mix(right ^ key) & mask)
        return left << self._half | right


def _mix(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Words (m,) whose every bit depends on all bits of the given (the finaliser of SplitMix64, Steele et al. 2014)."""
    words = (words ^ words >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ words >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return words ^ words >> np.uint64(31)
