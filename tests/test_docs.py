"""The docs are complete, and the page of commands matches the help texts."""

import re
from importlib.metadata import version

import click
import pytest
from cli_page import PAGE, page
from conftest import ROOT

from mnistgen.cli.group import COMMANDS, mnistgen
from mnistgen.errors import install_command

DOCS = sorted((ROOT / "docs").rglob("*.md"))
TEXTS = [
    *DOCS,
    *ROOT.glob("*.md"),
    *(ROOT / "artifacts").rglob("*.md"),
    *(path for path in (ROOT / "examples").rglob("*.*") if "node_modules" not in path.parts),
    *(path for name in ("runtime", "training", "export") for path in (ROOT / name).rglob("*.py")),
]
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


def test_install_commands_agree():
    """Commands that install mnistgen by name equal those of the error messages; others name a checkout or a wheel."""
    found = []
    for path in TEXTS:
        if path.name == "errors.py":  # it defines the command
            continue
        for command in re.findall(r"pip install [^`\n]*", path.read_text(encoding="utf-8")):
            for extra in re.findall(r"mnistgen[^ ]*?\[(.+?)\]", command):
                found.append(path)
                assert install_command(extra).removeprefix("pip install ") in command, f"{path}: {command}"
            assert not re.search(r"(?<![\w./])mnistgen(?![\w./\[-])", command), f"{path}: {command} without cpu or gpu"
    assert ROOT / "README.md" in found
