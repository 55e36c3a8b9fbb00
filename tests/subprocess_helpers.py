"""Run code or commands in a child process, with a pseudo-terminal, or with a limit on the size of files."""

import contextlib
import os
import subprocess
import sys

import pytest

needs_terminal = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
needs_file_size_limit = pytest.mark.skipif(sys.platform == "win32", reason="needs limits on file size")


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a new process; raise CalledProcessError if it fails."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


def cli_command(*arguments: str, before: str = "", name: str = "mnistgen") -> list[str]:
    """Return the command line that runs the Python code `before`, then `name` with the arguments."""
    main = {"mnistgen": "main", "mnistgen-run": "main_run"}[name]
    return [sys.executable, "-c", f"{before}\nfrom mnistgen.cli import {main}; {main}()", *arguments]


def run_in_terminal(*arguments: str, before: str = "", **environment: str) -> tuple[int, str]:
    """Run `mnistgen` in a pseudo-terminal; return the exit code and everything the terminal shows.

    Colors are on by default; pass `NO_COLOR="1"` to turn them off.
    """
    import pty  # not available on Windows

    reader, writer = pty.openpty()
    settings = {**os.environ, "COLUMNS": "80", "PYTHONUTF8": "1", "NO_COLOR": "", **environment}
    # The terminal's buffer is small: read before waiting for the process.
    process = subprocess.Popen(
        cli_command(*arguments, before=before), stdin=writer, stdout=writer, stderr=writer, env=settings
    )
    os.close(writer)
    shown = b""
    with contextlib.suppress(OSError):  # on Linux, the end of the output is an error
        while part := os.read(reader, 10_000):
            shown += part
    os.close(reader)
    return process.wait(), shown.decode()


def run_with_file_size_limit(
    max_bytes: int, *arguments: str, before: str = "", name: str = "mnistgen"
) -> subprocess.CompletedProcess[str]:
    """Run the command with files limited to `max_bytes`, which imitates a full disk."""
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({max_bytes}, {max_bytes}))\n"
    return subprocess.run(
        cli_command(*arguments, before=limit + before, name=name), capture_output=True, text=True, check=False
    )
