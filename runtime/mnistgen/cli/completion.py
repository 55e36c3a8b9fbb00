"""`mnistgen completion`: what makes a shell complete the commands."""

import click
from click.shell_completion import get_completion_class

from mnistgen.cli.shared import SETTINGS

SHELLS = ("bash", "zsh", "fish")
NAMES = ("mnistgen", "mnistgen-run")


@click.command(context_settings=SETTINGS, short_help="Print a script that makes a shell complete the commands.")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print a script that makes SHELL (bash, zsh or fish) complete commands, options and their values.

    \b
    Examples:
      mnistgen completion bash >> ~/.bashrc
      mnistgen completion zsh >> ~/.zshrc
      mnistgen completion fish > ~/.config/fish/completions/mnistgen.fish
    """
    kind = get_completion_class(shell)
    if kind is None:  # click knows all of SHELLS
        raise click.UsageError(f"This version of click completes nothing in {shell}: pip install --upgrade click.")
    for name in NAMES:
        variable = f"_{name.replace('-', '_').upper()}_COMPLETE"  # which click looks for
        click.echo(kind(click.Command(name), {}, name, variable).source())
