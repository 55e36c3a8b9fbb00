"""The docs: nothing is missing, and no link is dead (tests/test_typed.py holds what they tell to type)."""

import re
from importlib.metadata import version

import click
import pytest
from cli_page import PAGE, page
from conftest import ROOT

from mnistgen.cli import COMMANDS, mnistgen

DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [*DOCS, *sorted((ROOT / "artifacts").rglob("*.md")), *sorted(ROOT.glob("*.md"))]
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


def anchors(path):
    """What the headings of a page can be linked by: their words, joined by dashes."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_link_within_the_repository_is_dead(path):
    for target, anchor in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", path.read_text(encoding="utf-8")):
        if not target.startswith("https://"):
            file = path.parent / target if target else path
            assert file.exists(), target
            assert not anchor or anchor in anchors(file), (target, anchor)


def test_every_page_of_the_docs_is_linked_from_the_readme_or_the_home_of_the_site():
    readme, home = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/index.md"))
    names = [path.relative_to(ROOT / "docs").as_posix() for path in DOCS if path.name != "index.md"]
    assert [name for name in names if f"](docs/{name}" not in readme and f"]({name}" not in home] == []


def test_every_fault_on_the_page_has_a_test():
    rows = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8").splitlines()
    named = {row.split("|")[-2].strip() for row in rows if "| test_" in row}
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("test_*.py"))
    assert len(named) > 20
    assert [name for name in named if f"def {name}(" not in tests] == []
