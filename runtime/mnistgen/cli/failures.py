"""Report failures in one line on stderr (contract C6). It is imported before the guard, so it imports little."""

import os
import sys

from mnistgen.memory import is_exhausted

_LONGEST = 1500
"""Maximum length of a line that is not the program's own."""


def fail(name: str, sentence: str, exit_code: int) -> int:
    """Print the sentence as the command `name` and return the exit code."""
    if sys.stderr:  # None if the caller has closed it
        print(f"{name}: {plain(sentence)}", file=sys.stderr, flush=True)
    return exit_code


def fail_as_json(problem: str, exit_code: int, code: str, remedy: str = "") -> int:
    """Print the failure as one line of JSON and return the exit code."""
    import json  # lazy: this module is imported before the guard

    if sys.stderr:
        error = {"code": code, "problem": plain(problem), "remedy": plain(remedy)}
        print(json.dumps({"error": error}), file=sys.stderr, flush=True)
    return exit_code


def plain(text: str) -> str:
    """Return text that may come from a foreign file or library as one line that is safe for a terminal.

    Characters that control a terminal or the direction of writing are escaped, and a long text loses its middle.
    """
    line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in " ".join(text.split()))
    if len(line) <= _LONGEST:
        return line
    return f"{line[: _LONGEST * 2 // 3]} … {line[-_LONGEST // 3 :]}"


def report(name: str, error: BaseException, as_json: bool = False) -> int:
    """Report Ctrl-C or a failure of the system and return the exit code; raise any other error again."""
    code, sentence = _described(error)
    exit_code = 130 if code == "interrupted" else 1
    return fail_as_json(sentence, exit_code, code) if as_json else fail(name, sentence, exit_code)


def _described(error: BaseException) -> tuple[str, str]:
    """Return a code and a sentence for Ctrl-C or a failure of the system; raise any other error again."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", "Interrupted."
    if is_exhausted(error):
        return "memory-exhausted", "Memory is exhausted. Generate fewer digits, or raise the memory limit."
    if isinstance(error, RecursionError):
        return "nested-too-deeply", "The input is nested too deeply. Use a file that is not."
    if is_out_of_threads(error):
        return "threads-unavailable", "No thread can be started. Raise the limit on processes (ulimit -u)."
    if isinstance(error, ImportError):
        return "package-damaged", f"A Python package is missing or damaged ({error}). Reinstall mnistgen."
    if isinstance(error, OSError):
        return "system-failed", _system_failed(error)
    raise error


def is_out_of_threads(error: BaseException) -> bool:
    """Return whether the system refused to start a thread."""
    return isinstance(error, RuntimeError) and "can't start new thread" in str(error)


def _system_failed(error: OSError) -> str:
    reason = error.strerror or error
    if error.filename:
        return f"{error.filename} cannot be used ({reason})."
    if sys.stdout:  # a closed pipe, or a full disk behind stdout
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that Python can flush at exit
    return f"stdout cannot be written ({reason})."
