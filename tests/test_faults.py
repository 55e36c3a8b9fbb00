"""Short versions of `make faults`: forks, power failures, little memory, few threads, full disks, damaged models."""

import os
import subprocess
import sys

import pytest
from conftest import ROOT
from faults.power_loss import lose_power

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux")


def run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a module of the folder `faults` in a new process."""
    command = [sys.executable, "-m", f"faults.{module}", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)


def test_fork_while_threads_draw():
    done = run("fork_storm", "12")
    assert (done.returncode, done.stdout, done.stderr) == (0, "{'drawn': 12}\n", "")


def test_power_failures_lose_no_digit(tmp_path):
    assert lose_power(30, tmp_path) == []


def test_limits_on_memory_and_threads_are_reported():
    done = run("limit_sweep", "120")
    assert done.returncode == 0, done.stdout
    assert "one line" in done.stdout
    assert "drawn" in done.stdout


def test_full_disks_keep_nothing_half_written():
    from faults.full_disk import UNSHARE  # lazy: needs Linux

    if subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs mount namespaces")
    done = run("full_disk", "64")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "one line" in done.stdout
    assert "written" in done.stdout


def test_damaged_models_do_not_crash():
    done = run("model_storm", "300")
    assert done.returncode == 0, done.stderr
    assert "'model-refused'" in done.stdout
    assert "'drawn'" in done.stdout
    assert "crashed" not in done.stdout
