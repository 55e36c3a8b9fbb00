"""Recognize exhausted memory, which the system's loader and C++ report as other errors."""

_TEXTS = ("failed to map segment", "annot allocate memory", "bad allocation", "bad_alloc")


def is_exhausted(error: BaseException) -> bool:
    """Return whether `error` means that memory was exhausted, also while a library was loaded."""
    return isinstance(error, MemoryError) or any(text in str(error) for text in _TEXTS)
