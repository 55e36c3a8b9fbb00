"""Draw what a record asks for, and encode it as the record's file."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnistgen.generator import Generator
from mnistgen.output import formats, images
from mnistgen.output.formats import Frames, Layout
from mnistgen.provenance.records import AnyRecord, Record, Walk

if TYPE_CHECKING:
    from mnistgen.text import Box


class Drawing(NamedTuple):
    """What a record asked for."""

    frames: Frames
    """Images (n, 28, 28), or the picture of a text (1, 28, width); ink 255."""
    digits: tuple[int, ...] | None = None
    """Digit of each image; of verified images, what was read."""
    boxes: "tuple[Box, ...]" = ()
    """Bounding boxes of the digits of a text."""
    attempts: tuple[int, ...] | None = None
    """Attempts at each image, if verified."""


def draw(record: AnyRecord, generator: Generator) -> Drawing:
    """Draw what `record` asks for; raise as the methods of `generator` do."""
    if isinstance(record, Record):
        return _draw_picture(record, generator)
    if isinstance(record, Walk):
        walk = generator.walk(seeds=record.seeds, digits=record.digits, frames=record.frames, loop=record.loop)
        return Drawing(walk)
    return Drawing(generator.manifold(record.side))


def _draw_picture(record: Record, generator: Generator) -> Drawing:
    seed, start, digits = record.seed, record.start, record.digits
    if record.text is not None:
        text = generator.text(record.text, seed=seed, start=start, verify=record.verified)
        return Drawing(text.picture[None], digits, text.boxes, text.attempts)
    if not record.verified:
        return Drawing(generator.generate(record.n, digit=digits, seed=seed, start=start), digits)
    verified = generator.generate_verified(record.n, digit=digits, seed=seed, start=start)
    return Drawing(verified.images, tuple(verified.digits.tolist()), attempts=tuple(verified.attempts.tolist()))


def encode(record: AnyRecord, frames: Frames, *, metadata: bool = True) -> bytes:
    """Encode frames as the record's file; equal arguments give equal bytes.

    Args:
        record: Format and layout.
        frames: What `draw` gives for the record.
        metadata: Store the record in the file, if its format carries metadata.

    Raises:
        MissingPackageError: Pillow is not installed.
        InputError: The frames are larger than the format allows.
    """
    text = record.to_json() if metadata else None
    if isinstance(record, Record):
        layout = Layout(record.format, record.scale, record.columns, record.invert)
        return formats.encode(frames, layout, digits=record.digits, metadata=text)
    if isinstance(record, Walk):
        return _encode_walk(record, frames, text)
    return images.encode_png(images.grid(frames, record.scale, columns=record.side), text)


def _encode_walk(record: Walk, frames: Frames, metadata: str | None) -> bytes:
    if record.milliseconds is None:
        sheet = images.grid(_legs(record, frames), record.scale, columns=record.frames + 1)
        return images.encode_png(sheet, metadata)
    from mnistgen.output import animation  # lazy: other files do not need it

    large = frames.repeat(record.scale, 1).repeat(record.scale, 2)
    return animation.encode(large, record.format, record.milliseconds, record.loop, metadata)


def _legs(record: Walk, frames: Frames) -> NDArray[np.uint8]:
    """Return the legs of a walk one after another (legs · (frames + 1), 28, 28), each with the stops at both ends."""
    if record.loop:
        frames = np.concatenate([frames, frames[:1]])
    firsts = range(0, len(frames) - 1, record.frames)
    return np.concatenate([frames[first : first + record.frames + 1] for first in firsts])
