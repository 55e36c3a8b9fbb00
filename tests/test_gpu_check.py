"""The runner of the GPU check: steps that hang, crash or are skipped are reported, and the others go on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from export.gpu_check import results, runner

WORKER = """
import json, os, sys, time
step, settings, answer = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
open(settings["rows"], "w").write('{"a": 1}\\n{"a":')
if step == "doctor":
    time.sleep(60)
if step == "digits":
    os._exit(3)
json.dump(["skipped", "no GPU"], open(answer, "w"))
"""


def test_hanging_and_crashing_steps_are_reported(tmp_path, monkeypatch):
    monkeypatch.setitem(runner.LIMITS, "doctor", 1)
    found = []
    command = [sys.executable, "-c", WORKER]
    runner.run_steps(["doctor", "digits", "speed"], {}, tmp_path, 60, found.append, command)
    assert [each.status for each in found] == [results.TIMEOUT, results.FAILED, results.SKIPPED]
    assert [each.rows for each in found] == [[{"a": 1}]] * 3
    assert "code 3" in found[1].reason
    assert str(found[2]) == "skipped: no GPU"
    results.write(tmp_path, found, {"GPU": "none"})
    assert len(json.loads((tmp_path / "results.json").read_text())["steps"]) == 3
    assert "| 1 |" in (tmp_path / "results.md").read_text()


RUNNER = """
import json, sys
from pathlib import Path
from export.gpu_check import runner

out = Path(sys.argv[1])
runner.exit_on_signals()
worker = [sys.executable, str(out / "worker.py")]
show = lambda result: print(json.dumps([str(result), result.rows]), flush=True)
runner.run_steps(["speed", "cgan"], {}, out, 60, show, worker)
"""
SLOW_WORKER = """
import json, os, sys, time
open(json.loads(sys.argv[2])["rows"], "w").write(json.dumps({"process": os.getpid()}) + "\\n")
time.sleep(60)
"""


@pytest.mark.parametrize(("number", "code", "by"), [(signal.SIGTERM, 143, "a signal"), (signal.SIGINT, 1, "Ctrl-C")])
def test_signal_ends_the_worker_and_keeps_its_rows(tmp_path, number, code, by):
    (tmp_path / "worker.py").write_text(SLOW_WORKER)
    (tmp_path / "runner.py").write_text(RUNNER)
    root = Path(runner.__file__).parents[2]
    command = [sys.executable, str(tmp_path / "runner.py"), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
    rows = tmp_path / "speed.jsonl"
    wait_until(lambda: rows.exists() and rows.read_text().endswith("\n"))
    worker = json.loads(rows.read_text())["process"]
    process.send_signal(number)
    printed, _ = process.communicate(timeout=30)
    assert json.loads(printed) == [f"interrupted: stopped by {by}", [{"process": worker}]]
    assert process.returncode in (code, -number)
    assert not is_running(worker)


def test_worker_ends_with_its_runner(tmp_path):
    """Kill the runner in a way that it cannot notice."""
    (tmp_path / "worker.py").write_text("""
import os
from export.gpu_check.worker import _end_with

parent = os.getppid()
print(os.getpid(), flush=True)
_end_with(parent)
""")
    start = "import subprocess, sys; subprocess.Popen([sys.executable, sys.argv[1]], start_new_session=True).wait()"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", start, str(tmp_path / "worker.py")], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout
    worker = int(process.stdout.readline())
    process.kill()
    process.communicate(timeout=30)  # until the worker has closed its output
    wait_until(lambda: not is_running(worker))


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()  # a zombie has ended


def wait_until(condition) -> None:
    for _ in range(300):
        if condition():
            return
        time.sleep(0.1)
    pytest.fail("nothing happened for 30 s")
