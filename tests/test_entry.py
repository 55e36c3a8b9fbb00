"""The commands' entry point: Ctrl-C and failures of the system end in one line, also during imports."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from faults.interrupt_storm import storm
from subprocess_helpers import cli_command, run_python

import mnistgen
from mnistgen.inference import session
from mnistgen.interrupts import deferred

on_posix = pytest.mark.skipif(sys.platform == "win32", reason="needs the signals of POSIX")


def start(before: str, *arguments: str, **environment: str) -> tuple[int, str, str]:
    """Run Python code, then `mnistgen-run`; return the exit code, stdout and stderr."""
    command = cli_command(*arguments, before=before, name="mnistgen-run")
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder from which the commands import first."""
    (tmp_path / "packages").mkdir()
    return tmp_path / "packages"


def test_entry_point_imports_few_modules():
    code = "import sys; before = {*sys.modules}; import mnistgen.cli; print(*sorted({*sys.modules} - before))"
    done = run_python(code)
    assert done.stdout.split() == ["mnistgen", "mnistgen.cli", "mnistgen.cli.failures", "mnistgen.memory"]


def test_public_names_are_imported_lazily():
    code = (
        "import sys, mnistgen; assert 'numpy' not in sys.modules; assert 'load' in dir(mnistgen)\n"
        "from mnistgen import *\n"
        "assert load is mnistgen.load and mnistgen.errors.InputError is InputError\n"
        "print(hasattr(mnistgen, 'absent'), hasattr(mnistgen, '__absent__'))"
    )
    done = run_python(code)
    assert done.stdout == "False False\n"


@on_posix
def test_interrupts_leave_no_traceback():
    outcomes = storm(20)
    assert set(outcomes) <= {"interrupted", "finished", "killed", "python"}
    assert outcomes["python"] <= 2  # Python starts in a few milliseconds
    assert outcomes["interrupted"] >= 10


@on_posix
@pytest.mark.parametrize("package", ["click", "numpy", "onnxruntime"])
def test_interrupted_import_is_reported(packages, folder, package):
    (packages / f"{package}.py").write_text(
        "import os, signal\n"
        "try:\n    os.kill(os.getpid(), signal.SIGINT)\n    sum(range(1000))\n"
        "except KeyboardInterrupt:\n    raise ImportError('initialization failed')\n"  # as C extensions do
        "sys_path = __import__('sys').path; sys_path.remove(os.path.dirname(__file__))\n"
        f"del __import__('sys').modules['{package}']; import {package}\n"
    )
    code, out, err = start(f"import sys; sys.path.insert(0, {str(packages)!r})")
    assert (code, out, err.strip()) == (130, "", "mnistgen-run: Interrupted.")
    assert not list(folder.iterdir())


@on_posix
def test_second_interrupt_is_not_deferred():
    received = []

    @deferred()
    def interrupted() -> None:
        for _ in range(3):
            received.append(os.kill(os.getpid(), signal.SIGINT))

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(received) == 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize(
    ("package", "content", "words"),
    [
        ("numpy", "raise ImportError('libx.so: failed to map segment from shared object')", "Memory is exhausted"),
        ("click", "raise MemoryError", "Memory is exhausted"),
        ("click", "raise ImportError('No module named click')", "Reinstall mnistgen"),
        ("numpy", "raise RecursionError('maximum recursion depth exceeded')", "nested too deeply"),
        ("numpy", "raise RuntimeError('can\\'t start new thread')", "ulimit -u"),
        ("numpy", "raise OSError(24, 'Too many open files', 'numpy.so')", "numpy.so cannot be used (Too many open"),
        ("onnxruntime", "raise ImportError('x.so: failed to map segment from shared object')", "fit into memory"),
        ("onnxruntime", "raise MemoryError", "fit into memory"),
        (
            "PIL",
            "raise ImportError('x.so: failed to map segment from shared object')",
            "Pillow does not fit into memory",
        ),
    ],
)
def test_failing_import_is_one_line(packages, folder, package, content, words):
    (packages / f"{package}.py").write_text(content)
    code, out, err = start(f"import sys; sys.path.insert(0, {str(packages)!r})", "--out", "five.gif")  # needs Pillow
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("mnistgen-run: ")
    assert words in err


def test_unforeseen_errors_keep_their_traceback(packages):
    (packages / "click.py").write_text("raise ValueError('a bug')")
    code, _, err = start(f"import sys; sys.path.insert(0, {str(packages)!r})")
    assert code == 1
    assert "Traceback" in err


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs limits on memory")
@pytest.mark.parametrize("megabytes", [60, 120, 250, 400])
def test_little_memory_is_reported(folder, megabytes):
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({megabytes} << 20, {megabytes} << 20))"
    code, _, err = start(limit, "--n", "100", "--quiet")
    assert code in (0, 1)
    assert "Traceback" not in err
    assert err.count("\n") == code


def test_runtime_import_keeps_interrupt(monkeypatch):
    class Interrupting:
        def find_spec(self, name: str, *rest: object) -> None:
            if name == "onnxruntime":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])
    with pytest.raises(KeyboardInterrupt):
        session.version()
    assert issubclass(mnistgen.MissingPackageError, ImportError)
