"""Latents for seeds: a seed is an address.

A pseudo-random generator normally has a state, so that image 1000 needs the 999 before it. A counter-based generator
has none: it encrypts a counter with a key. With the seed as the key and the image's index as the counter, any image of
any seed is computed directly, on any machine, in any order (contract C4).

The generator is Philox4x64-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011) with key (s, 0).
Image i owns the counter blocks i·B + 1 to (i + 1)·B, of four words each, B = ceil(size / 4). Each pair of words (a, b)
becomes two normals (Box & Muller 1958): u = ((a >> 11) + 1)·2⁻⁵³, v = (b >> 11)·2⁻⁵³, r = √(−2 ln u), r·cos 2πv and
r·sin 2πv, in float64, rounded to float32.

If verification rejects an image (`mnistgen.verify`), attempt k = 1, 2, … uses key (s, k) and the same counters. These
reserve addresses belong to no image.
"""

import secrets
import threading
from collections.abc import Iterable

import numpy as np
from numpy.random import Philox  # here, since NumPy imports it lazily, in whichever thread is first
from numpy.typing import NDArray

SEED_END = 2**64
"""Seeds are 0 to SEED_END - 1."""
INDEX_END = 2**63
"""Indices of images are 0 to INDEX_END - 1."""


def random_seed() -> int:
    """Return a seed of 32 random bits from the operating system: short enough to note down."""
    return secrets.randbits(32)


def latents(n: int, size: int, seed: int, start: int = 0) -> NDArray[np.float32]:
    """Return the latents of the images `start` to `start` + `n` - 1 of `seed`.

    The caller validates the arguments: n ≥ 1, size ≥ 1, 0 ≤ seed < 2⁶⁴, 0 ≤ start, start + n ≤ 2⁶³.

    Returns:
        Unit normal values (n, size), float32.
    """
    return _normals(_words(n, size, seed, start), size)


def joined_latents(parts: Iterable[tuple[int, int, int]], size: int) -> NDArray[np.float32]:
    """Return the latents of several calls of `latents`, one after the other, at less cost.

    Args:
        parts: `n`, `seed` and `start` of each call.
        size: As in `latents`.
    """
    return _normals(np.concatenate([_words(n, size, seed, start) for n, seed, start in parts]), size)


def reserve_latents(indices: Iterable[int], size: int, seed: int, attempt: int) -> NDArray[np.float32]:
    """Return the latents of an attempt at the images `indices` of `seed`; attempt 0 gives those of `latents`.

    The caller validates the arguments: indices ascending, 0 ≤ attempt < 2⁶⁴, others as for `latents`.

    Returns:
        Unit normal values (n, size), float32.
    """
    blocks = -(-size // 4)
    stream = Philox(key=seed + (attempt << 64), counter=0)
    words, position = [], 0
    for index in indices:
        stream.advance((index - position) * blocks)
        words.append(stream.random_raw(4 * blocks))
        position = index + 1
    return _normals(np.stack(words), size)


def _words(n: int, size: int, seed: int, start: int) -> NDArray[np.uint64]:
    """Return the words (n, 4B) of the arguments of `latents`."""
    blocks = -(-size // 4)
    # NumPy's Philox steps its counter before it draws, so the first block is start·B + 1; blocks follow one another.
    return _reused.stream(seed, start * blocks).random_raw(4 * blocks * n).reshape(n, -1)


class _Reused(threading.local):
    """A generator for each thread: creating one reads the system's entropy, which takes longer than a few words."""

    def __init__(self) -> None:
        self._philox = Philox(key=0)
        self._state = self._philox.state  # at the end of its buffer, so that the next word comes from the counter

    def stream(self, seed: int, counter: int) -> Philox:
        """Return the generator with this key and counter, until the next call in the thread."""
        numbers = self._state["state"]
        numbers["key"][0] = seed
        numbers["counter"][0], numbers["counter"][1] = counter & _WORD, counter >> 64
        self._philox.state = self._state
        return self._philox


_WORD = 2**64 - 1
_reused = _Reused()


def _normals(words: NDArray[np.uint64], size: int) -> NDArray[np.float32]:
    """Transform words (n, 4B) to normals (n, size)."""
    first, second = words.reshape(len(words), -1, 2).transpose(2, 0, 1)  # (n, 2B) each
    u = ((first >> np.uint64(11)) + np.uint64(1)) * 2.0**-53  # in (0, 1]
    v = (second >> np.uint64(11)) * 2.0**-53  # in [0, 1)
    radius, angle = np.sqrt(-2 * np.log(u)), 2 * np.pi * v
    normals = np.empty((*u.shape, 2))  # (n, 2B, 2)
    np.multiply(radius, np.cos(angle), out=normals[..., 0])
    np.multiply(radius, np.sin(angle), out=normals[..., 1])
    return normals.reshape(len(words), -1)[:, :size].astype(np.float32)


def one_hot(digits: NDArray[np.integer], classes: int = 10) -> NDArray[np.float32]:
    """Return labels (n, classes) for digits (n,): 1 in the column of the digit, 0 elsewhere."""
    labels: NDArray[np.float32] = np.eye(classes, dtype=np.float32)[digits]
    return labels
