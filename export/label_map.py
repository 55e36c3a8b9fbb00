"""Map which digits a model with a plane of latents shows, so that the runtime need not draw the others."""

import numpy as np
from numpy.typing import NDArray

from mnistgen import verify
from mnistgen.inference.session import open_session
from mnistgen.latent_digits import MAP_LIMIT

SIDE = 128
"""Number of cells along each axis; the manifest requires it."""
SAMPLES = 2
"""Latents per cell along each axis. The runtime looks at neighboring cells, too, so that few suffice."""
_ROWS = 4
"""Rows of cells that are drawn at once."""


def label_map(content: bytes, verifier: bytes) -> list[str]:
    """Return `Model.label_map`: the digit of each cell that the verifier accepts, or "-" if it accepts none.

    Args:
        content: ONNX file of a model with two latents and no labels.
        verifier: ONNX file of the verifier.
    """
    model, reader = open_session(content, "cpu"), open_session(verifier, "cpu")
    count = SIDE * SAMPLES
    axis = ((np.arange(count) + 0.5) / count * 2 - 1) * MAP_LIMIT
    rows = []
    for ys in np.split(axis, SIDE // _ROWS):
        z = np.stack(np.meshgrid(axis, ys), -1).reshape(-1, 2).astype(np.float32)  # x changes fastest
        (images,) = model.run(["image"], {"z": z})  # (n, 1, 28, 28)
        levels = np.rint(images * 255) / np.float32(255)
        (read,) = reader.run([verify.OUTPUT], {verify.INPUT: levels})  # (n, 10)
        cells = read.reshape(_ROWS, SAMPLES, SIDE, SAMPLES, 10).max((1, 3))  # (_ROWS, SIDE, 10)
        rows += [_characters(row) for row in cells]
    return rows


def _characters(row: NDArray[np.float32]) -> str:
    """Return the digits of cells with these probabilities (SIDE, 10)."""
    accepted = row.max(1) >= verify.THRESHOLD
    return "".join(str(digit) if legible else "-" for digit, legible in zip(row.argmax(1), accepted, strict=True))
