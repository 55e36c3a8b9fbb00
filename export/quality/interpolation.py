"""Walks through a model's latents, which show how smoothly its digits change."""

import numpy as np
from numpy.typing import NDArray

from mnistgen import Generator
from mnistgen.interpolation import lerp, slerp
from mnistgen.latents import one_hot

STEPS = 33
"""Points of a walk, both ends counted."""


def between(start: NDArray[np.float32], end: NDArray[np.float32], steps: int = STEPS) -> NDArray[np.float32]:
    """Latents (steps, latent) from `start` (latent,) to `end`: straight in a plane, else along the sphere."""
    way = lerp if len(start) == 2 else slerp
    return way(start, end, np.linspace(0, 1, steps)[:, None])


def label(digit: int, n: int) -> NDArray[np.float32]:
    """Labels (n, 10) that all ask for `digit`."""
    return one_hot(np.full(n, digit))


def walk(
    generator: Generator, start: NDArray[np.float32], end: NDArray[np.float32], digit: int, steps: int = STEPS
) -> NDArray[np.uint8]:
    """What is drawn on the way between two latents, uint8 (steps, 28, 28), all `digit` where the model takes one."""
    path = between(start, end, steps)
    return as_shipped(generator.decode(path, label(digit, steps) if generator.model.classes else None))


def as_shipped(images: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Digits in [0, 1] as the runtime's grey levels."""
    return np.rint(images * 255).astype(np.uint8)
