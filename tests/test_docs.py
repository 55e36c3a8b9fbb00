"""The docs: nothing is missing, no link is dead, and what the README tells to type in Python works."""

import re
from importlib.metadata import version

import click
import pytest
from cli_page import PAGE, page
from conftest import ROOT

from mnistgen.cli import COMMANDS, mnistgen

PAGES = [*sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("*.md"))]
PINNED = f"click=={version('click')}" in (ROOT / "constraints.txt").read_text()


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_and_option_has_help_and_each_command_an_example(name):
    command = mnistgen.get_command(click.Context(mnistgen), name)
    assert "Examples:" in command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


@pytest.mark.skipif(not PINNED, reason="needs the click of constraints.txt, as versions differ in their layout")
def test_the_page_of_commands_says_what_help_says():
    assert PAGE.read_text(encoding="utf-8") == page(), "python tests/cli_page.py writes it anew"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_no_link_within_the_repository_is_dead(path):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (path.parent / target).exists(), target


def test_every_page_of_the_docs_is_linked_from_the_readme():
    linked = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in (ROOT / "docs").glob("*.md") if f"docs/{path.name}" not in linked] == []


def test_the_readmes_python_runs(folder, capsys):
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    exec(block, {})
    assert capsys.readouterr().out == "(1024, 28, 28)\nCPUExecutionProvider\n"


def test_every_fault_on_the_page_has_a_test():
    rows = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8").splitlines()
    named = {row.split("|")[-2].strip() for row in rows if "| test_" in row}
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("test_*.py"))
    assert len(named) > 20
    assert [name for name in named if f"def {name}(" not in tests] == []
