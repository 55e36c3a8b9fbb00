"""The command `mnistgen`, a group of commands: one module each, imported when it is called."""

from importlib import import_module

import click

from mnistgen.cli.shared import SETTINGS, version_option
from mnistgen.interrupts import deferred

COMMANDS = (
    *("run", "walk", "manifold", "dataset", "demo", "serve", "info", "replay", "models", "bench", "doctor"),
    "completion",
)
"""Names of the commands; each is `command` in the module of its name."""


class _Commands(click.Group):
    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        with deferred():
            command: click.Command = import_module(f"mnistgen.cli.{name}").command
        return command


@click.group(cls=_Commands, invoke_without_command=True, context_settings=SETTINGS)
@version_option
@click.pass_context
def mnistgen(context: click.Context) -> None:
    """Generate handwritten digits with a VAE, a GAN or a conditional GAN, without PyTorch."""
    if context.invoked_subcommand is None:  # explicitly: versions of click differ here
        click.echo(context.get_help())
