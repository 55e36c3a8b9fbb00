"""`mnistgen info`: show how a file was drawn."""

import json
from pathlib import Path

import click

from mnistgen import provenance
from mnistgen.cli.shared import EXISTING_FILE, SETTINGS, json_option


@click.command(context_settings=SETTINGS)
@click.argument("file", type=EXISTING_FILE)
@json_option
def command(file: Path, as_json: bool) -> None:
    """Show how a PNG, GIF, WebP or npz of mnistgen was drawn.

    \b
    Examples:
      mnistgen info cgan-digit5-seed7.png
      mnistgen info digits.npz --json
    """
    record = provenance.read(file)
    if as_json:
        click.echo(record.to_json())
        return
    facts = json.loads(record.to_json())
    width = max(map(len, facts))
    for key, value in facts.items():
        if value is not None:
            click.echo(f"{key:<{width}}  {_plain(value)}")


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
