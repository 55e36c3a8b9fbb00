"""Ways through what a generator can draw: between latents, between digits, and all over a plane.

On a way, `share` tells how far one has come: 0 at its start, 1 at its end.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Way = Callable[[NDArray[np.float32], NDArray[np.float32], NDArray[Any]], NDArray[np.float32]]
"""From a start (width,) to an end (width,): the points (n, width) at the shares (n, 1)."""

_STRAIGHT = 0.01
"""Sine of an angle so small that an arc is as good as straight, while its formula divides by next to nothing."""


def lerp(start: NDArray[np.float32], end: NDArray[np.float32], t: NDArray[Any]) -> NDArray[np.float32]:
    """Points (n, width), float32, of the straight line from `start` (width,) to `end`, at the shares (n, 1).

    Between one-hot labels these are mixtures: so much of the one digit, the rest of the other.
    """
    points: NDArray[np.float32] = ((1 - t) * start + t * end).astype(np.float32)
    return points


def slerp(start: NDArray[np.float32], end: NDArray[np.float32], t: NDArray[Any]) -> NDArray[np.float32]:
    """Points (n, width), float32, of the arc about the origin from `start` (width,) to `end`, at the shares (n, 1).

    This is Shoemake's spherical linear interpolation ("Animating rotation with quaternion curves", 1985). In many
    dimensions normal latents all lie about as far from the origin, and a straight line would leave those distances on
    its way (White, "Sampling generative networks", 2016). Where both point the same way, or opposite ways, which no
    one arc joins, the line is straight.
    """
    cosine = start @ end / (np.linalg.norm(start) * np.linalg.norm(end))
    angle = np.arccos(np.clip(cosine, -1, 1))
    if np.sin(angle) < _STRAIGHT:
        return lerp(start, end, t)
    arc = (np.sin((1 - t) * angle) * start + np.sin(t * angle) * end) / np.sin(angle)
    points: NDArray[np.float32] = arc.astype(np.float32)
    return points


def path(stops: NDArray[np.float32], frames: int, loop: bool, way: Way) -> NDArray[np.float32]:
    """Points (length, width), float32, of a path by one `way` after another through `stops` (k, width).

    Stop i is the point i · `frames`, to the last bit. A path ends at its last stop, and a `loop` one step before its
    first.
    """
    t = np.arange(1, frames)[:, None] / frames  # (frames - 1, 1)
    parts = []
    for start, end in pairwise([*stops, stops[0]] if loop else stops):
        parts += [start[None], way(start, end, t)]
    return np.concatenate(parts if loop else [*parts, stops[-1:]])


def length(stops: int, frames: int, loop: bool) -> int:
    """Points of a path through as many `stops`, `frames` of them for each leg."""
    return stops * frames if loop else (stops - 1) * frames + 1


def in_turn(values: Sequence[int], stops: int) -> list[int]:
    """The values for as many `stops`: where they are fewer, they begin again."""
    return [values[i % len(values)] for i in range(stops)]


def latent_grid(side: int) -> NDArray[np.float32]:
    """Latents (side², 2), float32, in rows from the top left: those that cut the unit normal's probability evenly."""
    from statistics import NormalDist  # here, since it takes as long to import as a digit to draw

    marks = [NormalDist().inv_cdf((i + 0.5) / side) for i in range(side)]
    return np.array([(x, y) for y in reversed(marks) for x in marks], dtype=np.float32)
