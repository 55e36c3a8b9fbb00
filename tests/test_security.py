"""Security: the runtime opens no socket, and the tests that docs/security.md names exist."""

import re
import subprocess
import sys

from conftest import ROOT

DRAWING = """
import sys
sys.addaudithook(lambda event, arguments: print(event, arguments) if event.startswith("socket.") else None)
import mnistgen
from mnistgen.cli import shared
from mnistgen.cli.run import command
gen = mnistgen.load("cgan")
gen.generate_verified(3)
gen.walk(digits=[3, 8], frames=2)
sys.exit(shared.call(command, "mnistgen-run", ["--n", "3", "--out", "drawn.gif", "--quiet"]))
"""


def test_the_runtime_opens_no_socket(folder):
    done = subprocess.run([sys.executable, "-c", DRAWING], capture_output=True, text=True, check=True, timeout=60)
    assert (done.stdout, (folder / "drawn.gif").exists()) == ("", True)


def test_tests_named_in_docs_exist():
    named = set(re.findall(r"\btest_\w+\b(?!\.py)", (ROOT / "docs" / "security.md").read_text(encoding="utf-8")))
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("test_*.py"))
    assert len(named) > 10
    assert [name for name in named if f"def {name}(" not in tests] == []
