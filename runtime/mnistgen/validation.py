"""What callers hand in: checked, and turned into what NumPy takes, or refused in a sentence."""

import operator
import sys
from collections.abc import Sized
from typing import SupportsIndex, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mnistgen.errors import InputError
from mnistgen.latents import INDEX_END, SEED_END

Integers = list[int] | tuple[int, ...] | range | NDArray[np.integer]
"""Several of them, such as the digits that images shall show, or the seeds of a walk's stops."""

_LARGEST = 1_000_000
"""Magnitude up to which latents and labels are taken: far beyond any use, and far from float32's own end."""


def address(n: int, seed: int, start: int) -> tuple[int, int, int]:
    """The three as Python integers; raises InputError where they are none, or out of range."""
    n = integer("the count n", n, INDEX_END, least=1)
    seed = integer("a seed", seed, SEED_END)
    start = integer("start", start, INDEX_END)
    if start + n > INDEX_END:
        raise InputError(f"A seed has {INDEX_END} images: start {start} and count {n} go beyond them.")
    return n, seed, start


def integer(what: str, value: SupportsIndex, end: int, least: int = 0) -> int:
    """`value` as a Python integer; raises InputError where it is none, or not from `least` to `end` - 1."""
    valid = f"that is a whole number from {least} to {end - 1}"
    try:
        number = operator.index(value)
    except TypeError as error:
        raise InputError(f"{value!r} is not {what}: {valid}.") from error
    if not least <= number < end:
        shown = number if abs(number) < 2**128 else "So large a number"  # Python refuses to print very long ones
        raise InputError(f"{shown} is not {what}: {valid}.")
    return number


def integers(what: str, values: int | Integers, end: int, most: int | None = None) -> list[int]:
    """One or several values as Python integers.

    Raises InputError where there are none, more than `most`, or one is out of range.
    """
    listed = cast(Integers, values) if is_several(values) else [cast(SupportsIndex, values)]
    if most is not None and _count(listed) > most:
        raise InputError(f"So many values are not taken: give {most} at most, each {what}.")
    numbers = [integer(what, one, end) for one in listed]
    if not numbers:
        raise InputError(f"An empty list does not hold {what}: give at least one.")
    return numbers


def _count(values: Sized) -> int:
    try:
        return len(values)
    except OverflowError:  # a range so long that Python does not count it
        return sys.maxsize


def is_several(values: int | Integers) -> bool:
    """Whether these are several values, however few, and not a lone one."""
    return values.ndim > 0 if isinstance(values, np.ndarray) else isinstance(values, list | tuple | range)


def matrix(name: str, value: ArrayLike, width: int) -> NDArray[np.float32]:
    """`value` as an array (n, width), float32; raises InputError where it is none, or not finite."""
    try:
        array = np.asarray(value)
    except ValueError as error:  # rows of several lengths
        raise InputError(f"{name} is no array: give one of shape (n, {width}).") from error
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name} is no array of real numbers: give one of shape (n, {width}).")
    if array.ndim != 2 or array.shape[1] != width or not len(array):
        raise InputError(f"{name} has shape {array.shape}: give one of shape (n, {width}), n at least 1.")
    if not (np.abs(array) <= _LARGEST).all():
        raise InputError(f"{name} holds values that are not finite, or beyond ±{_LARGEST:,}: give smaller ones.")
    return np.ascontiguousarray(array, dtype=np.float32)


def allocate(n: int) -> NDArray[np.uint8]:
    """Room for images (n, 28, 28); raises InputError where there is none."""
    try:
        return np.empty((n, 28, 28), dtype=np.uint8)
    except (MemoryError, ValueError) as error:
        raise too_many(n) from error


def too_many(n: int) -> InputError:
    """The error that `n` images do not fit into memory."""
    return InputError(f"{n} images do not fit into memory: ask for fewer at a time, and go on with start.")
