"""The exceptions that training commands raise."""

import click


class TrainingError(click.ClickException):
    """A training cannot start or continue. The command prints the message and exits with code 1."""


class LostProcessError(TrainingError):
    """Another process of the same training has ended or does not answer."""
