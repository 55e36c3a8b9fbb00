"""`mnistgen doctor`: check the installation."""

import json
import os
import sys
from dataclasses import asdict

import click

from mnistgen import doctor
from mnistgen.cli import shared
from mnistgen.cli.failures import plain

_COLORS = {doctor.OK: "green", doctor.WARNING: "yellow", doctor.FAULT: "red"}


@click.command(context_settings=shared.SETTINGS)
@shared.artifacts_option
@shared.json_option
def command(as_json: bool) -> int:
    """Check the installation and say how to fix it.

    Every model draws a digit on every device that can be used. The exit code is 0 if digits can be drawn, else 1.

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
    click.echo("Digits can be drawn." if report.able else "Digits cannot be drawn until the faults are fixed.")
    return int(not report.able)


def _print(check: doctor.Check) -> None:
    level = f"{check.level:<7}"
    if sys.stdout and sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        level = click.style(level, fg=_COLORS[check.level])
    code = f" [{check.code}]" if check.code else ""
    click.echo(f"{level}  {check.name:<11}  {plain(check.sentence)}{code}")
    if check.remedy:
        click.echo(f"{'':22}{plain(check.remedy)}")
