"""Interrupted datasets resume to equal bytes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from dataset_helpers import SMALL, WRITE, Cut, Painter, tree
from faults.dataset_race import race
from subprocess_helpers import (
    cli_command,
    needs_file_size_limit,
    run_with_file_size_limit,
)

import mnistgen
from mnistgen import dataset
from mnistgen.output.files import locked

DAWDLE = """
import signal, time
from mnistgen import Generator
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell ignores it
generate, blocks = Generator.generate, iter(range(3))
def dawdle(*arguments, **options):
    if next(blocks, None) is None:
        time.sleep(60)
    return generate(*arguments, **options)
Generator.generate = dawdle
"""
"""Code to run before the command, which then draws three blocks and sleeps."""


def start(folder):
    """Start the command in a process that draws some images and does not finish."""
    images = folder / "digits" / ".unfinished" / "idx" / "MNIST" / "raw" / "train-images-idx3-ubyte"
    before = images.stat().st_size if images.exists() else 16
    slow = cli_command(*WRITE, before=SMALL + DAWDLE)
    process = subprocess.Popen(slow, cwd=folder, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not (images.exists() and images.stat().st_size > before):
        time.sleep(0.001)
    return process


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals of POSIX")
def test_killed_process_resumes_to_equal_bytes(cgan_int8, folder):
    process = start(folder)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    process.stderr.close()
    assert os.listdir("digits") == [".unfinished"]
    process = start(folder)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert err.endswith("mnistgen: Interrupted. Repeat the command to resume.\n")
    reported = []
    dataset.write(cgan_int8, "digits", 400, progress=lambda *facts: reported.append(facts))
    assert 0 < reported[0][1] < 400
    assert reported[0][2] == 400
    dataset.write(cgan_int8, "uninterrupted", 400)
    assert tree("digits") == tree("uninterrupted")


@needs_file_size_limit
@pytest.mark.parametrize(("kind", "limit"), [("idx", 50_000), ("npz", 300_000)])  # while drawing, and while building
def test_full_disk_resumes_to_equal_bytes(cgan_int8, folder, kind, limit):
    done = run_with_file_size_limit(limit, *WRITE, "--kind", kind, before=SMALL)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("mnistgen: The dataset cannot be written to digits (File too large).")
    assert done.stderr.count("\n") == 1
    assert os.listdir("digits") == [".unfinished"]
    dataset.write(cgan_int8, "digits", 400, kind=kind)
    dataset.write(cgan_int8, "uninterrupted", 400, kind=kind)
    assert tree("digits") == tree("uninterrupted")


@pytest.fixture
def cut_at(monkeypatch):
    """Raise Cut instead of the n-th file operation from now on: a rename, a removal, or the end of a block."""
    operations = SimpleNamespace(left=0)

    def count(*arguments):
        operations.left -= 1
        if operations.left == 0:
            raise Cut

    def counted(original):
        def call(*arguments, **options):
            count()
            return original(*arguments, **options)

        return call

    monkeypatch.setattr(Path, "replace", counted(Path.replace))
    monkeypatch.setattr(shutil, "rmtree", counted(shutil.rmtree))

    def set_to(operation):
        operations.left = operation
        return count

    return set_to


@pytest.mark.parametrize("kind", ["idx", "png"])
@pytest.mark.parametrize("former", [None, "idx", "png"])
def test_cut_anywhere_resumes_to_equal_bytes(tmp_path, cut_at, monkeypatch, former, kind):
    monkeypatch.setattr("mnistgen.dataset.split.BLOCK", 4)
    dataset.write(Painter(), tmp_path / "uninterrupted", 13, kind=kind)
    wanted = tree(tmp_path / "uninterrupted")
    for operation in range(1, 100):
        out = tmp_path / str(operation)
        if former:
            dataset.write(Painter(), out, 9, kind=former)
        painter, overwrite = Painter(), former is not None
        try:
            dataset.write(painter, out, 13, kind=kind, overwrite=overwrite, progress=cut_at(operation))
            break
        except Cut:
            cut_at(0)
        try:
            dataset.write(painter, out, 13, kind=kind, overwrite=overwrite)
        except mnistgen.OutputError as error:
            assert error.code == "dataset-exists"  # noqa: PT017  # cut during the final clean-up
        assert tree(out) == wanted
    assert operation > 8


def test_resume_does_not_redraw(tmp_path, monkeypatch):
    monkeypatch.setattr("mnistgen.dataset.split.BLOCK", 4)
    painter = Painter()

    def stop(what, done, n):
        if done == 12:
            raise Cut

    with pytest.raises(Cut):
        dataset.write(painter, tmp_path, 24, test=8, progress=stop)
    dataset.write(painter, tmp_path, 24, test=8)
    assert painter.painted == 24


def test_other_settings_cannot_resume(tmp_path, monkeypatch):
    def stop(what, done, n):
        raise Cut

    with pytest.raises(Cut):
        dataset.write(Painter(), tmp_path, 12, seed=1, progress=stop)
    with pytest.raises(mnistgen.InputError, match=r"\(n is 12, not 24; test is 2, not 4; "):
        dataset.write(Painter(), tmp_path, 24, seed=1)
    with pytest.raises(mnistgen.InputError, match=r"\(seed is 1, not 2\)") as caught:
        dataset.write(Painter(), tmp_path, 12, seed=2)
    assert caught.value.code == "dataset-settings-mismatch"
    dataset.write(Painter(), tmp_path, 12, seed=2, overwrite=True)
    dataset.write(Painter(), tmp_path / "fresh", 12, seed=2)
    assert tree(tmp_path / "fresh") == {name: file for name, file in tree(tmp_path).items() if "fresh" not in name}


def test_overwrite_during_move_leaves_nothing(tmp_path, cut_at, monkeypatch):
    dataset.write(Painter(), tmp_path / "fresh", 12, kind="npz")
    for operation in range(1, 20):
        out = tmp_path / str(operation)
        cut_at(operation)
        try:
            dataset.write(Painter(), out, 9, kind="png")
            break
        except Cut:
            cut_at(0)
        dataset.write(Painter(), out, 12, kind="npz", overwrite=True)
        assert tree(out) == tree(tmp_path / "fresh")
    assert operation > 5


@pytest.mark.skipif(sys.platform == "win32", reason="needs locks of POSIX")
def test_only_one_process_writes(tmp_path):
    with locked(tmp_path), pytest.raises(mnistgen.OutputError) as caught:
        dataset.write(Painter(), tmp_path, 12)
    assert caught.value.code == "dataset-locked"
    dataset.write(Painter(), tmp_path, 12)


@pytest.mark.skipif(sys.platform == "win32", reason="needs locks of POSIX")
def test_racing_writers_never_replace(tmp_path):
    assert {*race(tmp_path, 20)} <= {"dataset-locked, written", "dataset-exists, written"}


@pytest.mark.skipif(sys.platform == "win32", reason="needs symbolic links")
def test_linked_draft_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "notes.txt").write_text("mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".unfinished").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(mnistgen.OutputError) as caught:
        dataset.write(Painter(), tmp_path / "out", 12, overwrite=True)
    assert caught.value.code == "output-exists"
    assert tree(tmp_path / "elsewhere") == {"notes.txt": b"mine"}


@pytest.mark.skipif(sys.platform == "win32", reason="needs symbolic links")
def test_linked_lock_file_is_left_alone(tmp_path):
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "out" / ".unfinished").mkdir(parents=True)
    (tmp_path / "out" / ".unfinished" / "lock").symlink_to(tmp_path / "victim")
    dataset.write(Painter(), tmp_path / "out", 12)
    assert (tmp_path / "victim").read_text() == "mine"
    assert not (tmp_path / "out" / ".unfinished").exists()
