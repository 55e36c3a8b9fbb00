"""How a picture was drawn: a record that the picture carries, and by which it can be drawn again."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mnistgen.errors import InputError, ProvenanceError
from mnistgen.formats import CARRIERS, MOST_DIGITS, MOST_PIXELS, MOST_SCALE, Frames
from mnistgen.latents import INDEX_END, SEED_END

if TYPE_CHECKING:
    from mnistgen.generator import Generator
    from mnistgen.text import Box

SCHEMA = "1.0"
"""Version of the records that this code writes and reads; one of another major version is refused."""
_MOST_CHARACTERS = 100_000
"""Of a record, several times what a thousand digits take."""
_BEGIN = '{"mnistgen": '
"""How a record's JSON begins, and hardly any other text."""


class Record(NamedTuple):  # a dataclass takes a millisecond to make, for which a digit on a command line would wait
    """What a picture shows and how it was drawn: all that drawing it again needs, besides the model's file."""

    mnistgen: str
    """Version of mnistgen that drew it."""
    model: str
    sha256: str
    """Of the model's file, in hexadecimal."""
    provider: str
    """ONNX Runtime's name of what the model ran on."""
    seed: int
    start: int
    """Index of the first image of the seed."""
    n: int
    digits: tuple[int, ...] | None
    """What each image was to show; None where the model takes no digits."""
    text: str | None
    """The number or date whose digits these are; None where they stand in a grid, or one a frame."""
    format: str
    """The kind of file, one of formats.LAYOUT; of those that carry a record, one of formats.CARRIERS."""
    scale: int
    columns: int
    """Digits in a full row of a grid."""
    invert: bool
    """Whether ink is black on white."""

    def to_json(self) -> str:
        """The record as one line of JSON in ASCII, which begins with the key "mnistgen"."""
        facts = self._asdict()
        return json.dumps({"mnistgen": facts.pop("mnistgen"), "schema": SCHEMA, **facts})

    def draw(self, generator: "Generator") -> "tuple[Frames, tuple[Box, ...]]":
        """The frames that the record asks for, and, of a text, where its digits are in them."""
        if self.text is None:
            drawn = generator.generate(self.n, digit=self.digits, seed=self.seed, start=self.start)
            return drawn, ()
        written = generator.text(self.text, seed=self.seed, start=self.start)
        return written.picture[None], written.boxes  # (1, 28, width)

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


def read(path: Path) -> Record:
    """The record that the PNG, GIF, WebP or npz at `path` carries.

    Raises ProvenanceError where the file is none of these or damaged, or holds no record, a damaged one, or one of
    another major schema version; MissingPackageError without Pillow.
    """
    from mnistgen import contents

    text = contents.metadata(contents.read(path), path)
    if text is None or not text.startswith(_BEGIN):
        raise ProvenanceError(f"{path} does not say how it was drawn: mnistgen did not write it, or without metadata.")
    try:
        facts = json.loads(text) if len(text) <= _MOST_CHARACTERS else None
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "it is no JSON") from error
    if not isinstance(facts, dict):
        raise _damaged(path, "it is too long")
    return _record(path, facts)


def _record(path: Path, facts: dict[str, Any]) -> Record:
    schema = facts.get("schema")
    if not isinstance(schema, str) or not re.fullmatch(r"\d{1,3}\.\d{1,3}", schema, re.ASCII):
        raise _damaged(path, "its field schema is missing or wrong")
    if schema.split(".")[0] != SCHEMA.split(".")[0]:
        raise ProvenanceError(
            f"The provenance of {path} has schema {schema}, and this mnistgen reads {SCHEMA}: "
            "use the mnistgen that drew it."
        )
    for field, valid in _VALID.items():
        if field not in facts or not valid(facts[field]):
            raise _damaged(path, f"its field {field} is missing or wrong")
    digits = facts["digits"]
    record = Record(**{field: facts[field] for field in _VALID} | {"digits": None if digits is None else tuple(digits)})
    if digits is not None and len(digits) != record.n:
        raise _damaged(path, "its fields digits and n are at odds")
    try:
        _check_text(record)
        record.check_size()
    except InputError as error:
        raise _damaged(path, "it asks for what mnistgen does not draw") from error
    return record


def _check_text(record: Record) -> None:
    if record.text is None:
        return
    from mnistgen.text import check_text, digits_of

    check_text(record.text)
    if record.digits != tuple(digits_of(record.text)):
        raise InputError("The digits are not those of the text.")


def _damaged(path: Path, why: str) -> ProvenanceError:
    return ProvenanceError(f"The provenance of {path} is damaged ({why}): the picture cannot be drawn again from it.")


def _whole(least: int, end: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and least <= value < end  # a bool is an int, too


def _matches(pattern: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


NAME = r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}"
"""What a model may be called: its name becomes part of files' names."""
_DIGIT = _whole(0, 10)
_VALID: dict[str, Callable[[Any], bool]] = {
    "mnistgen": _matches(NAME),
    "model": _matches(NAME),
    "sha256": _matches("[0-9a-f]{64}"),
    "provider": _matches(NAME),
    "seed": _whole(0, SEED_END),
    "start": _whole(0, INDEX_END),
    "n": _whole(1, MOST_DIGITS + 1),
    "digits": lambda value: value is None or (isinstance(value, list) and all(map(_DIGIT, value))),
    "text": lambda value: value is None or (isinstance(value, str) and len(value) <= MOST_DIGITS),
    "format": lambda value: isinstance(value, str) and value in CARRIERS,
    "scale": _whole(1, MOST_SCALE + 1),
    "columns": _whole(1, MOST_DIGITS + 1),
    "invert": lambda value: isinstance(value, bool),
}
"""For each field of a record, whether a value read from a file may stand in it."""
