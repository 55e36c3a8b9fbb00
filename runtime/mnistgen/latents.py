"""The latents that a seed stands for: image i of seed s depends on (s, i) alone.

Words come from Philox4x64-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011) with key (s, 0).
Image i owns the counter blocks i·B + 1 to (i + 1)·B, of four words each, B = ceil(size / 4). Each pair of words (a, b)
becomes two normals (Box & Muller 1958): u = ((a >> 11) + 1)·2⁻⁵³, v = (b >> 11)·2⁻⁵³, r = √(−2 ln u), r·cos 2πv and
r·sin 2πv, in float64, then rounded to float32.

Where an image is drawn anew (`mnistgen.verify`), attempt k = 1, 2, … takes key (s, k) and the same counters: reserve
addresses, which are no image's own.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

SEED_END = 2**64
"""Seeds are 0 to SEED_END - 1."""
INDEX_END = 2**63
"""Indices of images are 0 to INDEX_END - 1."""


def latents(n: int, size: int, seed: int, start: int = 0) -> NDArray[np.float32]:
    """Latents (n, size), float32 and unit normal, of the images `start` to `start` + `n` - 1 of `seed`.

    The caller sees to the ranges: n ≥ 1, 0 ≤ seed < SEED_END, 0 ≤ start and start + n ≤ INDEX_END.
    """
    blocks = -(-size // 4)
    # NumPy's Philox steps its counter before it draws, so the first block is start·B + 1; blocks follow one another.
    words = np.random.Philox(key=seed, counter=start * blocks).random_raw(4 * blocks * n)
    return _normals(words.reshape(n, -1), size)


def reserve_latents(indices: Iterable[int], size: int, seed: int, attempt: int) -> NDArray[np.float32]:
    """Latents (n, size), float32 and unit normal, of an attempt at the images `indices` (n, ascending) of `seed`.

    Attempt 0 gives the images' own. The caller sees to the ranges: n ≥ 1, 0 ≤ attempt < 2⁶⁴, others as for `latents`.
    """
    blocks = -(-size // 4)
    stream = np.random.Philox(key=seed + (attempt << 64), counter=0)
    words, at = [], 0
    for index in indices:
        stream.advance((index - at) * blocks)
        words.append(stream.random_raw(4 * blocks))
        at = index + 1
    return _normals(np.stack(words), size)


def _normals(words: NDArray[np.uint64], size: int) -> NDArray[np.float32]:
    """Words (n, 4B) → normals (n, size), by Box and Muller."""
    first, second = words.reshape(len(words), -1, 2).transpose(2, 0, 1)  # (n, 2B) each
    u = ((first >> np.uint64(11)) + np.uint64(1)) * 2.0**-53  # in (0, 1]
    v = (second >> np.uint64(11)) * 2.0**-53  # in [0, 1)
    radius, angle = np.sqrt(-2 * np.log(u)), 2 * np.pi * v
    normals = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 2).reshape(len(words), -1)  # (n, 4B)
    return normals[:, :size].astype(np.float32)


def one_hot(digits: NDArray[np.integer], classes: int = 10) -> NDArray[np.float32]:
    """Digits (n,) → labels (n, classes), 1 in the digit's column and 0 elsewhere."""
    labels: NDArray[np.float32] = np.eye(classes, dtype=np.float32)[digits]
    return labels
