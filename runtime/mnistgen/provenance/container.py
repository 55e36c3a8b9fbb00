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

from mnistgen.errors import MnistgenError, ProvenanceError
from mnistgen.output.animation import DESCRIPTION
from mnistgen.output.images import pillow_failed
from mnistgen.output.limits import MOST_PIXELS

if TYPE_CHECKING:
    from PIL.Image import Image

_MOST_BYTES = MOST_PIXELS + 10_000_000
"""Maximum size of a file, or of an unpacked part of it: mnistgen writes at most a byte per pixel, plus headers."""
_MOST_DIRECTORY = 1000
"""Maximum size of the directory of an npz; that of three arrays has about 170 bytes."""
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


def pixels(content: bytes, path: Path, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return the frames of a PNG, GIF, WebP or npz.

    Args:
        content: The file's bytes.
        path: Its name in errors.
        shape: Frames, height and width that the file's record implies. A GIF or WebP may merge equal frames.

    Returns:
        Grey levels (n, height, width), uint8.

    Raises:
        ProvenanceError: The file is damaged or has another format, size or kind of pixels than mnistgen writes.
    """
    with _damage_reported(path):
        if content.startswith(_ZIP):
            images = _array(content, "images")
            if images is None or images.dtype != np.uint8 or images.ndim != 3:
                raise ValueError("no images")
            _check_size(path, images.shape, shape)
            return images.view(np.uint8)
        with _image(content) as image:
            frames = [_grey(frame, path) for frame in _frames(image, path, shape)]
        if len(frames) > shape[0] or (image.format == "PNG" and len(frames) < shape[0]):
            _check_size(path, (len(frames), *shape[1:]), shape)
        return np.stack(frames)


def _frames(image: "Image", path: Path, shape: tuple[int, int, int]) -> "Iterator[Image]":
    """Yield the frames, at most one too many; asking for their number would read all, and there may be millions.

    The size is compared for each before its pixels are read: a later frame of a GIF can enlarge the picture.
    """
    for index in range(shape[0] + 1):
        try:
            image.seek(index)
        except EOFError:
            return
        _check_size(path, (1, image.height, image.width), (1, *shape[1:]))
        yield image


def _grey(image: "Image", path: Path) -> NDArray[np.uint8]:
    """Return the grey levels of an opaque 8-bit image; converting others would hide what differs."""
    if image.mode not in ("L", "P", "RGB", "RGBA"):
        raise _not_grey(path)
    channels = np.asarray(image.convert("RGBA"))  # (height, width, 4)
    grey: NDArray[np.uint8] = channels[..., 0]
    if (channels[..., :3] != grey[..., None]).any() or (channels[..., 3] != 255).any():
        raise _not_grey(path)
    return grey


def _not_grey(path: Path) -> ProvenanceError:
    return ProvenanceError(
        f"{path} has colored, transparent or 16-bit pixels; expected opaque 8-bit grey levels, as mnistgen writes",
        code="pixels-not-grey",
    )


def _check_size(path: Path, found: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if found != expected:
        raise ProvenanceError(
            f"{path} has {_size(found)} pixels; expected {_size(expected)}, as its record says", code="size-mismatch"
        )


def _size(shape: tuple[int, ...]) -> str:
    n, height, width = shape
    return f"{n} frames of {width}×{height}" if n != 1 else f"{width}×{height}"


def _array(content: bytes, name: str) -> NDArray[np.generic] | None:
    """Return an array of an npz, or None if it holds none of that name."""
    _check_directory(content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sizes = {member.filename: member.file_size for member in archive.infolist()}
        if f"{name}.npy" not in sizes:
            return None
        if sizes[f"{name}.npy"] > _MOST_BYTES:
            raise ValueError("too large")
        with archive.open(f"{name}.npy") as member:
            return np.lib.format.read_array(member, allow_pickle=False)


def _check_directory(content: bytes) -> None:
    """Raise ValueError unless the directory of a zip is small and where NumPy writes it.

    zipfile reads the whole directory, which can list millions of entries.
    """
    end = content[-22:]  # the record of the directory's end, without a comment
    size = int.from_bytes(end[12:16], "little")
    if not end.startswith(b"PK\5\6") or size > _MOST_DIRECTORY or content[-42:-38] == b"PK\6\7":  # of zip64
        raise ValueError("not a zip as NumPy writes it")


@contextmanager
def _image(content: bytes) -> "Iterator[Image]":
    try:
        from PIL import Image
    except ImportError as error:
        raise pillow_failed(error) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as those about damaged EXIF data
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
