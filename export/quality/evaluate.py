"""What a generator's digits are worth: everything that a certificate holds, measured on its images as shipped."""

from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from torch import Tensor, nn

from export.errors import ExportError
from export.quality import interpolation, metrics
from mnistgen import Generator
from training.data import Digits
from training.evaluator import Evaluator, Predictions, predict
from training.trainer import has_bfloat16

VERSION = 2
"""Of what is measured here, and how: references of another version are measured anew."""
IMAGES = 10_000
"""Images of a sampling seed that are compared with the test set."""
TAUGHT = 60_000
"""Images of a sampling seed that a classifier is trained on, those that follow the others."""
CONFIDENT = 0.9
"""The reader's confidence from which on a digit counts as legible."""
STROKES = 2_000
"""Images of a sampling seed whose strokes are measured."""
WALKS = 100
"""Interpolations of a sampling seed."""


@dataclass(frozen=True)
class Sizes:
    """How many images to measure with."""

    images: int = IMAGES
    taught: int = TAUGHT


class Reference:
    """Real digits, as the reader sees them."""

    def __init__(self, train: Digits, test: Digits, reader: Evaluator, sizes: Sizes):
        self.train, self.test, self.reader, self.sizes = train, test.first(sizes.images), reader, sizes
        self.reading = predict(reader, self.test.images)
        self.to_nearest = metrics.nearest(self.test.images, train.images)  # (N,)
        self.sharpness = metrics.sharpness(self.test.images)
        self.stroke_unevenness = metrics.stroke_unevenness(self.test.images[:STROKES])

    @property
    def accuracy(self) -> float:
        """The reader's, on the test images."""
        return _right(self.reading, self.test.labels)


def load_reader(path: Path) -> Evaluator:
    """The reader whose weights are in the file at `path`; raises ExportError where they are missing or damaged."""
    reader = Evaluator()
    try:
        tensors = safetensors.torch.load(path.read_bytes())
        state = {name.removeprefix("reader."): tensor for name, tensor in tensors.items()}
        missing, unknown = reader.load_state_dict(state, strict=False)
    except OSError as error:
        raise ExportError(
            f"{path} cannot be read ({error.strerror}): make it with python -m training.evaluator."
        ) from error
    except (SafetensorError, RuntimeError) as error:
        raise ExportError(f"{path} is damaged: make it anew with python -m training.evaluator.") from error
    if unknown or not all(name.endswith("num_batches_tracked") for name in missing):
        raise ExportError(f"{path} holds no weights of the reader: make them with python -m training.evaluator.")
    return reader.eval()


def floor(reference: Reference, part: int) -> dict[str, float]:
    """What real digits reach: the `part`-th so many of the training set, measured like a generator's."""
    n = reference.sizes.images
    chosen = slice(part * n, (part + 1) * n)
    images, labels = reference.train.images[chosen], reference.train.labels[chosen]
    reading = predict(reference.reader, images)
    measured = _compared(images, reading, reference)
    del measured["copies"], measured["nearest"]  # a training image's nearest training image is itself
    taught = reference.train.first(reference.sizes.taught)
    return {
        **measured,
        **_as_asked(reading, labels),
        "taught": taught_accuracy(taught, reference.test, part),
        "copies": 0.01,  # by their definition
        "nearest": 1.0,
    }


def measure(generator: Generator, reference: Reference, seed: int) -> dict[str, float]:
    """Every metric of the images of `seed`; docs/quality.md says what each means.

    A model that takes labels is asked for the digits of the test set, one by one, and where it teaches for those of the
    training set: a distance between distributions sees other proportions, too.
    """
    labels = reference.test.labels if generator.model.classes else None
    images = draw(generator, reference.sizes.images, seed, labels)
    reading = predict(reference.reader, images)
    measured = _compared(images, reading, reference)
    if labels is not None:
        measured |= _as_asked(reading, labels)
        lessons = reference.train.first(reference.sizes.taught).labels
        more = draw(generator, len(lessons), seed, lessons, start=len(images))
        measured["taught"] = taught_accuracy(Digits(more, lessons), reference.test, seed)
    measured["path_length"], measured["largest_step"] = _smoothness(generator, reference.reader, seed)
    return measured


