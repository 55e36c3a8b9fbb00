"""Interpolations between latents, which show how smoothly the images change."""

import numpy as np
from numpy.typing import NDArray

from mnistgen import Generator
from mnistgen.interpolation import lerp, slerp
from mnistgen.latents import one_hot

STEPS = 33
"""Number of points, both ends included."""


def interpolate_latents(
    start: NDArray[np.float32], end: NDArray[np.float32], steps: int = STEPS
) -> NDArray[np.float32]:
    """Return latents (steps, latent) from `start` (latent,) to `end`: linear if in two dimensions, else spherical."""
    path = lerp if len(start) == 2 else slerp
    return path(start, end, np.linspace(0, 1, steps)[:, None])


def interpolate(
    generator: Generator, start: NDArray[np.float32], end: NDArray[np.float32], digit: int, steps: int = STEPS
) -> NDArray[np.uint8]:
    """Return images uint8 (steps, 28, 28) between two latents; of the label `digit` if the model is conditional."""
    labels = one_hot(np.full(steps, digit)) if generator.model.classes else None  # (steps, 10)
    return to_uint8(generator.decode(interpolate_latents(start, end, steps), labels))


def to_uint8(images: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Convert images in [0, 1] to grey levels, like the runtime."""
    return np.rint(images * 255).astype(np.uint8)
