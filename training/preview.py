"""Preview of digits in a terminal. `mnistgen/output/images.py` has the runtime's."""

import shutil
import sys

import torch
from torch import Tensor

BLOCKS = " ▀▄█"
"""Half-block characters by ink: none, upper pixel, lower pixel, both."""
_MARGIN = 4
"""Pixels on each side of an image that MNIST's digits leave empty."""


def terminal_preview(images: Tensor) -> str:
    """Return `preview` of images (N, 1, 28, 28) for the terminal on stdout; empty if there is none.

    It is also empty if the terminal is narrower than a digit or cannot show the characters.
    """
    if not sys.stdout.isatty():
        return ""
    try:
        BLOCKS.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return ""
    return preview(images, shutil.get_terminal_size().columns)


def preview(images: Tensor, columns: int) -> str:
    """Show a row of digits, evenly spaced in `images` (N, 1, 28, 28) in [0, 1], as many as fit in `columns`.

    Pixels with more than half of the largest value are ink, because digits are faint at the start of a training.
    """
    center = images[:, 0, _MARGIN:-_MARGIN, _MARGIN:-_MARGIN]  # (N, 20, 20)
    ink = center > center.amax() / 2  # (N, 20, 20)
    n = min(10, len(ink), columns // ink.shape[2])
    if n == 0:
        return ""
    chosen = torch.linspace(0, len(ink) - 1, n).long().tolist()
    row = torch.cat([ink[i] for i in chosen], 1).long()  # (20, 20n)
    lines = (row[::2] + 2 * row[1::2]).tolist()  # (10, 20n)
    return "\n".join("".join(BLOCKS[block] for block in line).rstrip() for line in lines)
