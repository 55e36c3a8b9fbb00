"""How a picture was drawn: a record that the picture carries, and by which it can be drawn again.

Each field of a record is annotated with whether a value that is read from a file may stand in it. A field with a
default may be missing there, so that a new one leaves the records that were written before it readable.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeAlias, get_type_hints

from mnistgen.errors import InputError, ProvenanceError
from mnistgen.latents import INDEX_END, SEED_END
from mnistgen.output import formats
from mnistgen.output.formats import CARRIERS, MOST_DIGITS, MOST_PIXELS, MOST_SCALE, Frames

if TYPE_CHECKING:
    from mnistgen.generator import Generator
    from mnistgen.provenance.walks import Manifold, Walk
    from mnistgen.text import Box

AnyRecord: TypeAlias = "Record | Walk | Manifold"

SCHEMA = "2.0"
"""The latest version of records that this code reads, and with it all from 1.0 on.

A record is written in the lowest version whose readers can draw it again. A minor version adds facts that others may
pass over; a major one what they could not draw, or would draw otherwise.
"""
NAME = r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}"
"""What a model may be called: its name becomes part of files' names."""
_MOST_CHARACTERS = 100_000
"""Of a record, several times what a thousand digits take."""
_BEGIN = '{"mnistgen": '
"""How a record's JSON begins, and hardly any other text."""

Valid = Callable[[Any], bool]
"""Whether a value that was read from JSON may stand in a field."""


def whole(least: int, end: int) -> Valid:
    """Whole numbers from `least` to `end` - 1."""
    return lambda value: type(value) is int and least <= value < end  # a bool is an int, too


def several(valid: Valid, least: int, most: int) -> Valid:
    """Lists of `least` to `most` values, each of them `valid`."""
    return lambda value: isinstance(value, list) and least <= len(value) <= most and all(map(valid, value))


def one_of(*texts: str) -> Valid:
    """These texts."""
    return lambda value: isinstance(value, str) and value in texts


def optional(valid: Valid) -> Valid:
    """None, and what is `valid`."""
    return lambda value: value is None or valid(value)


def _matches(pattern: str) -> Valid:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


DIGIT = whole(0, 10)
Name = Annotated[str, _matches(NAME)]
Sha256 = Annotated[str, _matches("[0-9a-f]{64}")]
Scale = Annotated[int, whole(1, MOST_SCALE + 1)]
Flag = Annotated[bool, lambda value: isinstance(value, bool)]
_Count = Annotated[int, whole(1, MOST_DIGITS + 1)]


class Drawn(NamedTuple):
    """What a record asked for."""

    frames: Frames
    """The digits (n, 28, 28), or of a text its picture (1, 28, width)."""
    digits: tuple[int, ...] | None
    """What each image shows, which of a verified one is known even where no digit was asked for."""
    boxes: "tuple[Box, ...]" = ()
    """Of a text, where its digits are."""
    attempts: tuple[int, ...] | None = None
    """Draws that each digit took, where they were verified."""


