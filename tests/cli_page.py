"""Writes docs/cli.md, what each command says of itself: `python tests/cli_page.py`."""

from pathlib import Path

import click

from mnistgen.cli import COMMANDS, mnistgen
from mnistgen.cli.shared import SETTINGS

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"
HEAD = """# Commands

What `--help` says of each; `mnistgen-run` is `mnistgen run`. `python tests/cli_page.py` writes this page.
"""


def page() -> str:
    """The page's text."""
    group = click.Context(mnistgen, info_name="mnistgen")
    parts = [HEAD]
    for name in COMMANDS:
        command = mnistgen.get_command(group, name)
        context = click.Context(command, info_name=name, parent=group, terminal_width=100, **SETTINGS)
        parts.append(f"## mnistgen {name}\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
