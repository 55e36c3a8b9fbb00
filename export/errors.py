"""The one error of the press: a sentence for the person at the terminal."""

import click


class ExportError(click.ClickException):
    """An export cannot be made; the message says why and what to do. The command ends with exit code 1."""
