"""Options that the export commands share."""

from collections.abc import Callable

import click

from export.graphs.models import SHIPPED


def model_options(verb: str) -> Callable:
    """Return a decorator that adds the options --all and --model; `verb` is what the command does to a model."""

    def decorate(function: Callable) -> Callable:
        names = click.option(
            "--model", "names", multiple=True, type=click.Choice(SHIPPED), help=f"Model to {verb}; repeatable."
        )
        every = click.option("--all", "every", is_flag=True, help=f"{verb.capitalize()} all models.")
        return every(names(function))

    return decorate


def chosen_models(every: bool, names: tuple[str, ...]) -> list[str]:
    """Return the models that --all or --model names, each once.

    Raises:
        click.UsageError: Neither option is given, or both are.
    """
    if every == bool(names):
        raise click.UsageError(f"Give either --all, or --model with one of {', '.join(SHIPPED)}.")
    return list(SHIPPED) if every else list(dict.fromkeys(names))
