"""`mnistgen doctor`: what works here, and what mends the rest."""

import json
import os
import sys
from dataclasses import asdict

import click

from mnistgen import doctor
from mnistgen.cli import shared

_COLOURS = {doctor.OK: "green", doctor.WARNING: "yellow", doctor.FAULT: "red"}


@click.command(context_settings=shared.SETTINGS)
@shared.json_option
def command(as_json: bool) -> int:
    """Examine the installation, and say how to mend what is wrong.

    A digit is drawn by each model on each device that can be used. The exit code is 0 if digits can be made, else 1.

    \b
    Examples:
      mnistgen doctor
      mnistgen doctor --json
    """
    report = doctor.examine(shared.folder())
    if as_json:
        click.echo(json.dumps({"able": report.able, **asdict(report)}))
        return int(not report.able)
    click.echo(", ".join(f"{name} {version or 'missing'}" for name, version in report.versions.items()))
    for check in report.checks:
        _print(check)
    click.echo("Digits can be made." if report.able else "Digits cannot be made until the faults are mended.")
    return int(not report.able)


def _print(check: doctor.Check) -> None:
    mark = f"{check.level:<7}"
    if sys.stdout and sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        mark = click.style(mark, fg=_COLOURS[check.level])
    code = f" [{check.code}]" if check.code else ""
    click.echo(f"{mark}  {check.name:<11}  {' '.join(check.sentence.split())}{code}")
    if check.remedy:
        click.echo(f"{'':24}{check.remedy}")
