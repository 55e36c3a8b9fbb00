"""Map which digits a model with a plane of latents shows, so that the runtime need not draw the others."""

import numpy as np
from numpy.typing import NDArray

from mnistgen import verify
from mnistgen.inference.session import open_session
from mnistgen.latent_digits import MAP_LIMIT

SIDE = 128
"""Number of cells along each axis; the manifest requires it."""


def label_map(content: bytes, verifier: bytes) -> list[str]:
    """Return `Model.label_map`: the digit that the verifier accepts in the center of each cell, or "-" for none.

    The runtime looks at neighboring cells, too, so that one latent per cell suffices.

    Args:
        content: ONNX file of a model with two latents and no labels.
        verifier: ONNX file of the verifier.
    """
    model, reader = open_session(content, "cpu"), open_session(verifier, "cpu")
    axis = ((np.arange(SIDE) + 0.5) / SIDE * 2 - 1) * MAP_LIMIT
    rows = []
    for y in axis:
        z = np.stack([axis, np.full(SIDE, y)], 1).astype(np.float32)  # (SIDE, 2)
        (images,) = model.run(["image"], {"z": z})  # (SIDE, 1, 28, 28)
        levels = np.rint(images * 255) / np.float32(255)
        (read,) = reader.run([verify.OUTPUT], {verify.INPUT: levels})  # (SIDE, 10)
        rows.append(_characters(read))
    return rows


def _characters(row: NDArray[np.float32]) -> str:
    """Return the digits of cells with these probabilities (SIDE, 10)."""
    accepted = row.max(1) >= verify.THRESHOLD
    return "".join(str(digit) if legible else "-" for digit, legible in zip(row.argmax(1), accepted, strict=True))
