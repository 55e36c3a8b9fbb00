"""Measure every metric of a certificate, on images exactly as the runtime generates them."""

from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from export.errors import ExportError
from export.quality import interpolation, metrics
from export.quality.cas import classification_accuracy_score
from mnistgen import Generator
from training.data import Digits
from training.evaluator import Evaluator, Predictions, predict

VERSION = 2
"""Version of the measurement; references of another version are measured again."""
CONFIDENT = 0.9
"""Minimum confidence of the evaluator in a legible digit."""
STROKE_IMAGES = 2_000
"""Number of images per sampling seed whose stroke width is measured."""
INTERPOLATIONS = 100
"""Number of interpolations per sampling seed."""


@dataclass(frozen=True)
class Sizes:
    """Numbers of images per sampling seed."""

    images: int = 10_000
    """Images that are compared with the test set."""
    cas_images: int = 60_000
    """Images that follow these, as training set of the classification accuracy score; 0 leaves it out."""


class Reference:
    """Real digits with their features and the values that metrics are relative to."""

    def __init__(self, train: Digits, test: Digits, evaluator: Evaluator, sizes: Sizes):
        self.train, self.test, self.evaluator, self.sizes = train, test.first(sizes.images), evaluator, sizes
        self.predictions = predict(evaluator, self.test.images)
        self.nearest_neighbor_distances = metrics.nearest_neighbor_distances(self.test.images, train.images)  # (N,)
        self.sharpness = metrics.sharpness(self.test.images)
        self.stroke_unevenness = metrics.stroke_unevenness(self.test.images[:STROKE_IMAGES])

    @property
    def accuracy(self) -> float:
        """Return the evaluator's accuracy on the test images."""
        return _accuracy(self.predictions, self.test.labels)["accuracy"]


