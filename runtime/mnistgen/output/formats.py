"""Encode images in each file format."""

import base64
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnistgen.errors import InputError
from mnistgen.output import images
from mnistgen.output.files import write_whole
from mnistgen.output.limits import LAYOUT, MEDIA_TYPES, MILLISECONDS
from mnistgen.validation import check_path

Frames = NDArray[np.uint8]
"""Images (n, 28, 28), ink 255, or one text (1, 28, width)."""
_GREYS = tuple(f'fill="#{level:02x}{level:02x}{level:02x}"' for level in range(256))
"""Attribute of an SVG's shape of each grey level."""


class Layout(NamedTuple):
    """How images are arranged in a file."""

    format: str
    """One of LAYOUT."""
    scale: int = 1
    """Side of a pixel."""
    columns: int = images.COLUMNS
    """Images in a full row of a grid."""
    invert: bool = False
    """Black ink on white."""
    color: str | None = None
    """Color of the ink; None for white, or black if inverted."""
    paper: str | None = None
    """Color of the background; None for the other one."""
    resample: str | None = None
    """How a png or jpg is enlarged, one of style.RESAMPLINGS; None for squares."""

    @property
    def colored(self) -> bool:
        """Whether a color is given, so the picture is not grey."""
        return bool(self.color or self.paper)

    @property
    def colors(self) -> tuple[str, str]:
        """Colors of ink and background."""
        color, paper = ("black", "white") if self.invert else ("white", "black")
        return self.color or color, self.paper or paper


def format_of(out: Path | None, requested: str | None) -> str:
    """Return the format of a file: the `requested` one, else the suffix of `out`, else png.

    Raises:
        InputError: The two contradict each other, or the suffix is unknown.
    """
    suffix = out.suffix.lower().removeprefix(".") if out else ""
    suffix = "jpg" if suffix == "jpeg" else suffix
    if requested and suffix not in ("", requested):
        raise InputError(
            f"--out is {out}; expected a name that ends in .{requested}, the --format", code="format-mismatch"
        )
    if out is None or str(out) == "-":
        return requested or "png"
    if not requested and suffix not in LAYOUT:
        raise InputError(
            f"--out is {out}; expected a name that ends in {', '.join(f'.{known}' for known in LAYOUT)}",
            code="unknown-format",
        )
    return requested or suffix


def encode(
    frames: Frames, layout: Layout, *, digits: tuple[int, ...] | None = None, metadata: str | None = None
) -> bytes:
    """Encode images as a file; equal arguments give equal bytes.

    Args:
        frames: Images (n, 28, 28), or one text (1, 28, width); ink 255.
        layout: Format and arrangement.
        digits: Label of each image, for npz.
        metadata: ASCII text that the file carries if its format is one of CARRIERS.

    Raises:
        MissingPackageError: Pillow is not installed.
        InputError: The images are larger than the format allows.
    """
    match layout.format:
        case "jpg":
            return _styled(frames, layout)
        case "png" if layout.color or layout.paper or layout.resample:
            return _styled(frames, layout)
        case "png":
            return images.encode_png(_sheet(frames, layout), metadata, layout.scale)
        case "gif" | "webp":
            return _animation(frames, layout, metadata)
        case "npy":
            return _npy(_shown(frames, layout))
        case "npz":
            return _npz(_shown(frames, layout), digits, metadata)
        case "svg":
            return _svg(frames, layout)
        case _:
            return _txt(_sheet(frames, layout))


def data_uri(format: str, content: bytes) -> str:
    """Return a file as a data URI, which a web page can show."""
    return f"data:{MEDIA_TYPES[format]};base64,{base64.b64encode(content).decode()}"


def save(path: str | os.PathLike[str], encode: Callable[[str], bytes]) -> Path:
    """Write what `encode` returns for the format of the path's suffix, and return the path.

    Raises:
        InputError: The path has another type, or its suffix is unknown.
        OutputError: The file cannot be written.
    """
    file = check_path("path", path)
    write_whole(file, encode(format_of(file, None)))
    return file


def _styled(frames: Frames, layout: Layout) -> bytes:
    from mnistgen.output import style  # lazy: a grey png does not need it

    sheet = images.grid(frames, columns=layout.columns)
    return style.encode(sheet, layout.format, layout.scale, *layout.colors, layout.resample or "nearest")


def _animation(frames: Frames, layout: Layout, metadata: str | None) -> bytes:
    from mnistgen.output import animation  # lazy: a PNG does not need it

    large = frames.repeat(layout.scale, 1).repeat(layout.scale, 2)
    if not layout.colored:
        return animation.encode(_shown(large, layout), layout.format, MILLISECONDS, metadata=metadata)
    from mnistgen.output import style  # lazy: only colors need it

    paint = style.painter(layout.format, *layout.colors)
    return animation.encode(large, layout.format, MILLISECONDS, metadata=metadata, paint=paint)


def _npy(frames: Frames) -> bytes:
    file = io.BytesIO()
    np.save(file, frames)
    return file.getvalue()


def _npz(frames: Frames, digits: tuple[int, ...] | None, metadata: str | None) -> bytes:
    arrays: dict[str, NDArray[np.generic]] = {"images": frames}
    if digits is not None:
        arrays["digits"] = np.array(digits, dtype=np.uint8)
    if metadata is not None:
        arrays["mnistgen"] = np.array(metadata)
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # mypy takes the names for options
    return file.getvalue()


def _svg(frames: Frames, layout: Layout) -> bytes:
    """Encode the grid as a rectangle for each run of equal pixels in a row, grouped by level."""
    if layout.colored:
        from mnistgen.output import style  # lazy: only colors need it

        picture, paper, fills = images.grid(frames, columns=layout.columns), 0, style.fills(*layout.colors)
    else:
        picture, paper, fills = _sheet(frames, layout), 255 if layout.invert else 0, _GREYS
    height, width = picture.shape
    begins = np.ones(picture.shape, dtype=bool)
    begins[:, 1:] = picture[:, 1:] != picture[:, :-1]
    y, x = np.nonzero(begins)  # (runs,) each
    length = np.diff(np.flatnonzero(begins), append=picture.size)
    level = picture[y, x]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width * layout.scale}" height="{height * layout.scale}" '
        f'viewBox="0 0 {width} {height}" shape-rendering="crispEdges">\n'
        f'<rect width="{width}" height="{height}" {fills[paper]}/>\n'
    ]
    for shade in np.unique(level[level != paper]):
        runs = zip(x[level == shade], y[level == shade], length[level == shade], strict=True)
        rectangles = "".join(f'<rect x="{x}" y="{y}" width="{length}" height="1"/>' for x, y, length in runs)
        parts.append(f"<g {fills[shade]}>{rectangles}</g>\n")
    return "".join([*parts, "</svg>\n"]).encode()


def _txt(picture: NDArray[np.uint8]) -> bytes:
    lines = images.blocks(picture).split("\n")
    return "".join(f"{line.rstrip()}\n" for line in lines).encode()


def _sheet(frames: Frames, layout: Layout) -> NDArray[np.uint8]:
    """Arrange all images in one picture (height, width), at scale 1."""
    return _shown(images.grid(frames, columns=layout.columns), layout)


def _shown(ink: NDArray[np.uint8], layout: Layout) -> NDArray[np.uint8]:
    return 255 - ink if layout.invert else ink
