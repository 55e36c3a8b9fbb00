"""Read paths, query strings and JSON bodies strictly: nothing is ignored, and nothing is clamped."""

import json
import re
from typing import Any

from mnistgen.errors import InputError
from mnistgen.latents import INDEX_END, SEED_END
from mnistgen.serve.settings import MOST_BODY, MOST_COUNT, MOST_SCALE
from mnistgen.validation import integer, shown

_NUMBER = re.compile(r"0|[1-9][0-9]{0,19}")
_FLAGS = {"true": True, "1": True, "false": False, "0": False}


def number(name: str, value: Any, end: int, *, code: str, least: int = 0) -> int:
    """Return an integer given as a decimal string, or as a number of JSON.

    Raises:
        InputError: It is not an integer from `least` to `end` - 1, in its shortest form.
    """
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = int(value)
    elif type(value) is not int:
        raise InputError(f"{name} is {shown(value)}; expected an integer from {least} to {end - 1}", code=code)
    return integer(name, value, end, code=code, least=least)


def seed(value: Any) -> int:
    """Return a seed."""
    return number("seed", value, SEED_END, code="invalid-seed")


def index(name: str, value: Any) -> int:
    """Return the index of an image."""
    return number(name, value, INDEX_END, code="invalid-start")


def count(value: Any, most: int = MOST_COUNT) -> int:
    """Return a number of digits."""
    return number("n", value, most + 1, code="invalid-count", least=1)


def digit(value: Any) -> int:
    """Return a digit."""
    return number("digit", value, 10, code="invalid-digit")


def digits(value: Any) -> tuple[int, ...]:
    """Return digits given as a list, as one digit, or as a string such as "3,1,4" or "314"."""
    if isinstance(value, str):
        value = value.split(",") if "," in value else list(value)
    given = value if isinstance(value, list) else [value]
    if not 1 <= len(given) <= MOST_COUNT:
        raise InputError(f"digits has {len(given)} values; expected 1 to {MOST_COUNT}", code="invalid-digit")
    return tuple(map(digit, given))


def scale(value: Any) -> int:
    """Return a scale."""
    return number("scale", value, MOST_SCALE + 1, code="invalid-layout", least=1)


def flag(name: str, value: Any) -> bool:
    """Return a boolean given as "true", "false", "1" or "0", or as a boolean of JSON."""
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or value not in _FLAGS:
        raise InputError(f"{name} is {shown(value)}; expected true or false", code="invalid-flag")
    return _FLAGS[value]


def choice(name: str, value: Any, known: tuple[str, ...]) -> str:
    """Return one of the `known` values."""
    if not isinstance(value, str) or value not in known:
        raise InputError(f"{name} is {shown(value)}; expected one of {', '.join(known)}", code="unknown-choice")
    return value


def check_known(given: Any, known: tuple[str, ...]) -> None:
    """Raise InputError for a name that is not `known`."""
    for name in given:
        if name not in known:
            expected = f"expected one of {', '.join(known)}" if known else "expected none"
            raise InputError(f"{shown(name)} is not a parameter; {expected}", code="unknown-parameter")


def query(request: Any, known: tuple[str, ...]) -> dict[str, str]:
    """Return the parameters of the query string.

    Raises:
        InputError: One is not `known`, or is given twice.
    """
    if not request.scope["query_string"]:
        return {}
    pairs: list[tuple[str, str]] = request.query_params.multi_items()
    found = dict(pairs)
    check_known(found, known)
    if len(found) != len(pairs):
        raise InputError("A parameter is given twice", code="repeated-parameter", remedy="Give each once")
    return found


async def body(request: Any, known: tuple[str, ...], most: int = MOST_BODY) -> dict[str, Any]:
    """Return the JSON object in the body.

    Args:
        request: The request.
        known: Names of keys.
        most: Maximum number of bytes.

    Raises:
        InputError: It is too large, no JSON object, or has a key that is not `known`.
    """
    return parse(await read(request, most), known)


def parse(content: bytes, known: tuple[str, ...]) -> dict[str, Any]:
    """Return the JSON object in `content`; raise InputError as `body`."""
    try:
        found = json.loads(content, object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise InputError("The body is not valid JSON", code="invalid-body") from error
    if not isinstance(found, dict):
        raise InputError("The body is not a JSON object", code="invalid-body")
    check_known(found, known)
    return found


def check_is_json(request: Any) -> None:
    """Raise InputError unless the body has the media type of JSON, which keeps forms of other pages out."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise InputError("The body is not JSON", code="body-not-json", remedy="Send Content-Type: application/json")


async def read(request: Any, most: int) -> bytes:
    """Return the body; raise InputError if it is larger than `most` bytes."""
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > most:
            raise InputError(f"The body is too large; expected at most {most:,} bytes", code="body-too-large")
    return bytes(content)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(found := dict(pairs)) != len(pairs):
        raise ValueError("a key is given twice")
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
