"""Classification accuracy score (CAS): train on generated digits, test on real ones (Ravuri & Vinyals 2019).

`python -m export.quality.cas OUT` measures the score of a dataset that `mnistgen dataset` wrote.
"""

from pathlib import Path

import click
import torch
import torch.nn.functional as F
from torch import nn

from export.errors import ExportError
from training import data
from training.data import Digits
from training.trainer import has_bfloat16
from training.vision import MNIST

THRESHOLD = 0.97
"""Required score of a dataset of 60,000 digits."""
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("out", type=_FOLDER)
@click.option("--data", "mnist", type=_FOLDER, default="data", show_default=True, help="Folder of MNIST.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Training seed.")
def main(out: Path, mnist: Path, seed: int) -> None:
    """Print the classification accuracy score of the training set in the folder OUT.

    A small network is trained on that set only, and then classifies MNIST's test set. The score is its accuracy. The
    network and the training are those of the metric `cas` in the certificates. If the score is below 97 %, the command
    exits with code 1.

    \b
    Example:
      mnistgen dataset digits --n 60000 && python -m export.quality.cas digits
    """
    digits = load(out)
    score = classification_accuracy_score(digits, data.load(mnist, "test"), seed)
    click.echo(f"{out}: classification accuracy score {score:.2%} ({len(digits)} training images)")
    if score < THRESHOLD:
        raise ExportError(
            f"Classification accuracy score is {score:.2%}; expected at least {THRESHOLD:.0%}. "
            "Use more digits or a better model."
        )


def load(out: Path) -> Digits:
    """Return the training set in the folder `out`, read by torchvision.

    Raises:
        ExportError: torchvision cannot read the folder.
    """
    try:
        dataset = MNIST(str(out), train=True)
    except (OSError, RuntimeError, ValueError, AssertionError) as error:
        raise ExportError(f"Cannot read {out}: {error}. Write it with mnistgen dataset {out}.") from error
    return Digits(dataset.data[:, None], dataset.targets)


def classification_accuracy_score(digits: Digits, test: Digits, seed: int, epochs: int = 4) -> float:
    """Return the accuracy on `test` of a small network trained on `digits` only."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _train(digits, epochs)
    with torch.inference_mode():
        predictions = torch.cat([network(images.float() / 255).argmax(1) for images in test.images.split(500)])  # (N,)
    return float((predictions == test.labels).float().mean())


def _train(digits: Digits, epochs: int) -> nn.Module:
    network = _network()
    optimizer = torch.optim.Adam(network.parameters(), 2e-3, fused=True)
    batches = [batch for _ in range(epochs) for batch in torch.randperm(len(digits)).split(128)]
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0, len(batches))
    for batch in batches:
        images = digits.images[batch].float() / 255  # (B, 1, 28, 28)
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16(torch.device("cpu"))):
            logits = network(images).float()  # (B, 10)
        F.cross_entropy(logits, digits.labels[batch]).backward()
        optimizer.step()
        schedule.step()
    return network.eval()


def _network() -> nn.Sequential:
    """Return a classifier of images (N, 1, 28, 28) in [0, 1] that outputs logits (N, 10)."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 5, padding=2),
        nn.MaxPool2d(2),  # (N, 16, 14, 14)
        nn.ReLU(),
        nn.Conv2d(16, 32, 5, padding=2),
        nn.MaxPool2d(2),  # (N, 32, 7, 7)
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(1568, 128),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(128, 10),
    )


if __name__ == "__main__":
    main()
