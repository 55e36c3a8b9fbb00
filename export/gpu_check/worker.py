"""Run one step: `python -m export.gpu_check.worker`, which the runner starts as a process of its own."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before any import of ONNX Runtime

from export.gpu_check.context import Context, SkippedError, first_line
from export.gpu_check.results import FAILED, OK, SKIPPED
from export.gpu_check.steps import digits, full_training, speed, training

STEPS: dict[str, Callable[[Context], None]] = {
    "doctor": digits.examine,
    "digits": digits.compare_digits,
    "speed": speed.measure_speed,
    "training": training.measure_training,
    "cgan": full_training.train_cgan,
}


def run(step: str, settings: dict[str, Any], answer: Path) -> None:
    """Run `step`, and write its status and the reason to the file `answer` as JSON."""
    Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    paths = {name: Path(settings.pop(name)) for name in ("out", "data", "rows")}
    status, reason = OK, ""
    try:
        STEPS[step](Context(**settings, **paths))
    except SkippedError as error:
        status, reason = SKIPPED, str(error)
    except Exception as error:  # whatever fails belongs into the report
        status, reason = FAILED, first_line(error)
    answer.write_text(json.dumps([status, reason]), encoding="utf-8")


def _end_with(parent: int) -> None:
    """Kill this process and its children when the runner is gone: nobody else would."""
    while os.getppid() == parent:
        time.sleep(1)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    run(sys.argv[1], json.loads(sys.argv[2]), Path(sys.argv[3]))
