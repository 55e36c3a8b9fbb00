"""Interpolation between latents and between labels, and grids over a plane of latents.

`t` is the position between two points: 0 at the start, 1 at the end.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Between = Callable[[NDArray[np.float32], NDArray[np.float32], NDArray[Any]], NDArray[np.float32]]
"""Interpolates from a start (width,) to an end (width,): points (n, width) at the positions `t` (n, 1)."""

_NEARLY_PARALLEL = 0.01
"""Sine of the angle below which an arc equals a line, and its formula would divide by almost zero."""

_LEAST_WEIGHT = 1e-30
"""Weight of a cluster that has no influence; its logarithm is finite."""


def lerp(start: NDArray[np.float32], end: NDArray[np.float32], t: NDArray[Any]) -> NDArray[np.float32]:
    """Interpolate linearly.

    Between one-hot labels this gives mixtures of two digits.

    Args:
        start: Point (width,).
        end: Point (width,).
        t: Positions (n, 1) in [0, 1].

    Returns:
        Points (n, width), float32.
    """
    points: NDArray[np.float32] = ((1 - t) * start + t * end).astype(np.float32)
    return points


def slerp(start: NDArray[np.float32], end: NDArray[np.float32], t: NDArray[Any]) -> NDArray[np.float32]:
    """Interpolate on the arc around the origin (Shoemake, "Animating rotation with quaternion curves", 1985).

    In many dimensions, normal latents all have about the same norm, which a straight line would leave (White, "Sampling
    generative networks", 2016). Points in the same or in opposite directions are interpolated linearly: no unique arc
    joins them.

    Args:
        start: Point (width,).
        end: Point (width,).
        t: Positions (n, 1) in [0, 1].

    Returns:
        Points (n, width), float32.
    """
    cosine = start @ end / (np.linalg.norm(start) * np.linalg.norm(end))
    angle = np.arccos(np.clip(cosine, -1, 1))
    if np.sin(angle) < _NEARLY_PARALLEL:
        return lerp(start, end, t)
    arc = (np.sin((1 - t) * angle) * start + np.sin(t * angle) * end) / np.sin(angle)
    points: NDArray[np.float32] = arc.astype(np.float32)
    return points


def mix_clusters(
    start: NDArray[np.float32], end: NDArray[np.float32], t: NDArray[Any], bias: Sequence[float], temperature: float
) -> NDArray[np.float32]:
    """Interpolate between latents whose first components choose a cluster by a softmax, as the GAN's.

    The weights of the clusters are interpolated linearly, like labels, and the other components on the arc. On an arc
    of all components, the weights would change from one cluster to the other at once.

    Args:
        start: Point (width,).
        end: Point (width,).
        t: Positions (n, 1) in [0, 1].
        bias: Added to the first components before the softmax, (clusters,).
        temperature: Divides these sums.

    Returns:
        Points (n, width), float32.
    """
    clusters = len(bias)
    first, last = (_cluster_weights(point[:clusters], bias, temperature) for point in (start, end))
    weights = lerp(first, last, t)  # (n, clusters)
    logits = np.log(np.maximum(weights, _LEAST_WEIGHT))  # (n, clusters)
    chosen = (temperature * logits - bias).astype(np.float32)
    return np.concatenate([chosen, slerp(start[clusters:], end[clusters:], t)], 1)


def _cluster_weights(point: NDArray[np.float32], bias: Sequence[float], temperature: float) -> NDArray[np.float32]:
    """Return the softmax of the sums of `point` (clusters,) and `bias`."""
    sums = point.astype(np.float64) + bias
    powers = np.exp((sums - sums.max()) / temperature)
    weights: NDArray[np.float32] = (powers / powers.sum()).astype(np.float32)
    return weights


def path(stops: NDArray[np.float32], frames: int, loop: bool, between: Between) -> NDArray[np.float32]:
    """Interpolate from stop to stop.

    Args:
        stops: Points (k, width).
        frames: Points from one stop to the next, the first stop included.
        loop: Return to the first stop, which is not repeated; otherwise end at the last stop.
        between: How to interpolate.

    Returns:
        Points (length, width), float32. Point i · `frames` is stop i, bit for bit.
    """
    t = np.arange(1, frames)[:, None] / frames  # (frames - 1, 1)
    parts = []
    for start, end in pairwise([*stops, stops[0]] if loop else stops):
        parts += [start[None], between(start, end, t)]
    return np.concatenate(parts if loop else [*parts, stops[-1:]])


def length(stops: int, frames: int, loop: bool) -> int:
    """Return the number of points of a `path` through `stops` stops."""
    return stops * frames if loop else (stops - 1) * frames + 1


def cycle(values: Sequence[int], stops: int) -> list[int]:
    """Return one value per stop; if there are fewer values than stops, they repeat."""
    return [values[i % len(values)] for i in range(stops)]


def latent_grid(side: int) -> NDArray[np.float32]:
    """Return latents (side², 2) in rows from the top left, at evenly spaced quantiles of the unit normal."""
    from statistics import NormalDist  # lazy: importing it takes as long as drawing a digit

    quantiles = [NormalDist().inv_cdf((i + 0.5) / side) for i in range(side)]
    return np.array([(x, y) for y in reversed(quantiles) for x in quantiles], dtype=np.float32)
