"""Start the commands `mnistgen` and `mnistgen-run`.

This module imports almost nothing: all other imports happen inside a guard that reports Ctrl-C, exhausted memory and
damaged packages in one line.
"""

import os
import sys

from mnistgen.cli.failures import report


def main() -> None:
    """Run the console script `mnistgen`."""
    _start("mnistgen")


def main_run() -> None:
    """Run the console script `mnistgen-run`, which equals `mnistgen run`."""
    _start("mnistgen-run")


def _start(name: str) -> None:
    try:
        code = _call(name)
    except SystemExit:  # from click's completion
        raise
    except BaseException as error:
        code = report(name, error, "--json" in sys.argv)
    # Exit without clean-up: everything is written, and destroying ONNX Runtime takes longer than drawing a digit.
    if sys.stderr:
        sys.stderr.flush()
    os._exit(code)


def _call(name: str) -> int:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # NumPy's threads take memory and are not used
    from mnistgen.interrupts import deferred

    with deferred():
        from mnistgen.cli.shared import call

        if name == "mnistgen-run":
            from mnistgen.cli.run import command
        else:
            from mnistgen.cli.group import mnistgen as command
    return call(command, name)
