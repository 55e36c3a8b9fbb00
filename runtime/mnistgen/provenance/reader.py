"""Read the record that a file carries."""

import json
import re
from pathlib import Path
from typing import Any, get_type_hints

from mnistgen.errors import InputError, ProvenanceError
from mnistgen.provenance.records import KINDS, SCHEMA, AnyRecord
from mnistgen.validation import check_path

_MOST_CHARACTERS = 100_000
"""Maximum length of a record: several times that of a thousand digits."""
_BEGIN = '{"mnistgen": '
"""Begin of a record's JSON, and hardly of any other text."""


def read(path: Path) -> AnyRecord:
    """Read the record of a PNG, GIF, WebP or npz.

    Returns:
        A Record of a picture, a Walk or a Manifold.

    Raises:
        ProvenanceError: The file has another format or is damaged, or it carries no record, a damaged one, or one of a
            later major schema version.
        MissingPackageError: Pillow is not installed.
    """
    from mnistgen.provenance import container  # lazy: writing a record does not need it
    from mnistgen.provenance.checks import check

    path = check_path("path", path)
    text = container.metadata(container.read(path), path)
    if text is None or not text.startswith(_BEGIN):
        raise ProvenanceError(
            f"{path} carries no provenance",
            code="provenance-missing",
            remedy="Use a file that mnistgen wrote without --no-metadata",
        )
    facts = _parse(path, text)
    _check_schema(path, facts.get("schema"))
    record = _record(path, facts)
    try:
        check(record)
    except InputError as error:
        raise _damaged(path, error.problem) from error
    return record


def _parse(path: Path, text: str) -> dict[str, Any]:
    if len(text) > _MOST_CHARACTERS:
        raise _damaged(path, f"it has {len(text)} characters; expected at most {_MOST_CHARACTERS}")
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "it is not JSON") from error
    assert isinstance(facts, dict)  # it begins with a brace
    return facts


def _check_schema(path: Path, schema: object) -> None:
    if not isinstance(schema, str) or not re.fullmatch(r"\d{1,3}\.\d{1,3}", schema, re.ASCII):
        raise _damaged(path, "its field schema is missing or invalid")
    if not 1 <= int(schema.split(".")[0]) <= int(SCHEMA.split(".")[0]):
        raise ProvenanceError(
            f"The schema of the provenance of {path} is {schema}; expected 1.0 to {SCHEMA}",
            code="provenance-schema-unknown",
            remedy="Use the version of mnistgen that drew it",
        )


def _record(path: Path, facts: dict[str, Any]) -> AnyRecord:
    """Return a record of these facts after checking each field."""
    name = facts.get("kind", "picture")  # the first version had pictures only, and no such field
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise _damaged(path, "its field kind is missing or invalid")
    given: dict[str, Any] = {}
    for field, hint in get_type_hints(kind, include_extras=True).items():
        if field not in facts and field in kind._field_defaults:
            continue
        (valid,) = hint.__metadata__
        if field not in facts or not valid(facts[field]):
            raise _damaged(path, f"its field {field} is missing or invalid")
        given[field] = tuple(facts[field]) if isinstance(facts[field], list) else facts[field]
    return kind(**given)


def _damaged(path: Path, why: str) -> ProvenanceError:
    return ProvenanceError(f"The provenance of {path} is damaged: {why}", code="provenance-damaged")
