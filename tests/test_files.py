"""Files are written whole, under unpredictable temporary names, with their former mode, or not at all."""

import contextlib
import itertools
import json
import multiprocessing
import os
import signal
import stat
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from faults.file_race import has_namespaces, race
from subprocess_helpers import cli_command, run_in_terminal

import mnistgen
from mnistgen.output import files as runtime_files

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs modes, links and signals of POSIX")


def replace_in_runtime(path, content):
    runtime_files.write_whole(path, content)


def replace_in_training(path, content):
    training_files().replace_files({path: content})


def training_files():
    """Import training.files, or skip the test where training's packages are not installed."""
    pytest.importorskip("safetensors")
    from training import files

    return files


needs_training = pytest.mark.skipif(not find_spec("torch"), reason="needs the packages of training")
replacers = pytest.mark.parametrize(
    "replace", [replace_in_runtime, pytest.param(replace_in_training, marks=needs_training)]
)


@pytest.fixture
def umask():
    former = os.umask(0o027)
    yield
    os.umask(former)


@posix
@replacers
def test_mode_is_kept(tmp_path, umask, replace):
    path = tmp_path / "x"
    replace(path, b"1")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o604)
    replace(path, b"2")
    assert (stat.S_IMODE(path.stat().st_mode), path.read_bytes()) == (0o604, b"2")


@pytest.mark.skipif(sys.platform == "win32" or os.getuid() != 0, reason="needs a user who may change owners")
@replacers
def test_owner_is_kept(tmp_path, replace):
    path = tmp_path / "x"
    path.write_bytes(b"1")
    os.chown(path, 1234, 1235)
    replace(path, b"2")
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 1235)


@posix
@replacers
def test_planted_link_is_not_followed(tmp_path, monkeypatch, replace):
    """Even if an attacker could guess the name of the temporary file, it fails instead of following the link."""
    monkeypatch.setattr(os, "urandom", lambda n: bytes(n))
    monkeypatch.setattr(os, "getpid", lambda: 7)
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    for name in (
        ".mnistgen-7.part",
        f".mnistgen-{bytes(8).hex()}.part",
        f".mnistgen-training-{bytes(8).hex()}.part",
        ".x.part",
    ):
        (tmp_path / name).symlink_to(victim)
    with pytest.raises(OSError, match="File exists"):
        replace(tmp_path / "x", b"theirs")
    assert victim.read_bytes() == b"mine"
    assert not (tmp_path / "x").exists()


@replacers
def test_equal_pids_do_not_collide(tmp_path, monkeypatch, replace):
    """A second writer with the same process id, as in another container, starts and ends while the first writes."""
    monkeypatch.setattr(os, "getpid", lambda: 7)
    fsync, calls = os.fsync, itertools.count()

    def other_writer_first(descriptor):
        if next(calls) == 0:
            replace(tmp_path / "b", b"b")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", other_writer_first)
    replace(tmp_path / "a", b"a")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"a", "b": b"b"}


@posix
@replacers
def test_symbolic_link_as_target_stays(tmp_path, replace):
    (tmp_path / "real").write_bytes(b"1")
    (tmp_path / "link").symlink_to("real")
    replace(tmp_path / "link", b"2")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"2"


def end_while_writing(replace, path, number):
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.fsync = lambda descriptor: os.kill(os.getpid(), number)
    replace(path, b"new")


@posix
@replacers
def test_sigterm_deletes_temporary_files(tmp_path, replace):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    process = multiprocessing.get_context("spawn").Process(
        target=end_while_writing, args=(replace, path, signal.SIGTERM)
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGTERM  # a shell shows 143
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"x": b"old"}


@posix
@replacers
def test_own_signal_handlers_stay(tmp_path, replace):
    former = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        replace(tmp_path / "x", b"1")
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        replace(tmp_path / "x", b"1")
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, former)


@replacers
def test_interrupt_deletes_temporary_files(tmp_path, monkeypatch, replace):
    def interrupt(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        replace(tmp_path / "x", b"1")
    assert os.listdir(tmp_path) == []


@replacers
def test_file_and_folder_are_synced(tmp_path, monkeypatch, replace):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(stat.S_ISDIR(os.fstat(descriptor).st_mode)))
    replace(tmp_path / "x", b"1")
    assert synced == ([False] if sys.platform == "win32" else [False, True])


