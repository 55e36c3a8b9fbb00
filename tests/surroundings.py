"""Commands in a process of their own, where it matters what is around them: a terminal, or a disk that fills up."""

import contextlib
import os
import subprocess
import sys

import pytest

needs_terminal = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
needs_limit = pytest.mark.skipif(sys.platform == "win32", reason="needs limits on a file's size")


def command(*arguments: str, before: str = "", name: str = "mnistgen") -> list[str]:
    """What starts `mnistgen`, or the command `name`, in the Python of the tests, with a code that runs `before`."""
    main = {"mnistgen": "main", "mnistgen-run": "main_run"}[name]
    return [sys.executable, "-c", f"{before}\nfrom mnistgen import cli; cli.{main}()", *arguments]


def on_a_terminal(*arguments: str, before: str = "", **environment: str) -> tuple[int, str]:
    """The exit code, and what a terminal shows of both of the command's outputs; in colour if not told otherwise."""
    import pty  # not on Windows

    reader, writer = pty.openpty()
    settings = {**os.environ, "COLUMNS": "80", "PYTHONUTF8": "1", "NO_COLOR": "", **environment}
    # The terminal holds little before it is read, so the command must not be waited for first.
    process = subprocess.Popen(
        command(*arguments, before=before), stdin=writer, stdout=writer, stderr=writer, env=settings
    )
    os.close(writer)
    shown = b""
    with contextlib.suppress(OSError):  # Linux ends a closed terminal's output with an error
        while part := os.read(reader, 10_000):
            shown += part
    os.close(reader)
    return process.wait(), shown.decode()


def on_a_full_disk(
    most: int, *arguments: str, before: str = "", name: str = "mnistgen"
) -> subprocess.CompletedProcess[str]:
    """What the command answers where no file may grow beyond `most` bytes."""
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({most}, {most}))\n"
    started = command(*arguments, before=limit + before, name=name)
    return subprocess.run(started, capture_output=True, text=True, check=False)
