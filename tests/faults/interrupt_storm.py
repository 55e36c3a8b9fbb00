"""Send Ctrl-C to `mnistgen-run` at random times after its start: `python -m faults.interrupt_storm 160`."""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

START = "import sys\nfrom mnistgen.cli import main_run\nsys.exit(main_run())"
"""What the installed script does."""
LATEST = 0.3
"""Seconds after the start until which Ctrl-C is sent."""


def interrupt(delay: float, folder: Path) -> str:
    """Interrupt a command after `delay` seconds; return what happened in one word, or what it printed."""
    command = [sys.executable, "-c", START, "--n", "100", "--seed", "1", "--out", str(folder / "digits.gif"), "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder)
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    left = {file.name for file in folder.iterdir()}
    if left - {"digits.gif"}:
        return f"left {left}"
    if process.returncode == -signal.SIGINT and not err:
        return "killed"  # before Python handles signals
    if process.returncode == 130 and err.strip() == "mnistgen-run: Interrupted.":
        return "interrupted"
    if process.returncode == 0 and not out + err:
        return "finished"
    if "mnistgen" not in err.replace("from mnistgen.cli import main_run", ""):
        return "python"  # Python was starting, before any code of mnistgen
    return f"exit {process.returncode}: {err}"


def storm(count: int, seed: int = 0) -> Counter[str]:
    """Interrupt `count` commands; return how often each outcome happened."""
    delays = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        return Counter(interrupt(delays.uniform(0, LATEST), Path(folder)) for _ in range(count))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for outcome, times in storm(int(sys.argv[1])).most_common():
        print(times, outcome)
