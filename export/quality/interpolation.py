"""Interpolations between latents, which show how smoothly the images change."""

import numpy as np
from numpy.typing import NDArray

from mnistgen import Generator
from mnistgen.latents import one_hot
from mnistgen.walk import between

STEPS = 33
"""Number of points, both ends included."""


def interpolate(
    generator: Generator, start: NDArray[np.float32], end: NDArray[np.float32], digit: int, steps: int = STEPS
) -> NDArray[np.uint8]:
    """Return images uint8 (steps, 28, 28) between two latents, as in a walk.

    A conditional model generates the label `digit`.
    """
    labels = one_hot(np.full(steps, digit)) if generator.model.classes else None  # (steps, 10)
    latents = between(generator.model)(start, end, np.linspace(0, 1, steps)[:, None])  # (steps, latent)
    return to_uint8(generator.decode(latents, labels))


def to_uint8(images: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Convert images in [0, 1] to grey levels, like the runtime."""
    return np.rint(images * 255).astype(np.uint8)