def draw(generator: Generator, n: int, seed: int, labels: Tensor | None = None, start: int = 0) -> Tensor:
    """Images uint8 (n, 1, 28, 28), ink 255, exactly as the runtime gives them, of `labels` (n,) if need be."""
    digits = None if labels is None else labels.tolist()
    return torch.from_numpy(generator.generate(n, digit=digits, seed=seed, start=start))[:, None]


def _compared(images: Tensor, reading: Predictions, reference: Reference) -> dict[str, float]:
    """Metrics that need nothing but images uint8 (N, 1, 28, 28) and what the reader makes of them."""
    real, fake = reference.reading.features, reading.features
    confidence, labels = reading.probabilities.max(1)  # (N,) each
    to_nearest = metrics.nearest(images, reference.train.images)  # (N,)
    return {
        "frechet_distance": metrics.frechet_distance(real, fake),
        "kernel_distance": metrics.kernel_distance(real, fake),
        **metrics.support(real, fake),
        "entropy": metrics.entropy(labels),
        "legibility": float((confidence >= CONFIDENT).float().mean()),
        "sharpness": metrics.sharpness(images) / reference.sharpness,
        "stroke_unevenness": metrics.stroke_unevenness(images[:STROKES]) / reference.stroke_unevenness,
        "copies": float((to_nearest < reference.to_nearest.quantile(0.01)).float().mean()),
        "nearest": float(to_nearest.median() / reference.to_nearest.median()),
    }


def _as_asked(reading: Predictions, labels: Tensor) -> dict[str, float]:
    """How often the reader reads `labels` (N,), in all and for the digit that it reads worst."""
    right = (reading.probabilities.argmax(1) == labels).float()  # (N,)
    each = torch.stack([right[labels == digit].mean() for digit in range(10)])  # (10,)
    return {"accuracy": float(right.mean()), "worst_digit": float(each.min())}


def _right(reading: Predictions, labels: Tensor) -> float:
    return float((reading.probabilities.argmax(1) == labels).float().mean())


def taught_accuracy(digits: Digits, test: Digits, seed: int, epochs: int = 4) -> float:
    """Accuracy on `test` of a small convolutional network that has seen `digits` only."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pupil = _pupil()
        optimizer = torch.optim.Adam(pupil.parameters(), 2e-3, fused=True)
        steps = [batch for _ in range(epochs) for batch in torch.randperm(len(digits)).split(128)]
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0, len(steps))
        for batch in steps:
            images = digits.images[batch].float() / 255  # (B, 1, 28, 28)
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16(torch.device("cpu"))):
                logits = pupil(images).float()  # (B, 10)
            F.cross_entropy(logits, digits.labels[batch]).backward()
            optimizer.step()
            schedule.step()
    with torch.inference_mode():
        read_as = torch.cat([pupil.eval()(images.float() / 255).argmax(1) for images in test.images.split(500)])  # (N,)
    return float((read_as == test.labels).float().mean())


def _pupil() -> nn.Sequential:
    """Digits (N, 1, 28, 28) → logits (N, 10)."""
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


def _smoothness(generator: Generator, reader: Evaluator, seed: int) -> tuple[float, float]:
    """`metrics.path_lengths` of walks between the seed's latents, each of one digit where the model takes one."""
    z = generator.latents(2 * WALKS, seed=seed)  # (2 · WALKS, latent)
    features = []
    for number, (start, end) in enumerate(zip(z[::2], z[1::2], strict=True)):
        digits = torch.from_numpy(interpolation.walk(generator, start, end, number % 10))  # (STEPS, 28, 28)
        features.append(predict(reader, digits[:, None]).features)
    return metrics.path_lengths(torch.stack(features))
