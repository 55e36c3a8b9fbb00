"""The report's pictures, each as the bytes of a PNG file."""

import io
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from export.quality import interpolation
from mnistgen import Generator
from mnistgen.interpolation import lerp
from mnistgen.latents import one_hot
from mnistgen.output.images import grid

Pictures = NDArray[np.uint8]
"""Digits (n, 28, 28), ink 255."""


def sheet(digits: Pictures, columns: int = 10) -> bytes:
    """Digits in rows of `columns`, twice enlarged."""
    return _png(grid(digits, 2, columns))


def captioned(digits: Pictures, captions: Sequence[str], columns: int = 10) -> bytes:
    """Digits in rows of `columns`, each under its caption."""
    rows = -(-len(digits) // columns)
    figure = Figure(figsize=(0.85 * columns, 0.95 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for axes, digit, caption in zip(panels, digits, captions, strict=True):
        axes.imshow(255 - digit, cmap="gray", vmin=0, vmax=255)
        axes.set_title(caption, fontsize="small")
        axes.set_axis_off()
    return _figure(figure)


def side_by_side(left: Pictures, right: Pictures) -> bytes:
    """Two grids with a gap between them."""
    a, b = grid(left, 2), grid(right, 2)
    gap = np.full((len(a), 28), 255, dtype=np.uint8)
    return _png(np.concatenate([a, gap, b], axis=1))


def manifold(vae: Generator, side: int = 20) -> bytes:
    """What the VAE draws all over its plane, at latents that cut the unit normal's probability into equal parts."""
    return sheet(vae.manifold(side), side)


def interpolations(generator: Generator, seed: int = 0, rows: int = 5, steps: int = 15) -> bytes:
    """Walks between the seed's latents, a row a walk, each of one digit where the model takes one."""
    z = generator.latents(2 * rows, seed=seed)  # (2 · rows, latent)
    digits = [interpolation.walk(generator, z[row], z[row + 1], row, steps) for row in range(0, 2 * rows, 2)]
    return sheet(np.concatenate(digits), steps)


def morphs(cgan: Generator, seed: int = 0, steps: int = 15) -> bytes:
    """Walks from each digit to the next one by a mixture of their labels, the latent held."""
    z = cgan.latents(5, seed=seed)  # (5, latent)
    digits = []
    for row, latent in enumerate(z):
        share = np.linspace(0, 1, steps, dtype=np.float32)[:, None]  # (steps, 1)
        label = lerp(*one_hot(np.array([2 * row, 2 * row + 1])), share)  # (steps, 10)
        digits.append(interpolation.as_shipped(cgan.decode(np.repeat(latent[None], steps, 0), label)))
    return sheet(np.concatenate(digits), steps)


def losses(curves: Mapping[str, Sequence[Mapping[str, float]]]) -> bytes:
    """A panel for each training, by title: its losses over the epochs."""
    figure = Figure(figsize=(10, 5.5), layout="constrained")
    for axes, (title, epochs) in zip(figure.subplots(2, -(-len(curves) // 2)).flat, curves.items(), strict=False):
        for name in ("loss", "reconstruction", "kl", "g_loss", "d_loss", "r1_r2_penalty"):
            if name in epochs[0]:
                axes.plot([epoch["epoch"] for epoch in epochs], [epoch[name] for epoch in epochs], label=name)
        axes.set_title(title)
        axes.set_xlabel("epoch")
        axes.set_ylabel("nats")
        if "kl" in epochs[0]:
            axes.set_yscale("log")
        axes.legend(fontsize="small")
    return _figure(figure)


def scatter(latents: Mapping[str, tuple[NDArray[np.float32], NDArray[np.integer]]]) -> bytes:
    """A panel for each encoder, by title: means (N, 2) of encoded digits in the colours of their labels (N,)."""
    figure = Figure(figsize=(11, 5.2), layout="constrained")
    panels = figure.subplots(1, len(latents))
    for axes, (title, (mean, labels)) in zip(panels, latents.items(), strict=True):
        dots = axes.scatter(*mean.T, c=labels, cmap=mpl.colormaps["tab10"], vmin=-0.5, vmax=9.5, s=2, linewidths=0)
        axes.set_title(title)
        axes.set_aspect("equal")
    figure.colorbar(dots, ax=panels, ticks=range(10), label="digit")
    return _figure(figure)


def _figure(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100, metadata={"Software": None})  # no version: same figure, same bytes
    return file.getvalue()


def _png(picture: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="PNG", optimize=True)
    return file.getvalue()
