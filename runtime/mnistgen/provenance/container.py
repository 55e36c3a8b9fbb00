"""Read metadata and pixels of files that are not trusted."""

import io
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mnistgen.errors import MissingPackageError, MnistgenError, ProvenanceError
from mnistgen.output.animation import DESCRIPTION
from mnistgen.output.formats import MOST_PIXELS

if TYPE_CHECKING:
    from PIL.Image import Image

_MOST_BYTES = MOST_PIXELS + 10_000_000
"""Maximum size of a file, or of an unpacked part of it: mnistgen writes at most a byte per pixel, plus headers."""
_ZIP = b"PK\3\4"
"""First bytes of an npz."""


def read(path: Path) -> bytes:
    """Return the bytes of a file; raise ProvenanceError if it cannot be read or is larger than mnistgen writes."""
    try:
        if path.is_file() and path.stat().st_size <= _MOST_BYTES:
            return path.read_bytes()
    except OSError as error:
        raise ProvenanceError(f"{path} cannot be read ({error.strerror})", code="input-not-readable") from error
    raise ProvenanceError(
        f"{path} is not a file, or larger than {_MOST_BYTES} bytes, the most that mnistgen writes",
        code="input-not-readable",
    )


def metadata(content: bytes, path: Path) -> str | None:
    """Return the text that a PNG, GIF, WebP or npz carries where mnistgen stores its record, or None.

    Args:
        content: The file's bytes.
        path: Its name in errors.

    Raises:
        ProvenanceError: The file is damaged or has another format.
    """
    with _damage_reported(path):
        if content.startswith(_ZIP):
            text = _array(content, "mnistgen")
            return None if text is None else str(text)
        with _image(content) as image:
            if image.format == "WEBP":
                text = image.getexif().get(DESCRIPTION)
            else:
                text = image.info.get({"PNG": "mnistgen", "GIF": "comment"}[image.format or ""])
        return text.decode("ascii", "replace") if isinstance(text, bytes) else None if text is None else str(text)


def pixels(content: bytes, path: Path) -> NDArray[np.uint8]:
    """Return the frames (n, height, width), uint8 grey levels, of a PNG, GIF, WebP or npz; raise as `metadata`."""
    with _damage_reported(path):
        if content.startswith(_ZIP):
            images = _array(content, "images")
            if images is None or images.dtype != np.uint8 or images.ndim != 3:
                raise ValueError("no images")
            return images.view(np.uint8)
        with _image(content) as image:
            count = getattr(image, "n_frames", 1)
            if count * image.width * image.height > MOST_PIXELS:
                raise ValueError("too many frames")
            return np.stack([_frame(image, index) for index in range(count)])


def _frame(image: "Image", index: int) -> NDArray[np.uint8]:
    image.seek(index)
    return np.asarray(image.convert("L"))


def _array(content: bytes, name: str) -> NDArray[np.generic] | None:
    """Return an array of an npz, or None if it holds none of that name."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sizes = {member.filename: member.file_size for member in archive.infolist()}
        if f"{name}.npy" not in sizes:
            return None
        if sizes[f"{name}.npy"] > _MOST_BYTES:
            raise ValueError("too large")
        with archive.open(f"{name}.npy") as member:
            return np.lib.format.read_array(member, allow_pickle=False)


@contextmanager
def _image(content: bytes) -> "Iterator[Image]":
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingPackageError(
            "Pillow is not installed", code="pillow-missing", remedy="Run pip install pillow"
        ) from error
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(io.BytesIO(content), formats=["PNG", "GIF", "WEBP"]) as image:
            yield image


@contextmanager
def _damage_reported(path: Path) -> Iterator[None]:
    try:
        yield
    except MnistgenError:
        raise
    except Exception as error:  # the readers raise anything for damaged files
        raise ProvenanceError(f"{path} is damaged, or not a PNG, GIF, WebP or npz", code="file-damaged") from error
