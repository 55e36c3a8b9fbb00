"""The error of all export commands."""

import click


class ExportError(click.ClickException):
    """An export cannot be made. The message says why and what to do; the command ends with exit code 1."""
