"""The commands `mnistgen` and `mnistgen-run`: a file for each, which is imported when it is called for."""

import os
import sys
from importlib import import_module
from typing import NoReturn

import click

from mnistgen import __version__
from mnistgen.cli.shared import SETTINGS, call

COMMANDS = ("run", "walk", "manifold", "dataset", "info", "replay", "models", "bench", "doctor", "completion")
"""Each is `command` in the module of its name."""


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
    """Handwritten digits from a VAE, a GAN and a conditional GAN, without PyTorch."""
    if context.invoked_subcommand is None:  # by ourselves, as versions of click differ in how they do it
        click.echo(context.get_help())


def main() -> None:
    """The console script `mnistgen`."""
    _end(call(mnistgen, "mnistgen"))


def main_run() -> None:
    """The console script `mnistgen-run`, the same as `mnistgen run`."""
    from mnistgen.cli.run import command

    _end(call(command, "mnistgen-run"))


def _end(code: int) -> NoReturn:
    """End at once: all is written, and to take ONNX Runtime down in order takes longer than to draw a digit."""
    if sys.stderr:
        sys.stderr.flush()
    os._exit(code)
