"""Report failures in one line on stderr (contract C6). It is imported before the guard, so it imports little."""

import os
import sys

from mnistgen.memory import is_exhausted

_LONGEST = 1500
"""Maximum length of a line that is not the program's own."""


def fail(name: str, sentence: str, code: int) -> int:
    """Print the sentence as the command `name` and return the exit code."""
    if sys.stderr:  # None if the caller has closed it
        print(f"{name}: {plain(sentence)}", file=sys.stderr, flush=True)
    return code


def plain(text: str) -> str:
    """Return text that may come from a foreign file or library as one line that is safe for a terminal.

    Characters that control a terminal or the direction of writing are escaped, and a long text loses its middle.
    """
    line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in " ".join(text.split()))
    if len(line) <= _LONGEST:
        return line
    return f"{line[: _LONGEST * 2 // 3]} … {line[-_LONGEST // 3 :]}"


def report(name: str, error: BaseException) -> int:
    """Report Ctrl-C or a failure of the system and return the exit code; raise any other error again."""
    if isinstance(error, KeyboardInterrupt):
        return fail(name, "Interrupted.", 130)
    if is_exhausted(error):
        return fail(name, "Memory is exhausted. Generate fewer digits, or raise the memory limit.", 1)
    if isinstance(error, RecursionError):
        return fail(name, "The input is nested too deeply. Use a file that is not.", 1)
    if is_out_of_threads(error):
        return fail(name, "No thread can be started. Raise the limit on processes (ulimit -u).", 1)
    if isinstance(error, ImportError):
        return fail(name, f"A Python package is missing or damaged ({error}). Reinstall mnistgen.", 1)
    if isinstance(error, OSError):
        return _system_failed(name, error)
    raise error


def is_out_of_threads(error: BaseException) -> bool:
    """Return whether the system refused to start a thread."""
    return isinstance(error, RuntimeError) and "can't start new thread" in str(error)


def _system_failed(name: str, error: OSError) -> int:
    reason = error.strerror or error
    if error.filename:
        return fail(name, f"{error.filename} cannot be used ({reason}).", 1)
    if sys.stdout:  # a closed pipe, or a full disk behind stdout
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that Python can flush at exit
    return fail(name, f"stdout cannot be written ({reason}).", 1)