def load_evaluator(path: Path) -> Evaluator:
    """Return the evaluator with the weights in the file at `path`.

    Raises:
        ExportError: The file is missing, damaged, or has the weights of another network.
    """
    evaluator = Evaluator()
    remedy = "Write it with python -m training.evaluator."
    try:
        tensors = safetensors.torch.load(path.read_bytes())
        state = {name.removeprefix("evaluator."): tensor for name, tensor in tensors.items()}
        missing, unknown = evaluator.load_state_dict(state, strict=False)
    except OSError as error:
        raise ExportError(f"Cannot read {path}: {error.strerror}. {remedy}") from error
    except (SafetensorError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ExportError(f"{path} is damaged; expected the evaluator's weights. {remedy}") from error
    if unknown or not all(name.endswith("num_batches_tracked") for name in missing):
        raise ExportError(f"{path} has the weights of another network; expected the evaluator's. {remedy}")
    return evaluator.eval()


def measure_real_data(reference: Reference, part: int) -> dict[str, float]:
    """Return the metrics of real digits: the `part`-th block of the training set, measured like generated digits."""
    n = reference.sizes.images
    chosen = slice(part * n, (part + 1) * n)
    images, labels = reference.train.images[chosen], reference.train.labels[chosen]
    predictions = predict(reference.evaluator, images)
    cas_digits = reference.train.first(reference.sizes.cas_images)
    return {
        **_unconditional(images, predictions, reference),
        **_accuracy(predictions, labels),
        "cas": classification_accuracy_score(cas_digits, reference.test, part),
        # The nearest training image of a training image is itself, so these are the values of the test set.
        "memorization_rate": 0.01,
        "nearest_neighbor_distance_ratio": 1.0,
    }


def measure(generator: Generator, reference: Reference, seed: int) -> dict[str, float]:
    """Return the metrics of the images of `seed`; docs/quality.md explains each.

    A conditional model generates the labels of the test set, and for the classification accuracy score those of the
    training set, because distances between distributions depend on the proportions of the labels.
    """
    labels = _labels(generator, reference)
    images = generate(generator, reference.sizes.images, seed, labels)
    predictions = predict(reference.evaluator, images)
    measured = _unconditional(images, predictions, reference)
    measured |= _memorization(images, reference)
    if labels is not None:
        measured |= _accuracy(predictions, labels)
    if labels is not None and reference.sizes.cas_images:
        cas_labels = reference.train.first(reference.sizes.cas_images).labels
        cas_digits = Digits(generate(generator, len(cas_labels), seed, cas_labels, start=len(images)), cas_labels)
        measured["cas"] = classification_accuracy_score(cas_digits, reference.test, seed)
    measured["path_length"], measured["largest_step"] = _smoothness(generator, reference.evaluator, seed)
    return measured


def levels_from_float32(generator: Generator, float32: Generator, reference: Reference, seed: int) -> dict[str, float]:
    """Return the largest difference of a pixel, in gray levels, between a variant and its float32 model."""
    n, labels = reference.sizes.images, _labels(generator, reference)
    ours, theirs = (generate(each, n, seed, labels).short() for each in (generator, float32))  # (n, 1, 28, 28) each
    return {"levels_from_float32": float((ours - theirs).abs().max())}


def _labels(generator: Generator, reference: Reference) -> Tensor | None:
    """Return the labels of the test set (N,) if the model is conditional."""
    return reference.test.labels if generator.model.classes else None


def generate(generator: Generator, n: int, seed: int, labels: Tensor | None = None, start: int = 0) -> Tensor:
    """Return images uint8 (n, 1, 28, 28), ink 255, of `labels` (n,) if the model is conditional."""
    digits = None if labels is None else labels.tolist()
    return torch.from_numpy(generator.generate(n, digit=digits, seed=seed, start=start))[:, None]


def _unconditional(images: Tensor, predictions: Predictions, reference: Reference) -> dict[str, float]:
    """Return the metrics of images uint8 (N, 1, 28, 28) that need no labels."""
    real, fake = reference.predictions.features, predictions.features
    confidence, labels = predictions.probabilities.max(1)  # (N,) each
    return {
        "frechet_distance": metrics.frechet_distance(real, fake),
        "kernel_distance": metrics.kernel_distance(real, fake),
        **metrics.prdc(real, fake),
        "label_entropy": metrics.label_entropy(labels),
        "legibility": float((confidence >= CONFIDENT).float().mean()),
        "sharpness": metrics.sharpness(images) / reference.sharpness,
        "stroke_unevenness": metrics.stroke_unevenness(images[:STROKE_IMAGES]) / reference.stroke_unevenness,
    }


def _memorization(images: Tensor, reference: Reference) -> dict[str, float]:
    """Compare the distances of images and of test images to the nearest training images.

    The memorization rate is the share of images that are closer than 99 % of the test images.
    """
    distances = metrics.nearest_neighbor_distances(images, reference.train.images)  # (N,)
    of_test = reference.nearest_neighbor_distances  # (M,)
    return {
        "memorization_rate": float((distances < of_test.quantile(0.01)).float().mean()),
        "nearest_neighbor_distance_ratio": float(distances.median() / of_test.median()),
    }


def _accuracy(predictions: Predictions, labels: Tensor) -> dict[str, float]:
    """Return how often the evaluator predicts `labels` (N,), overall and for the class with the lowest accuracy."""
    correct = (predictions.probabilities.argmax(1) == labels).float()  # (N,)
    by_class = torch.stack([correct[labels == digit].mean() for digit in range(10)])  # (10,)
    return {"accuracy": float(correct.mean()), "worst_class_accuracy": float(by_class.min())}


def _smoothness(generator: Generator, evaluator: Evaluator, seed: int) -> tuple[float, float]:
    """Return `metrics.path_lengths` of interpolations between the seed's latents; with a label if conditional."""
    z = generator.latents(2 * INTERPOLATIONS, seed=seed)  # (2 · INTERPOLATIONS, latent)
    features = []
    for number, (start, end) in enumerate(zip(z[::2], z[1::2], strict=True)):
        images = torch.from_numpy(interpolation.interpolate(generator, start, end, number % 10))  # (STEPS, 28, 28)
        features.append(predict(evaluator, images[:, None]).features)
    return metrics.path_lengths(torch.stack(features))
