"""The runner of the GPU check: steps that hang, crash or are skipped are reported, and the others go on."""

import json
import sys

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
