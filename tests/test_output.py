"""Output of every command: JSON on request, and escapes only in a terminal that wants them."""

import json

import pytest
from subprocess_helpers import needs_terminal, run_in_terminal

from mnistgen.cli import group

CALLS = {
    "run": ["--seed", "1"],
    "walk": ["--seeds", "7", "--digits", "3,8", "--frames", "2"],
    "manifold": ["--side", "2"],
    "dataset": ["digits", "--n", "20", "--test", "5"],
    "info": ["drawn.png"],
    "replay": ["drawn.png"],
    "models": [],
    "bench": ["--model", "vae", "--batch", "1", "--seconds", "0"],
    "doctor": [],
    "completion": ["bash"],
}
WITHOUT_FACTS = {"completion"}
"""It prints a shell script."""
SERVERS = {"demo", "serve"}
"""They serve until Ctrl-C (tests/test_demo.py, tests/test_serve.py)."""
COMMANDS = [name for name in group.COMMANDS if name not in SERVERS]


@pytest.fixture
def drawn(run, folder):
    """The current folder, with a picture in it."""
    assert run("--seed", "1", "--out", "drawn.png", "--quiet") == (0, "", "")


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in WITHOUT_FACTS])
def test_json_is_only_output(run, drawn, name):
    code, out, _ = run(name, *CALLS[name], "--json", command=group.mnistgen)
    assert (code, out.count("\n")) == (0, 1)
    assert json.loads(out)


@pytest.mark.parametrize("name", COMMANDS)
def test_pipe_gets_no_escapes(run, drawn, name):
    code, out, err = run(name, *CALLS[name], command=group.mnistgen)
    assert code == 0
    assert "\x1b" not in out + err


@needs_terminal
@pytest.mark.parametrize("name", COMMANDS)
def test_no_color_removes_escapes(drawn, name):
    code, shown = run_in_terminal(name, *CALLS[name], NO_COLOR="1")
    assert code == 0
    assert shown
    assert "\x1b" not in shown
