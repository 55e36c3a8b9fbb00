"""Validate arguments of the public API and values read from files.

Arguments are converted to plain Python and NumPy types; an invalid one raises `InputError`. Values from JSON or ONNX
metadata are tested with predicates: small functions that return whether a value is valid, and that compose.
"""

import operator
import os
import re
import sys
from collections.abc import Callable, Sized
from dataclasses import fields
from pathlib import Path
from typing import Any, SupportsIndex, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mnistgen.errors import InputError

Integers = list[int] | tuple[int, ...] | range | NDArray[np.integer]
"""Several integers, such as the digits of a batch or the seeds of a walk."""

_MOST_SHOWN = 100
"""Maximum length of an invalid argument in an error."""
_LARGEST = 1_000_000
"""Largest magnitude accepted in latents and labels: far above any useful value, far below float32's limit."""


# Arguments


def integer(name: str, value: SupportsIndex, end: int, *, code: str, least: int = 0) -> int:
    """Return `value` as a Python integer.

    Raises:
        InputError: `value` is not an integer from `least` to `end` - 1.
    """
    expected = f"expected an integer from {least} to {end - 1}"
    try:
        number = operator.index(value)
    except TypeError as error:
        raise InputError(f"{name} is {shown(value)}; {expected}", code=code) from error
    if not least <= number < end:
        raise InputError(f"{name} is {shown(number)}; {expected}", code=code)
    return number


def seconds(name: str, value: float, most: float) -> float:
    """Return a length of time; raise InputError if it is not a number above 0 and at most `most`."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = 0.0
    if isinstance(value, str) or not 0 < number <= most:
        raise InputError(
            f"{name} is {shown(value)}; expected a number of seconds above 0, at most {most:,}", code="invalid-timeout"
        )
    return number


def shown(value: object) -> str:
    """Return a short representation of an invalid argument for an error."""
    if isinstance(value, int) and abs(value) >= 2**128:
        return "too large"  # Python refuses to print very long integers
    try:
        text = repr(value)
    except Exception:  # such as a list of these, or of itself
        text = f"a {type(value).__name__}"
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def check_path(name: str, value: str | os.PathLike[str]) -> Path:
    """Return `value` as a path; raise InputError if it is of another type, or empty."""
    if not isinstance(value, str | os.PathLike) or not isinstance(os.fspath(value), str):
        raise InputError(f"{name} is {shown(value)}; expected a path", code="invalid-path")
    return Path(value)


def integers(name: str, values: int | Integers, end: int, *, code: str, most: int | None = None) -> list[int]:
    """Return one or several integers from 0 to `end` - 1 as a list.

    Raises:
        InputError: There are none, more than `most`, or one is invalid.
    """
    several = cast(Integers, values) if is_several(values) else [cast(SupportsIndex, values)]
    if most is not None and count(several) > most:
        raise InputError(f"{name} has too many values; expected at most {most}", code=code)
    if not count(several):
        raise InputError(f"{name} is empty; expected at least one value", code=code)
    return [integer(name, value, end, code=code) for value in several]


def count(values: Sized) -> int:
    """Return how many values there are; at most `sys.maxsize`, also for a longer range."""
    try:
        return len(values)
    except OverflowError:
        return sys.maxsize


def is_several(values: int | Integers) -> bool:
    """Return whether `values` is a sequence, even of length one, rather than a single integer."""
    return values.ndim > 0 if isinstance(values, np.ndarray) else isinstance(values, list | tuple | range)


def matrix(name: str, value: ArrayLike, width: int, *, code: str) -> NDArray[np.float32]:
    """Return `value` as a float32 array (n, width).

    Raises:
        InputError: `value` has another shape, is empty, or holds values that are not finite or beyond ±1,000,000.
    """
    expected = f"expected real numbers of shape (n, {width})"
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:  # such as rows of different lengths
        raise InputError(f"{name} is ragged; {expected}", code=code) from error
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name} has dtype {array.dtype}; {expected}", code=code)
    if array.ndim != 2 or array.shape[1] != width or not len(array):
        raise InputError(f"{name} has shape {array.shape}; {expected}, n at least 1", code=code)
    array = array.astype(np.float64)  # in which no value and no limit overflows
    if not (np.abs(array) <= _LARGEST).all():
        raise InputError(f"{name} holds values that are not finite or beyond ±{_LARGEST:,}", code=code)
    return np.ascontiguousarray(array, dtype=np.float32)


def grey_levels(name: str, value: object, most: int | None = None) -> NDArray[np.uint8]:
    """Return one image (height, width) or several (n, height, width) as (n, height, width).

    Raises:
        InputError: `value` is no such array of uint8, is empty, or holds more than `most` images.
    """
    expected = f"expected a uint8 array of shape (height, width) or ({most or 'n'}, height, width)"
    if not isinstance(value, np.ndarray):
        raise InputError(f"{name} is {shown(value)}; {expected}", code="invalid-image")
    images = value[None] if value.ndim == 2 else value
    if images.dtype != np.uint8 or images.ndim != 3 or not images.size or (most and len(images) > most):
        raise InputError(f"{name} is a {value.dtype} array of shape {value.shape}; {expected}", code="invalid-image")
    return images


def allocate(n: int) -> NDArray[np.uint8]:
    """Return an uninitialized array for `n` images (n, 28, 28).

    Raises:
        InputError: They do not fit into memory.
    """
    try:
        return np.empty((n, 28, 28), dtype=np.uint8)
    except (MemoryError, ValueError) as error:
        raise too_many(n) from error


def too_many(n: int) -> InputError:
    """Return the error for `n` images that do not fit into memory."""
    return InputError(
        f"{n} images do not fit into memory",
        code="out-of-memory",
        remedy="Generate fewer at a time and continue with start, or use stream",
    )


# Values read from files

Valid = Callable[[Any], bool]
"""Returns whether a value is valid."""

MODEL_NAME = r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}"
"""Pattern of a model's name, which becomes part of file names."""


