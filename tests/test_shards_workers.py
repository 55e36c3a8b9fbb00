"""Several processes write the same shards as one, whatever happens to them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from shard_helpers import ONE, WRITE, file_hashes, kill_worker, limit_file_size, next_worker, start
from subprocess_helpers import cli_command, needs_terminal, run_in_terminal

import mnistgen
from mnistgen import dataset

pytestmark = pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs processes of Linux")


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The files that one process writes."""
    out = tmp_path_factory.mktemp("one")
    dataset.write_shards(out, 1000, 5, model="cgan-int8", kind="npz", workers=ONE)
    return file_hashes(out)


def test_killed_worker_is_replaced(folder, expected):
    process = start("--workers", "2")
    kill_worker(process)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out.split("  ")[1]) == (0, "1000 images in 5 shards")
    assert err.startswith("mnistgen: The worker of shard ")
    assert err.endswith(" died. Another one makes the shard again.\n")
    assert file_hashes("digits") == expected
    assert not list(Path("digits").rglob("*.part"))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_killed_command_resumes(folder, expected, number):
    process = start("--workers", "2")
    worker = next_worker(process, after=1)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    if number == signal.SIGINT:
        assert (process.returncode, err) == (130, "mnistgen: Interrupted. Repeat the command to resume.\n")
    end = time.monotonic() + 20
    while Path(f"/proc/{worker}").exists() and time.monotonic() < end:
        time.sleep(0.01)
    assert not Path(f"/proc/{worker}").exists()
    assert not list(Path("digits").rglob("*.part"))
    kept = {path: path.stat().st_mtime_ns for path in Path("digits").glob("*.npz")}
    assert 0 < len(kept) < 5
    assert not Path("digits/dataset.json").exists()
    process = start("--workers", "2")
    assert process.communicate(timeout=60)[1] == ""
    assert file_hashes("digits") == expected
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_full_disk_of_one_worker_is_reported(folder, expected):
    process = start("--workers", "2")
    limit_file_size(next_worker(process), 50_000)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert err.startswith("mnistgen: Shard ")
    assert "(File too large). Fix the cause and repeat the command; finished shards are kept." in err
    assert err.count("\n") == 1
    found = {name: digest for name, digest in file_hashes("digits").items() if name.endswith(".npz")}
    assert found.items() <= expected.items()
    assert not list(Path("digits").rglob("*.part"))
    assert start("--workers", "2").communicate(timeout=60)[1] == ""
    assert file_hashes("digits") == expected


def test_worker_that_keeps_dying_is_reported(folder, tmp_path):
    """A module of a dependency that ends the process stands for exhausted memory."""
    (tmp_path / "crash").mkdir()
    (tmp_path / "crash" / "sitecustomize.py").write_text(
        "import os, sys\nif '-c' in sys.orig_argv and 'shards.worker' in str(sys.orig_argv): os.kill(os.getpid(), 9)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path / "crash"), *filter(None, sys.path)])}
    command = cli_command(*WRITE, "--workers", "2")
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert done.returncode == 1
    *losses, last = done.stderr.splitlines()
    assert losses
    assert all("died. Another one" in line for line in losses)
    assert "has lost 4 workers (exit code -9)" in last


def test_second_command_is_refused(folder):
    process = start("--workers", "2")
    next_worker(process)
    process.send_signal(signal.SIGSTOP)  # so that it does not end before the second command begins
    done = subprocess.run(cli_command(*WRITE), capture_output=True, text=True, timeout=60, check=False)
    process.kill()
    process.communicate()
    assert done.returncode == 1
    assert "Another process is writing a dataset to digits" in done.stderr


def test_worker_with_another_version_is_refused(tmp_path):
    from mnistgen.dataset.shards import job

    out = tmp_path / "digits"
    dataset.write_shards(out, 20, 2, model="cgan-int8", workers=ONE)
    settings = json.loads((out / ".shards" / "settings.json").read_text())
    answers = [
        job.answer(job.describe(out, {**settings, "onnxruntime": "0"}, None), 0),
        job.answer(job.describe(tmp_path / "elsewhere", settings, None), 0),
    ]
    assert [answer["error"]["code"] for answer in answers] == ["worker-differs", "output-not-shared"]
    assert isinstance(job.raised(answers[0]["error"]), mnistgen.InputError)
    assert not (tmp_path / "elsewhere").exists()


@needs_terminal
def test_terminal_shows_progress_of_all_workers(folder):
    code, shown = run_in_terminal(*WRITE, "--workers", "2", "--n", "100")
    assert code == 0
    assert "Drawing 100" in shown
    assert "100%" in shown
