"""Records: plain data about how a file was drawn, and their JSON.

Each field is annotated with a predicate that tells whether a value read from a file is valid. A field with a default
may be missing in a file, so that a new field keeps older files readable.
"""

import json
from typing import Annotated, Any, NamedTuple, TypeAlias

from mnistgen.latents import INDEX_END, SEED_END
from mnistgen.output.limits import CARRIERS, MOST_DIGITS, MOST_SCALE
from mnistgen.validation import MODEL_NAME, flag, matches, one_of, optional, several, text, whole

SCHEMA = "2.0"
"""Latest version of records that this code reads; it reads all from 1.0 on.

A record is written with the lowest version whose readers can draw it again. A minor version adds facts that readers may
ignore; a major version adds facts without which they would draw something else.
"""
WALK_FORMATS = ("gif", "webp", "png")
"""Formats of a walk; a png is a sheet of all frames."""
MOST_FRAMES = 1000
"""Maximum number of frames of a walk in a file; for more, use arrays."""
SHORTEST_MS = 20
"""Minimum time of a frame in milliseconds; many programs show shorter ones for longer."""
LONGEST_MS = 600_000
"""Maximum time of a walk; GIF merges equal frames, and cannot show one for much longer."""
MOST_SIDE = 100
"""Maximum number of digits in a row of a manifold in a file; for more, use arrays."""

_DIGIT = whole(0, 10)
_Count = Annotated[int, whole(1, MOST_DIGITS + 1)]
_Flag = Annotated[bool, flag]
_Name = Annotated[str, matches(MODEL_NAME)]
_Scale = Annotated[int, whole(1, MOST_SCALE + 1)]
_Sha256 = Annotated[str, matches("[0-9a-f]{64}")]


class Record(NamedTuple):  # a dataclass takes a millisecond to create, which would delay a single digit
    """A picture of digits: all that drawing it again needs, besides the model's file."""

    mnistgen: _Name
    """Version of mnistgen that drew it."""
    model: _Name
    sha256: _Sha256
    """SHA-256 of the model's file, in hexadecimal."""
    provider: _Name
    """ONNX Runtime's name of the execution provider."""
    seed: Annotated[int, whole(0, SEED_END)]
    start: Annotated[int, whole(0, INDEX_END)]
    """Index of the first image."""
    n: _Count
    digits: Annotated[tuple[int, ...] | None, optional(several(_DIGIT, 1, MOST_DIGITS))]
    """Digit of each image; None if the model is unconditional."""
    text: Annotated[str | None, optional(text(MOST_DIGITS))]
    """The number or date that the images form; None if they form a grid or an animation."""
    format: Annotated[str, one_of(*CARRIERS)]
    """One of limits.LAYOUT; in a file, one of limits.CARRIERS."""
    scale: _Scale
    columns: _Count
    """Images in a full row of a grid."""
    invert: _Flag
    """Black ink on white."""
    verified: _Flag = False
    """Each image was read back, and drawn again until it was legible (`mnistgen.verify`)."""

    def to_json(self) -> str:
        """Return the record as one line of JSON in ASCII that begins with the key "mnistgen"."""
        return _to_json("2.0" if self.verified else "1.1", "picture", self._asdict())


class Walk(NamedTuple):
    """A walk in a file: all that drawing it again needs, besides the model's file."""

    mnistgen: _Name
    model: _Name
    sha256: _Sha256
    provider: _Name
    seeds: Annotated[tuple[int, ...], several(whole(0, SEED_END), 2, MOST_FRAMES)]
    """Seed of each stop."""
    digits: Annotated[tuple[int, ...] | None, optional(several(_DIGIT, 2, MOST_FRAMES))]
    """Digit of each stop; None if the model is unconditional."""
    frames: Annotated[int, whole(1, MOST_FRAMES + 1)]
    """Frames from one stop to the next, the first stop included."""
    loop: _Flag
    format: Annotated[str, one_of(*WALK_FORMATS)]
    scale: _Scale
    milliseconds: Annotated[int | None, optional(whole(SHORTEST_MS, LONGEST_MS + 1))]
    """Time for which each frame is shown; None for a sheet, which does not move."""

    def to_json(self) -> str:
        """Return the record as one line of JSON in ASCII that begins with the key "mnistgen"."""
        return _to_json("2.0", "walk", self._asdict())


class Manifold(NamedTuple):
    """A manifold in a file: all that drawing it again needs, besides the model's file."""

    mnistgen: _Name
    model: _Name
    sha256: _Sha256
    provider: _Name
    side: Annotated[int, whole(1, MOST_SIDE + 1)]
    """Number of rows and columns."""
    format: Annotated[str, one_of("png")]
    scale: _Scale

    def to_json(self) -> str:
        """Return the record as one line of JSON in ASCII that begins with the key "mnistgen"."""
        return _to_json("2.0", "manifold", self._asdict())


AnyRecord: TypeAlias = Record | Walk | Manifold

KINDS: dict[str, type[AnyRecord]] = {"picture": Record, "walk": Walk, "manifold": Manifold}
"""Classes by the value of the JSON key "kind"."""


def _to_json(schema: str, kind: str, facts: dict[str, Any]) -> str:
    return json.dumps({"mnistgen": facts.pop("mnistgen"), "schema": schema, "kind": kind, **facts})
