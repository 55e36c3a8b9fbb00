"""The latents that a seed stands for: image i of seed s depends on (s, i) alone.

Words come from Philox4x64-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011) with key (s, 0).
Image i owns the counter blocks i·B + 1 to (i + 1)·B, of four words each, B = ceil(size / 4). Each pair of words (a, b)
becomes two normals (Box & Muller 1958): u = ((a >> 11) + 1)·2⁻⁵³, v = (b >> 11)·2⁻⁵³, r = √(−2 ln u), r·cos 2πv and
r·sin 2πv, in float64, then rounded to float32.
"""

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
    first, second = words.reshape(n, 2 * blocks, 2).transpose(2, 0, 1)  # (n, 2B) each
    u = ((first >> np.uint64(11)) + np.uint64(1)) * 2.0**-53  # in (0, 1]
    v = (second >> np.uint64(11)) * 2.0**-53  # in [0, 1)
    radius, angle = np.sqrt(-2 * np.log(u)), 2 * np.pi * v
    normals = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 2).reshape(n, -1)  # (n, 4B)
    return normals[:, :size].astype(np.float32)
