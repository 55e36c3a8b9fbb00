"""Run the steps one after the other, each in a process of its own that is ended at its time limit."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from export.gpu_check.results import FAILED, INTERRUPTED, TIMEOUT, Result

LIMITS = {"doctor": 60, "digits": 90, "speed": 150, "training": 100, "cgan": 480}
"""Seconds that each step may take at most, in order; the last also gets what the others leave."""
WORKER = "export.gpu_check.worker"
_ROOT = Path(__file__).parents[2]


def run_steps(
    steps: Sequence[str],
    settings: Mapping[str, Any],
    out: Path,
    total: float,
    on_result: Callable[[Result], None],
    worker: Sequence[str] = (sys.executable, "-m", WORKER),
) -> None:
    """Run `steps`, and call `on_result` after each.

    Args:
        steps: Names in LIMITS.
        settings: Fields of a Context as JSON values, without those that depend on the step.
        out: Folder for the steps' files.
        total: Seconds for all steps together.
        on_result: Receives each result at once, also that of a step that a signal interrupts.
        worker: Command that runs a step.

    Raises:
        KeyboardInterrupt: After Ctrl-C, once the step was ended and its result delivered.
        SystemExit: Likewise, if a signal handler raises it.
    """
    end = time.monotonic() + total
    for step in steps:
        limit = max(1.0, min(LIMITS[step], end - time.monotonic()))
        result = Result(step, FAILED)
        try:
            _run(result, [*worker], {**settings, "seconds": limit}, out, limit)
        except (KeyboardInterrupt, SystemExit) as stop:
            by = "Ctrl-C" if isinstance(stop, KeyboardInterrupt) else "a signal"
            result.status, result.reason = INTERRUPTED, f"stopped by {by}"
            raise
        finally:
            result.rows = _rows(out / f"{step}.jsonl")
            on_result(result)


def exit_on_signals() -> None:
    """Raise SystemExit on SIGTERM and SIGHUP, so that `run_steps` ends its worker and delivers the result."""

    def leave(number: int, _: object) -> None:
        sys.exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)


def _run(result: Result, worker: list[str], settings: dict[str, Any], out: Path, limit: float) -> None:
    """Run one step and set the result's status, reason and seconds."""
    rows, answer, log = (out / f"{result.step}{suffix}" for suffix in (".jsonl", ".status", ".log"))
    for file in (rows, answer):
        file.unlink(missing_ok=True)
    start = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*worker, result.step, json.dumps({**settings, "rows": str(rows)}), str(answer)],
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            cwd=_ROOT,
            env=_environment(),
            start_new_session=True,
        )  # a session of its own, so that its children end with it
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            result.status, result.reason = TIMEOUT, f"ended at its limit of {limit:.0f} s"
            return
        finally:
            _end(process)
            result.seconds = round(time.monotonic() - start, 2)
    if answer.exists():
        result.status, result.reason = json.loads(answer.read_text(encoding="utf-8"))
        answer.unlink()
    else:
        result.status, result.reason = FAILED, f"the process ended with code {code}; {log.name} has its output"


def _environment() -> dict[str, str]:
    """Return an environment in which the checkout's packages are imported before any installed ones."""
    paths = [str(_ROOT / "runtime"), str(_ROOT), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill the process and all its children."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _rows(file: Path) -> list[dict[str, Any]]:
    """Return the rows in `file`; a last line that was cut off is left out."""
    rows = []
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows
