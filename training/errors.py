"""The exceptions that training commands raise."""

from typing import IO, Any

import click


class TrainingError(click.ClickException):
    """A training cannot start or continue. The command prints the message and exits with code 1."""


class LostProcessError(TrainingError):
    """Another process of the same training has ended or does not answer."""


class InterruptedTrainingError(TrainingError):
    """The user pressed Ctrl-C. The command exits with code 130."""

    exit_code = 130

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message, which is not an error."""
        click.echo(f"\nInterrupted. {self.message}", file=file, err=True)
