"""`mnistgen models`: list available models."""

import json

import click

from mnistgen.cli.shared import SETTINGS, artifacts_option, json_option, manifest


@click.command(context_settings=SETTINGS)
@artifacts_option
@json_option
def command(as_json: bool) -> None:
    """List available models.

    \b
    Examples:
      mnistgen models
      mnistgen models --json
    """
    listed = manifest().models
    if as_json:
        click.echo(json.dumps({name: {"name": name, **model.facts()} for name, model in listed.items()}))
        return
    for model in listed.values():
        labels = f"digits 0 to {model.classes - 1}" if model.classes else "unconditional"
        click.echo(
            f"{model.name:<9} {model.bytes / 1e6:5.2f} MB  latent {model.latent_size:>3}  {labels:<13}  "
            f"{model.recipe} recipe, {model.epochs} epochs{'' if model.certified else ', not certified'}"
        )