def whole(least: int, end: int) -> Valid:
    """Accept integers from `least` to `end` - 1, but not booleans."""
    return lambda value: type(value) is int and least <= value < end


def flag(value: Any) -> bool:
    """Accept booleans."""
    return isinstance(value, bool)


def several(valid: Valid, least: int, most: int) -> Valid:
    """Accept lists of `least` to `most` values that are all `valid`."""
    return lambda value: isinstance(value, list) and least <= len(value) <= most and all(map(valid, value))


def number(least: float, most: float) -> Valid:
    """Accept integers and floats from `least` to `most`, but not booleans or NaN."""
    return lambda value: type(value) in (int, float) and least <= value <= most


def mapping(valid: Valid) -> Valid:
    """Accept dictionaries of at most 100 strings to values that are `valid`."""
    return lambda value: (
        isinstance(value, dict)
        and len(value) <= 100
        and all(isinstance(key, str) for key in value)
        and all(map(valid, value.values()))
    )


def facts(value: Any) -> bool:
    """Accept dictionaries with string keys whose values are plain data, nested at most eight deep."""
    return isinstance(value, dict) and _is_plain(value, 8)


def _is_plain(value: Any, depth: int) -> bool:
    if isinstance(value, dict):
        return depth > 0 and all(isinstance(key, str) and _is_plain(each, depth - 1) for key, each in value.items())
    if isinstance(value, list | tuple):
        return depth > 0 and all(_is_plain(each, depth - 1) for each in value)
    return value is None or isinstance(value, str | int | float)


def one_of(*values: str | int) -> Valid:
    """Accept these strings and integers."""
    return lambda value: type(value) in (str, int) and value in values


def either(*valid: Valid) -> Valid:
    """Accept what is valid for any of these predicates."""
    return lambda value: any(each(value) for each in valid)


def optional(valid: Valid) -> Valid:
    """Accept None and what is `valid`."""
    return lambda value: value is None or valid(value)


def matches(pattern: str) -> Valid:
    """Accept strings that match all of `pattern`."""
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def text(most: int) -> Valid:
    """Accept strings of at most `most` characters."""
    return lambda value: isinstance(value, str) and len(value) <= most


def same_major(schema: str, supported: str) -> bool:
    """Return whether two versions such as "1.0" have the same major part."""
    return schema.split(".")[0] == supported.split(".")[0]


def check_fields(record: Any) -> None:
    """Raise ValueError if a field of the dataclass `record` is invalid; each is annotated with a predicate."""
    for field in fields(record):
        (valid,) = cast(Any, field.type).__metadata__
        if not valid(getattr(record, field.name)):
            raise ValueError(field.name)
