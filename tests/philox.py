"""Reference implementation of the latents in plain Python, to port and to test against.

`python tests/philox.py` prints the test vectors in `tests/latents.json`. The random number generator is
Philox4x64-10 (Salmon et al., 2011).
"""

import json
import math
import struct

MASK = 2**64 - 1
MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
WEYL = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)


def philox4x64(counter: int, key: int) -> list[int]:
    """Return four 64-bit words for a 256-bit counter and a 128-bit key."""
    c = [counter >> shift & MASK for shift in (0, 64, 128, 192)]
    k = [key & MASK, key >> 64 & MASK]
    for _ in range(10):
        p0, p1 = MULTIPLIERS[0] * c[0], MULTIPLIERS[1] * c[2]
        c = [p1 >> 64 ^ c[1] ^ k[0], p1 & MASK, p0 >> 64 ^ c[3] ^ k[1], p0 & MASK]
        k = [(k[i] + WEYL[i]) & MASK for i in (0, 1)]
    return c


def latent(size: int, seed: int, index: int, attempt: int = 0) -> list[float]:
    """Return the latent of image `index` of `seed`: `size` normal numbers, rounded to float32."""
    blocks = -(-size // 4)
    words = [word for block in range(blocks) for word in philox4x64(index * blocks + 1 + block, seed | attempt << 64)]
    normals: list[float] = []
    for a, b in zip(words[::2], words[1::2], strict=True):
        u, v = ((a >> 11) + 1) * 2.0**-53, (b >> 11) * 2.0**-53
        radius = math.sqrt(-2 * math.log(u))
        normals += [radius * math.cos(2 * math.pi * v), radius * math.sin(2 * math.pi * v)]
    return [struct.unpack("f", struct.pack("f", normal))[0] for normal in normals[:size]]


ADDRESSES = [(0, 0), (0, 1), (7, 123_456), (2**32, 59_999), (2**64 - 1, 0), (2**64 - 1, 2**63 - 1)]
RESERVED = [1, 2, 1, 3, 199, 1]
"""An attempt number for each address, as used by verified generation."""

if __name__ == "__main__":
    vectors = [
        # Seeds and indices are strings because JSON parsers in many languages have no 64-bit integers.
        {"size": size, "seed": str(seed), "index": str(index), "latent": latent(size, seed, index)}
        for size in (2, 100, 128)
        for seed, index in ADDRESSES
    ]
    vectors += [
        {"size": size, "seed": str(seed), "index": str(index), "attempt": k, "latent": latent(size, seed, index, k)}
        for size in (2, 100, 128)
        for (seed, index), k in zip(ADDRESSES, RESERVED, strict=True)
    ]
    print("[\n" + ",\n".join(map(json.dumps, vectors)) + "\n]")
