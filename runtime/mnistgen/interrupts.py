"""Keep Ctrl-C out of code that would turn KeyboardInterrupt into another error, or print it."""

import contextlib
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Raise KeyboardInterrupt at the end of the block instead of inside it; a second Ctrl-C raises it at once.

    C extensions that are interrupted while they are imported raise ImportError. Nothing is deferred in other
    threads than the main one, or if the program handles SIGINT itself.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    received: list[int] = []

    def note(number: int, _: object) -> None:
        received.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    try:
        signal.signal(signal.SIGINT, note)
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if received:
            raise KeyboardInterrupt
