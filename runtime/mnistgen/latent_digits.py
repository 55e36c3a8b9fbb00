"""Tell from latents which digits an unconditional model may show, before it draws them.

The largest of the first numbers of a GAN's latent names its digit (`Model.label_bias`). The digits of a VAE form
regions in its plane of latents (`Model.label_map`).
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from mnistgen.manifest import Model

MARGIN = 0.01
"""Difference of two sums of `Model.label_bias` from which the latent is in the cluster of one digit only."""
MAP_LIMIT = 4
"""The map of a plane reaches from -MAP_LIMIT to MAP_LIMIT along both axes."""
_ANY = 255
"""Marks cells outside the map, which may show any digit."""


def tells_digits(model: "Model") -> bool:
    """Return whether the model's latents tell which digits it may show."""
    return bool(model.label_bias or model.label_map)


def may_show(model: "Model", z: NDArray[np.float32], digits: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return whether the images of the latents `z` (m, latent) may show `digits` (m,), for a model that tells."""
    if model.label_map:
        return _is_near_region(model.label_map, z, digits)
    return _is_near_cluster(np.array(model.label_bias, np.float32), z, digits)


def map_cells(z: NDArray[np.float32], side: int) -> NDArray[np.intp]:
    """Return the cells (m, 2) of latents `z` (m, 2) on a map of `side` cells along each axis; outside, -1 or `side`."""
    cells = np.floor((z + np.float32(MAP_LIMIT)) * np.float32(side / (2 * MAP_LIMIT)))
    inside: NDArray[np.intp] = np.clip(cells, -1, side).astype(np.intp)
    return inside


def _is_near_cluster(bias: NDArray[np.float32], z: NDArray[np.float32], digits: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return whether the sums of `digits` (m,) are the largest, or almost."""
    sums = z[:, : len(bias)] + bias  # (m, 10)
    near: NDArray[np.bool_] = sums.max(1) - sums[np.arange(len(z)), digits] <= MARGIN
    return near


def _is_near_region(label_map: list[str], z: NDArray[np.float32], digits: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return whether the cell of a latent or one of its eight neighbors shows the digit; outside the map, any may."""
    side = len(label_map)
    shown = np.frombuffer("".join(label_map).encode(), np.uint8).reshape(side, side) - ord("0")
    shown = np.pad(shown, 2, constant_values=_ANY)
    columns, rows = map_cells(z, side).T + 2  # (m,) each
    around = range(-1, 2)
    neighbors = np.stack([shown[rows + up, columns + right] for up in around for right in around])  # (9, m)
    near: NDArray[np.bool_] = ((neighbors == digits) | (neighbors == _ANY)).any(0)
    return near
