"""Draw the report's pictures; each function returns the bytes of a PNG file."""

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

Images = NDArray[np.uint8]
"""Images (n, 28, 28), ink 255."""


def sheet(images: Images, columns: int = 10) -> bytes:
    """Draw images in rows of `columns`, enlarged twice."""
    return _png(grid(images, 2, columns))


def captioned(images: Images, captions: Sequence[str], columns: int = 10) -> bytes:
    """Draw images in rows of `columns`, each below its caption."""
    rows = -(-len(images) // columns)
    figure = Figure(figsize=(0.85 * columns, 0.95 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for axes, image, caption in zip(panels, images, captions, strict=True):
        axes.imshow(image, cmap="gray", vmin=0, vmax=255)
        axes.set_title(caption, fontsize="small")
        axes.set_axis_off()
    return _figure(figure)


def side_by_side(left: Images, right: Images) -> bytes:
    """Draw two grids with a gap between them."""
    a, b = grid(left, 2), grid(right, 2)
    gap = np.full((len(a), 28), 255, dtype=np.uint8)
    return _png(np.concatenate([a, gap, b], axis=1))


def manifold(vae: Generator, side: int = 20) -> bytes:
    """Draw the VAE's latent plane, at the centers of a grid of cells with equal probability."""
    return sheet(vae.manifold(side), side)


def interpolations(generator: Generator, seed: int = 0, rows: int = 5, steps: int = 15) -> bytes:
    """Draw interpolations between the seed's latents, one per row; each of one label if the model is conditional."""
    z = generator.latents(2 * rows, seed=seed)  # (2 · rows, latent)
    images = [interpolation.interpolate(generator, z[row], z[row + 1], row, steps) for row in range(0, 2 * rows, 2)]
    return sheet(np.concatenate(images), steps)


def morphs(cgan: Generator, seed: int = 0, steps: int = 15) -> bytes:
    """Draw interpolations between two labels at a fixed latent, one pair of labels per row."""
    z = cgan.latents(5, seed=seed)  # (5, latent)
    images = []
    for row, latent in enumerate(z):
        t = np.linspace(0, 1, steps, dtype=np.float32)[:, None]  # (steps, 1)
        label = lerp(*one_hot(np.array([2 * row, 2 * row + 1])), t)  # (steps, 10)
        images.append(interpolation.to_uint8(cgan.decode(np.repeat(latent[None], steps, 0), label)))
    return sheet(np.concatenate(images), steps)


def losses(curves: Mapping[str, Sequence[Mapping[str, float]]]) -> bytes:
    """Draw the losses of each training over its epochs, one panel per title."""
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
    """Draw posterior means (N, 2), colored by label (N,), one panel per title."""
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
    figure.savefig(file, format="png", dpi=100, metadata={"Software": None})  # no version
    return file.getvalue()


def _png(picture: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="PNG", optimize=True)
    return file.getvalue()
