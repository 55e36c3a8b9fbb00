"""Run a command with little memory or few threads: `python -m faults.limit_sweep 20` steps by 20 MB. Needs Linux.

The limits are those of `ulimit -v` and `ulimit -u`. The latter does not apply to root, so root runs the command as
another user.
"""

import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from subprocess_helpers import cli_command

ENOUGH = 1200
"""Megabytes with which the command succeeds."""
NOBODY = 65534
ACCESS = "+dac_override,+dac_read_search"
"""Capabilities with which another user can read the environment of root."""


def outcome(limit: int, amount: int, folder: Path, prefix: Iterable[str] = ()) -> str:
    """Draw 100 digits under a limit of the module `resource`; return what happened, in a few words."""
    command = cli_command(
        "--n", "100", "--seed", "1", "--out", str(folder / "digits.gif"), "--quiet", name="mnistgen-run"
    )
    set_limit: Callable[[], None] = lambda: resource.setrlimit(limit, (amount, amount))  # noqa: E731
    try:
        done = subprocess.run([*prefix, *command], capture_output=True, text=True, preexec_fn=set_limit, timeout=20)
    except OSError as error:
        return f"not started: {error.strerror}"
    (folder / "digits.gif").unlink(missing_ok=True)
    left = {file.name for file in folder.iterdir()}
    if left:
        return f"left {left}"
    if done.returncode == 0:
        return "drawn" if not done.stderr else f"drawn, but printed {done.stderr}"
    if re.fullmatch("mnistgen-run: [^\n]+\n", done.stderr) and done.returncode == 1:
        return "one line"
    if done.returncode < 0 or "Fatal Python error" in done.stderr:
        return "ended by a library"  # which cannot allocate, and aborts
    if "mnistgen" not in done.stderr.replace("from mnistgen.cli import main_run", ""):
        return "Python did not start"
    return f"exit {done.returncode}: {done.stderr}"


def memory(step: int) -> Counter[str]:
    """Return how often each outcome is for limits from `step` to `ENOUGH` megabytes."""
    with tempfile.TemporaryDirectory() as folder:
        return Counter(outcome(resource.RLIMIT_AS, size << 20, Path(folder)) for size in range(step, ENOUGH + 1, step))


def processes(most: int) -> Counter[str]:
    """Return how often each outcome is for 1 to `most` threads; empty if the limit cannot be set here."""
    prefix: list[str] = []
    if os.getuid() == 0:
        if not shutil.which("setpriv"):
            return Counter()
        prefix = ["setpriv", f"--reuid={NOBODY}", "--clear-groups", f"--inh-caps={ACCESS}", f"--ambient-caps={ACCESS}"]
    with tempfile.TemporaryDirectory() as folder:
        return Counter(outcome(resource.RLIMIT_NPROC, count, Path(folder), prefix) for count in range(1, most + 1))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    found = {"memory": memory(int(sys.argv[1])), "processes": processes(12)}
    for what, outcomes in found.items():
        print(what, dict(outcomes.most_common()))
    expected = {"drawn", "one line", "ended by a library", "Python did not start"}
    sys.exit(bool({*found["memory"], *found["processes"]} - expected))
