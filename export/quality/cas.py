"""Measure what a dataset teaches about real digits: `python -m export.quality.cas OUT`."""

from pathlib import Path

import click

from export.errors import ExportError
from export.quality.evaluate import taught_accuracy
from training import data
from training.data import Digits

MARK = 0.97
"""Share of MNIST's test set that a network taught by a dataset of 60,000 has to read rightly."""
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("out", type=_FOLDER)
@click.option("--data", "mnist", type=_FOLDER, default="data", show_default=True, help="Folder of MNIST.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Of the network's draws.")
def main(out: Path, mnist: Path, seed: int) -> None:
    """Train a small network on the training set in the folder OUT, and on nothing else; let it read MNIST's test set.

    OUT is read by torchvision. The network and its training are those of the metric `taught` in the certificates. The
    exit code is 1 if it reads less than 97 % rightly.

    \b
    Example:
      mnistgen dataset digits --n 60000 && python -m export.quality.cas digits
    """
    lessons = load(out)
    accuracy = taught_accuracy(lessons, data.load(mnist, "test"), seed)
    click.echo(f"Taught by the {len(lessons)} digits of {out}: {accuracy:.2%} of MNIST's test set read rightly")
    if accuracy < MARK:
        raise ExportError(f"The mark is {MARK:.0%}: train with more digits, or with those of a better model.")


def load(out: Path) -> Digits:
    """The training set in the folder `out`, as torchvision reads it; raises ExportError where it cannot."""
    from training.vision import MNIST

    try:
        read = MNIST(str(out), train=True)
    except (OSError, RuntimeError, ValueError, AssertionError) as error:
        raise ExportError(f"torchvision cannot read {out} ({error}): write it with mnistgen dataset {out}.") from error
    return Digits(read.data[:, None], read.targets)


if __name__ == "__main__":
    main()
