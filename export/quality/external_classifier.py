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
from training import data, vision  # noqa: F401  (vision makes torchvision importable beside any build of PyTorch)

PACKAGE = "digit-recognizer-py==0.1.0"
"""Of Shivam Gupta (MIT licence): a convolutional network with its weights, trained on MNIST."""
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.option("--model", "names", multiple=True, type=click.Choice(SHIPPED), help="Ask for this one; repeatable.")
@click.option("--n", type=click.IntRange(1), default=10_000, show_default=True, help="Digits of each model.")
@click.option("--seed", type=click.IntRange(0, SEED_END - 1), default=0, show_default=True)
@click.option("--artifacts", type=_FOLDER, default="artifacts", show_default=True, help="Folder of the models.")
@click.option("--data", "mnist", type=_FOLDER, default="data", show_default=True, help="Folder of MNIST.")
def main(names: tuple[str, ...], n: int, seed: int, artifacts: Path, mnist: Path) -> None:
    """Let a stranger read --n digits of each model, the digits 0 to 9 in turn, verified and not.

    The reader comes from the package digit-recognizer-py, which must be installed. Prints a line of JSON for MNIST's
    test set: the share that the stranger reads rightly, and the share that the verifier would accept. Then one for each
    model: the shares read as asked, draws an image, and how many times the processor time of unverified digits it took.

    \b
    Example:
      pip install --no-deps digit-recognizer-py==0.1.0
      python -m export.quality.external_classifier
    """
    stranger = _stranger()
    click.echo(json.dumps({"reader": PACKAGE, **_of_real_digits(stranger, data.load(mnist, "test"), artifacts)}))
    for name in names or SHIPPED:
        generator = mnistgen.load(name, device="cpu", artifacts=artifacts)
        click.echo(json.dumps({"model": name, "n": n, "seed": seed, **_witnessed(stranger, generator, n, seed)}))


def _of_real_digits(stranger: Any, test: data.Digits, artifacts: Path) -> dict[str, float]:
    images, labels = test.images[:, 0].numpy(), test.labels.numpy()  # (10000, 28, 28), (10000,)
    verifier = verify.Verifier(Manifest(artifacts))
    parts = np.array_split(np.arange(len(labels)), 100)
    probabilities = np.concatenate([verifier.read(images[part])[np.arange(len(part)), labels[part]] for part in parts])
    return {
        "test_accuracy": _share(stranger, images, labels),
        "test_accepted": float((probabilities >= verify.THRESHOLD).mean()),
    }


def _witnessed(stranger: Any, generator: mnistgen.Generator, n: int, seed: int) -> dict[str, float]:
    digits = np.arange(n) % 10
    generator.generate_verified(10)  # opens both sessions
    plain, seconds = _timed(lambda: generator.generate(n, seed=seed))
    verified, seconds_verified = _timed(lambda: generator.generate_verified(n, digit=digits, seed=seed))
    facts = {
        "as_asked_verified": _share(stranger, verified.images, digits),
        "draws": verified.attempts.mean(),
        "most_draws": int(verified.attempts.max()),
        "times_longer": seconds_verified / seconds,
    }
    return facts | ({"as_asked": _share(stranger, plain, digits)} if generator.model.classes else {})


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What `work` returns, and the seconds of processor time that it took."""
    started = time.process_time()
    return work(), time.process_time() - started


def _share(stranger: Any, images: NDArray[np.uint8], digits: NDArray[np.integer]) -> float:
    """Share of `images` (n, 28, 28) that the stranger reads as `digits` (n,)."""
    read = [stranger.predict(image, invert=False) for image in images]
    return float((np.array(read) == digits).mean())


def _stranger() -> Any:
    try:
        from digit_recognizer import DigitRecognizer
    except ImportError as error:
        raise ExportError(f"The reader is not installed ({error}): pip install --no-deps {PACKAGE}.") from error
    return DigitRecognizer(device="cpu")


if __name__ == "__main__":
    main()
