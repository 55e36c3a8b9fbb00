"""ONNX Runtime's telemetry is off wherever our code imports it: no socket, no file in the user's folders."""

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec

import pytest
from conftest import ROOT
from subprocess_helpers import cli_command

HOOK = """
import os, sys
class Note:
    def find_spec(self, name, *rest):
        if name == "onnxruntime":
            print("disabled:", os.environ.get("ORT_DISABLE_TELEMETRY"))
sys.meta_path.insert(0, Note())
"""
SNIPPETS = "\n".join(
    re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "contract.md").read_text(encoding="utf-8"), re.M | re.S)
)
ENTRIES = {
    "contract": [sys.executable, "-c", SNIPPETS],
    "docs": [sys.executable, "-m", "mkdocs", "build", "-q", "-d", "{home}-site"],
    "export": [sys.executable, "-c", "import export.onnx"],
    "runtime": cli_command("--n", "3", "--out", "{home}-digits.png", name="mnistgen-run"),
    "tests": [sys.executable, "-c", "import sys; sys.path.insert(0, 'tests'); import conftest, onnxruntime"],
}
"""Commands that import ONNX Runtime, and the build of the docs, which imports our code."""
NEEDED = {"docs": "mkdocs", "export": "torch"}
"""Packages that not every environment of the tests has."""


def environment(**more: str) -> dict[str, str]:
    """Return the environment without the variables that disable telemetry or name a user's folders."""
    hidden = re.compile(r"ORT_.*|XDG_.*|HOME")
    kept = {name: value for name, value in os.environ.items() if not hidden.fullmatch(name)}
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**kept, "PYTHONPATH": path, "NO_MKDOCS_2_WARNING": "1", **more}


def need(entry: str) -> None:
    """Skip the test if the entry's package is not installed."""
    if not find_spec(NEEDED.get(entry, "onnxruntime")):
        pytest.skip(f"needs {NEEDED[entry]}")


def isolated(log: str) -> list[str]:
    """Return a prefix that runs a command without a network and logs its sockets; skip if the system has none."""
    prefix = ["unshare", "--map-root-user", "--net", "strace", "-f", "-qq", "-e", "trace=socket", "-o", log]
    if not (shutil.which("unshare") and shutil.which("strace")):
        pytest.skip("needs unshare and strace")
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to create namespaces and to trace processes")
    return prefix


@pytest.mark.parametrize("entry", ["contract", "export", "runtime", "tests"])
def test_telemetry_is_off_at_import(tmp_path, entry):
    need(entry)
    python, _, code, *arguments = [
        part.format(home=tmp_path / "h") if "{home}" in part else part for part in ENTRIES[entry]
    ]
    done = subprocess.run(
        [python, "-c", HOOK + code, *arguments],
        env=environment(HOME=str(tmp_path)),
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "disabled: 1"), done.stderr


@pytest.mark.parametrize("entry", ENTRIES)
def test_nothing_connects_or_writes_home(tmp_path, entry):
    need(entry)
    home, log = tmp_path / "home", tmp_path / "sockets"
    home.mkdir()
    command = [part.replace("{home}", str(home)) for part in ENTRIES[entry]]
    done = subprocess.run(
        [*isolated(str(log)), *command], env=environment(HOME=str(home)), cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "AF_INET" not in log.read_text()
    assert list(home.iterdir()) == []


def test_every_import_is_in_a_listed_place():
    imports = re.compile(r"^\s*(import|from) onnxruntime\b", re.M)
    files = (
        path for folder in ("docs", "examples", "export", "runtime", "tests") for path in (ROOT / folder).rglob("*")
    )
    found = {
        path.relative_to(ROOT)
        for path in files
        if path.suffix in (".py", ".md", ".ipynb") and imports.search(path.read_text(encoding="utf-8"))
    }
    others = {path for path in found if path.parts[0] not in ("export", "tests")}  # disabled for the whole folder
    assert {str(path) for path in others} == {"docs/contract.md", "runtime/mnistgen/inference/session.py"}
