"""The docs are complete, and the page of commands matches the help texts."""

import re
from importlib.metadata import version

import click
import pytest
from cli_page import PAGE, page
from conftest import ROOT

from mnistgen.cli.group import COMMANDS, mnistgen

DOCS = sorted((ROOT / "docs").rglob("*.md"))
PINNED = f"click=={version('click')}" in (ROOT / "constraints.txt").read_text()


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_and_options_have_help(name):
    command = mnistgen.get_command(click.Context(mnistgen), name)
    assert "Examples:" in command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


@pytest.mark.skipif(not PINNED, reason="needs click of constraints.txt, because versions format help differently")
def test_cli_page_matches_help():
    assert PAGE.read_text(encoding="utf-8") == page(), "run python tests/cli_page.py"


@pytest.mark.parametrize("name", ["README.md", "artifacts/weights/README.md"])
def test_links_of_readme_exist(name):
    """MkDocs checks the links and anchors of pages on the site (tests/test_site.py); the README is not on it."""
    path = ROOT / name
    for target in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (path.parent / target).exists(), target


def test_readme_or_index_links_every_page():
    readme, home = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/index.md"))
    names = [path.relative_to(ROOT / "docs").as_posix() for path in DOCS if path.name != "index.md"]
    assert [name for name in names if f"](docs/{name}" not in readme and f"]({name}" not in home] == []
