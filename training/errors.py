"""The one error of the workshop: a sentence for the person at the terminal."""

import click


class TrainingError(click.ClickException):
    """A training cannot start or go on; the message says why and what to do. The command ends with exit code 1."""