class Record(NamedTuple):  # a dataclass takes a millisecond to make, for which a digit on a command line would wait
    """What a picture shows and how it was drawn: all that drawing it again needs, besides the model's file."""

    mnistgen: Name
    """Version of mnistgen that drew it."""
    model: Name
    sha256: Sha256
    """Of the model's file, in hexadecimal."""
    provider: Name
    """ONNX Runtime's name of what the model ran on."""
    seed: Annotated[int, whole(0, SEED_END)]
    start: Annotated[int, whole(0, INDEX_END)]
    """Index of the first image of the seed."""
    n: _Count
    digits: Annotated[tuple[int, ...] | None, optional(several(DIGIT, 1, MOST_DIGITS))]
    """What each image was to show; None where the model takes no digits."""
    text: Annotated[str | None, optional(lambda value: isinstance(value, str) and len(value) <= MOST_DIGITS)]
    """The number or date whose digits these are; None where they stand in a grid, or one a frame."""
    format: Annotated[str, one_of(*CARRIERS)]
    """The kind of file, one of formats.LAYOUT; of those that carry a record, one of formats.CARRIERS."""
    scale: Scale
    columns: _Count
    """Digits in a full row of a grid."""
    invert: Flag
    """Whether ink is black on white."""
    verified: Flag = False
    """Whether each digit was read back, and drawn anew until it was read as asked (`mnistgen.verify`)."""

    def to_json(self) -> str:
        """The record as one line of JSON in ASCII, which begins with the key "mnistgen"."""
        return as_json("2.0" if self.verified else "1.1", "picture", self._asdict())

    def draw(self, generator: "Generator") -> Drawn:
        """What the record asks for, drawn by `generator`; raises as its methods do."""
        if self.text is not None:
            written = generator.text(self.text, seed=self.seed, start=self.start, verify=self.verified)
            return Drawn(written.picture[None], self.digits, written.boxes, written.attempts)
        if not self.verified:
            return Drawn(generator.generate(self.n, digit=self.digits, seed=self.seed, start=self.start), self.digits)
        verified = generator.generate_verified(self.n, digit=self.digits, seed=self.seed, start=self.start)
        return Drawn(verified.images, tuple(verified.digits.tolist()), attempts=tuple(verified.attempts.tolist()))

    def redraw(self, generator: "Generator") -> bytes:
        """The file that the record tells of, drawn by `generator`."""
        return formats.encode(self.draw(generator).frames, self)

    def check(self) -> None:
        """Raise InputError where facts are at odds, or ask for what mnistgen does not draw."""
        if self.digits is not None and len(self.digits) != self.n:
            raise InputError(f"{len(self.digits)} digits are not those of {self.n} images.")
        if self.text is not None:
            from mnistgen.text import check_text, digits_of

            check_text(self.text)
            if self.digits != tuple(digits_of(self.text)):
                raise InputError("The digits are not those of the text.")
        self.check_size()

    def check_size(self) -> None:
        """Raise InputError where the picture would be larger than MOST_PIXELS."""
        if self.text is None:
            columns = min(self.n, self.columns)
            pixels = -(-self.n // columns) * columns * 28 * 28
        else:
            from mnistgen.text import width_of

            pixels = width_of(self.text) * 28
        if pixels * self.scale**2 > MOST_PIXELS:
            raise InputError(
                f"{self.n} digits at scale {self.scale} are too large a picture: ask for fewer, or a smaller --scale."
            )


def as_json(schema: str, kind: str, facts: dict[str, Any]) -> str:
    """A record of this `kind` as one line of JSON in ASCII, which begins with the key "mnistgen"."""
    return json.dumps({"mnistgen": facts.pop("mnistgen"), "schema": schema, "kind": kind, **facts})


def read(path: Path) -> AnyRecord:
    """The record that the PNG, GIF, WebP or npz at `path` carries: a picture's, or a records.Walk or records.Manifold.

    Raises ProvenanceError where the file is none of these or damaged, or holds no record, a damaged one, or one of a
    later major schema version; MissingPackageError without Pillow.
    """
    from mnistgen.provenance import container

    text = container.metadata(container.read(path), path)
    if text is None or not text.startswith(_BEGIN):
        raise ProvenanceError(f"{path} does not say how it was drawn: mnistgen did not write it, or without metadata.")
    try:
        facts = json.loads(text) if len(text) <= _MOST_CHARACTERS else None
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "it is no JSON") from error
    if not isinstance(facts, dict):
        raise _damaged(path, "it is too long")
    _check_schema(path, facts.get("schema"))
    record = _record(path, facts)
    try:
        record.check()
    except InputError as error:
        raise _damaged(path, "it asks for what mnistgen does not draw") from error
    return record


def _check_schema(path: Path, schema: object) -> None:
    if not isinstance(schema, str) or not re.fullmatch(r"\d{1,3}\.\d{1,3}", schema, re.ASCII):
        raise _damaged(path, "its field schema is missing or wrong")
    if not 1 <= int(schema.split(".")[0]) <= int(SCHEMA.split(".")[0]):
        raise ProvenanceError(
            f"The provenance of {path} has schema {schema}, and this mnistgen reads 1.0 to {SCHEMA}: "
            "use the mnistgen that drew it."
        )


def _record(path: Path, facts: dict[str, Any]) -> AnyRecord:
    """A record of these facts, each of them valid by itself."""
    kind = _class(facts.get("kind", "picture"))  # which records did not say before there were others
    if kind is None:
        raise _damaged(path, "its field kind is missing or wrong")
    given: dict[str, Any] = {}
    for field, hint in get_type_hints(kind, include_extras=True).items():
        if field not in facts and field in kind._field_defaults:
            continue
        (valid,) = hint.__metadata__
        if field not in facts or not valid(facts[field]):
            raise _damaged(path, f"its field {field} is missing or wrong")
        given[field] = tuple(facts[field]) if isinstance(facts[field], list) else facts[field]
    return kind(**given)


def _class(kind: object) -> type[AnyRecord] | None:
    if kind == "picture":
        return Record
    from mnistgen.provenance.walks import Manifold, Walk

    return Walk if kind == "walk" else Manifold if kind == "manifold" else None


def _damaged(path: Path, why: str) -> ProvenanceError:
    return ProvenanceError(f"The provenance of {path} is damaged ({why}): the picture cannot be drawn again from it.")
