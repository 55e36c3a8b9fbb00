"""`mnistgen completion`: print a completion script for a shell."""

import click
from click.shell_completion import get_completion_class

from mnistgen.cli.shared import SETTINGS

SHELLS = ("bash", "zsh", "fish")
NAMES = ("mnistgen", "mnistgen-run")


@click.command(context_settings=SETTINGS, short_help="Print a completion script for a shell.")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print a script that completes commands, options and their values in SHELL (bash, zsh or fish).

    \b
    Examples:
      mnistgen completion bash >> ~/.bashrc
      mnistgen completion zsh >> ~/.zshrc
      mnistgen completion fish > ~/.config/fish/completions/mnistgen.fish
    """
    kind = get_completion_class(shell)
    if kind is None:  # click knows all of SHELLS
        raise click.UsageError(f"This version of click does not support {shell}. Run pip install --upgrade click.")
    for name in NAMES:
        variable = f"_{name.replace('-', '_').upper()}_COMPLETE"  # the variable that click reads
        click.echo(kind(click.Command(name), {}, name, variable).source())