def test_files_are_written_together_or_not(tmp_path):
    File = runtime_files.File  # noqa: N806
    (tmp_path / "old").write_bytes(b"old")
    with (
        pytest.raises(mnistgen.OutputError, match=r"no/x.*--boxes"),
        runtime_files.written_together(File(tmp_path / "old", b"new"), File(tmp_path / "no" / "x", b"new", "--boxes")),
    ):
        pytest.fail("the body must not run")
    with pytest.raises(ZeroDivisionError), runtime_files.written_together(File(tmp_path / "old", b"new")):
        raise ZeroDivisionError
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"old": b"old"}


@pytest.mark.parametrize("out", ["x.png", "-"])
def test_failing_boxes_leave_no_picture(run, folder, out):
    Path("boxes.json").mkdir()
    command = cli_command(
        "--text", "12", "--boxes", "boxes.json/", "--out", out, "--format", "png", name="mnistgen-run"
    )
    done = subprocess.run(command, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (2, b"")
    code, stdout, err = run("--text", "12", "--boxes", "./" + "x" * 300 + ".json", "--out", out, "--format", "png")
    assert (code, stdout) == (1, "")
    assert "--boxes" in err
    assert os.listdir() == ["boxes.json"]


@posix
def test_boxes_and_picture_need_two_files(run, folder):
    Path("x.png").symlink_to("x.json")
    code, _, err = run("--text", "12", "--boxes", "x.json", "--out", "x.png")
    assert (code, os.listdir()) == (2, ["x.png"])
    assert "--boxes and --out both name x.json" in err


def test_boxes_beside_picture_on_stdout(folder):
    command = cli_command("--text", "12", "--boxes", "x.json", "--out", "-", name="mnistgen-run")
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stdout.startswith(b"\x89PNG")
    assert [box["digit"] for box in json.loads(Path("x.json").read_text())["digits"]] == [1, 2]


@needs_training
@posix
def test_second_lock_fails(tmp_path):
    for first, second in itertools.product((runtime_files.locked, training_files().locked), repeat=2):
        with first(tmp_path), pytest.raises(BlockingIOError), second(tmp_path):
            pass
        with contextlib.suppress(FileNotFoundError):
            assert os.listdir(tmp_path) == []
        tmp_path.mkdir(exist_ok=True)


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="needs /dev/stdout")
@pytest.mark.parametrize("target", ["pipe", "file", "terminal"])
def test_name_of_stdout_gets_picture_only(folder, target):
    words = ("run", "--seed", "1", "--format", "png", "--out", "/dev/stdout")
    if target == "terminal":
        code, shown = run_in_terminal(*words)
        assert (code, "stdout is a terminal" in shown) == (2, True)
        return
    with Path("picture").open("wb") as file:
        stdout = file if target == "file" else subprocess.PIPE
        done = subprocess.run(cli_command(*words), stdout=stdout, stderr=subprocess.PIPE, check=True)
    picture = Path("picture").read_bytes() if target == "file" else done.stdout
    assert (picture[:4], picture[-8:-4]) == (b"\x89PNG", b"IEND")
    assert b"seed 1" in done.stderr


STOPS = """
import os, signal
fsync = os.fsync
def stop(descriptor):
    os.kill(os.getpid(), signal.SIGTERM)
    fsync(descriptor)
os.fsync = stop
"""


@posix
@pytest.mark.parametrize(
    "words",
    [
        ("run", "--text", "1", "--boxes", "x.json"),
        ("walk", "--digits", "3,8", "--frames", "2"),
        ("manifold", "--side", "2"),
        ("replay", "drawn.png"),
    ],
)
def test_terminated_command_leaves_no_file(run, folder, words):
    assert run("--seed", "1", "--out", "drawn.png")[0] == 0
    done = subprocess.run(cli_command(*words, before=STOPS), capture_output=True, check=False)
    assert (done.returncode, os.listdir()) == (-signal.SIGTERM, ["drawn.png"])


@pytest.mark.skipif(not has_namespaces(), reason="needs process namespaces")
def test_containers_write_into_one_folder(tmp_path):
    for _ in range(2):
        assert race(tmp_path) == []
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


@needs_training
def test_lock_deletes_only_own_temporary_files(tmp_path):
    (tmp_path / "weights").mkdir()
    for name in (".mnistgen-training-1.part", "weights/.mnistgen-training-2.part", ".mnistgen-3.part", "x.part"):
        (tmp_path / name).touch()
    with training_files().locked(tmp_path):
        found = sorted(path.name for path in tmp_path.rglob("*.part"))
    assert found == ([".mnistgen-3.part", "x.part"] if sys.platform != "win32" else found)
