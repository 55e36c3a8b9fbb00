"""The commands `mnistgen` and `mnistgen-run`: one module each, imported when it is called."""

import os
import sys
from importlib import import_module
from typing import NoReturn

import click

from mnistgen import __version__
from mnistgen.cli.shared import SETTINGS, call

COMMANDS = ("run", "walk", "manifold", "dataset", "info", "replay", "models", "bench", "doctor", "completion")
"""Names of the commands; each is `command` in the module of its name."""


class _Commands(click.Group):
    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(f"mnistgen.cli.{name}").command
        return command


@click.group(cls=_Commands, invoke_without_command=True, context_settings=SETTINGS)
@click.version_option(__version__, prog_name="mnistgen")
@click.pass_context
def mnistgen(context: click.Context) -> None:
    """Generate handwritten digits with a VAE, a GAN or a conditional GAN, without PyTorch."""
    if context.invoked_subcommand is None:  # explicitly: versions of click differ here
        click.echo(context.get_help())


def main() -> None:
    """Run the console script `mnistgen`."""
    _exit(call(mnistgen, "mnistgen"))


def main_run() -> None:
    """Run the console script `mnistgen-run`, which equals `mnistgen run`."""
    from mnistgen.cli.run import command

    _exit(call(command, "mnistgen-run"))


def _exit(code: int) -> NoReturn:
    """Exit without clean-up: everything is written, and destroying ONNX Runtime takes longer than drawing a digit."""
    if sys.stderr:
        sys.stderr.flush()
    os._exit(code)
