"""Score each model with a third-party classifier: `python -m export.quality.external_classifier`."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

import mnistgen
from export.errors import ExportError
from export.graphs.models import SHIPPED
from mnistgen import verify
from mnistgen.latents import SEED_END
from mnistgen.manifest import Manifest
from training import data, vision  # noqa: F401 - vision makes torchvision importable with any build of PyTorch

PACKAGE = "digit-recognizer-py==0.1.0"
"""By Shivam Gupta (MIT license): a convolutional network with weights, trained on MNIST."""
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.option("--model", "names", multiple=True, type=click.Choice(SHIPPED), help="Model to score; repeatable.")
@click.option("--n", type=click.IntRange(1), default=10_000, show_default=True, help="Number of digits per model.")
@click.option("--seed", type=click.IntRange(0, SEED_END - 1), default=0, show_default=True, help="Sampling seed.")
@click.option("--artifacts", type=_FOLDER, default="artifacts", show_default=True, help="Folder of the models.")
@click.option("--data", "mnist", type=_FOLDER, default="data", show_default=True, help="Folder of MNIST.")
def main(names: tuple[str, ...], n: int, seed: int, artifacts: Path, mnist: Path) -> None:
    """Score each model with a third-party classifier, with and without verification.

    The classifier is that of the package digit-recognizer-py, which must be installed. Labels cycle through 0-9. The
    command prints lines of JSON. The first has the classifier's accuracy on MNIST's test set and the share of the test
    set that the verifier accepts. The others have, for each model, the accuracy with and without verification, the
    attempts per image, and the ratio of processor times.

    \b
    Example:
      pip install --no-deps digit-recognizer-py==0.1.0
      python -m export.quality.external_classifier
    """
    classifier = _load_classifier()
    real = _score_real_digits(classifier, data.load(mnist, "test"), artifacts)
    click.echo(json.dumps({"external_classifier": PACKAGE, **real}))
    for name in names or SHIPPED:
        generator = mnistgen.load(name, device="cpu", artifacts=artifacts)
        click.echo(json.dumps({"model": name, "n": n, "seed": seed, **_score(classifier, generator, n, seed)}))


def _score_real_digits(classifier: Any, test: data.Digits, artifacts: Path) -> dict[str, float]:
    images, labels = test.images[:, 0].numpy(), test.labels.numpy()  # (10000, 28, 28), (10000,)
    verifier = verify.Verifier(Manifest(artifacts))
    parts = np.array_split(np.arange(len(labels)), 100)
    probabilities = np.concatenate([verifier.read(images[part])[np.arange(len(part)), labels[part]] for part in parts])
    return {
        "test_accuracy": _accuracy(classifier, images, labels),
        "test_accepted": float((probabilities >= verify.THRESHOLD).mean()),
    }


def _score(classifier: Any, generator: mnistgen.Generator, n: int, seed: int) -> dict[str, float]:
    digits = np.arange(n) % 10
    generator.generate_verified(10)  # opens both sessions before the timing
    images, seconds = _timed(lambda: generator.generate(n, seed=seed))
    verified, seconds_verified = _timed(lambda: generator.generate_verified(n, digit=digits, seed=seed))
    facts = {
        "verified_accuracy": _accuracy(classifier, verified.images, digits),
        "mean_attempts": verified.attempts.mean(),
        "max_attempts": int(verified.attempts.max()),
        "time_ratio": seconds_verified / seconds,
    }
    return facts | ({"accuracy": _accuracy(classifier, images, digits)} if generator.model.classes else {})


def _timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """Return the result of `call` and its processor time in seconds."""
    started = time.process_time()
    return call(), time.process_time() - started


def _accuracy(classifier: Any, images: NDArray[np.uint8], digits: NDArray[np.integer]) -> float:
    """Return the share of `images` (n, 28, 28) that the classifier predicts as `digits` (n,)."""
    predictions = [classifier.predict(image, invert=False) for image in images]
    return float((np.array(predictions) == digits).mean())


def _load_classifier() -> Any:
    try:
        from digit_recognizer import DigitRecognizer
    except ImportError as error:
        raise ExportError(
            f"Cannot import the external classifier: {error}. Install it with pip install --no-deps {PACKAGE}."
        ) from error
    return DigitRecognizer(device="cpu")


if __name__ == "__main__":
    main()
