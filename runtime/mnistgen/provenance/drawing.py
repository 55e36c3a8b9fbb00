"""Draw what a record asks for, and encode it as the record's file."""

from typing import TYPE_CHECKING

from mnistgen.generator import Generator
from mnistgen.image import Image
from mnistgen.output import images
from mnistgen.output.formats import Frames
from mnistgen.provenance.records import AnyRecord, Manifold, Record, Walk

if TYPE_CHECKING:
    from mnistgen.animation import Animation


def draw_picture(record: Record, generator: Generator) -> Image:
    """Draw digits or a text in the layout of `record`."""
    seed, start, verify = record.seed, record.start, record.verified
    if record.text is not None:
        image = generator.text(record.text, seed=seed, start=start, verify=verify)
    else:
        image = generator.draw(record.digits, n=record.n, seed=seed, start=start, verify=verify)
    layout = {name: getattr(record, name) for name in ("format", "scale", "columns", "invert")}
    return Image(image.frames, image.record._replace(**layout), image.boxes, image.attempts)


def draw_walk(record: Walk, generator: Generator) -> "Animation":
    """Draw a walk in the layout of `record`."""
    from mnistgen.animation import Animation  # lazy: pictures do not need it

    walk = generator.walk(seeds=record.seeds, digits=record.digits, frames=record.frames, loop=record.loop)
    layout = {name: getattr(record, name) for name in ("format", "scale", "milliseconds")}
    return Animation(walk.frames, walk.record._replace(**layout))


def encode_manifold(record: Manifold, frames: Frames, *, metadata: bool = True) -> bytes:
    """Encode the images (side², 28, 28) of a manifold as a PNG, with the record if `metadata`."""
    sheet = images.grid(frames, columns=record.side)
    return images.encode_png(sheet, record.to_json() if metadata else None, record.scale)


def encode(record: AnyRecord, generator: Generator) -> bytes:
    """Draw what `record` asks for and encode it; raise as the methods of `generator` do."""
    if isinstance(record, Manifold):
        return encode_manifold(record, generator.manifold(record.side))
    if isinstance(record, Walk):
        return draw_walk(record, generator).encode()
    return draw_picture(record, generator).encode()
