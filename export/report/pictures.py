"""Generate and collect the data of the report's pictures; `figures` draws them."""

import json
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

import mnistgen
from export.build import temporary_generator
from export.errors import ExportError
from export.graphs.models import GRAPHS
from export.quality import evaluate
from export.quality.likelihood import load_encoder
from export.report import figures
from export.weights import Weights
from mnistgen import Generator
from training.data import Digits
from training.evaluator import Evaluator, predict

FOLDERS = {"seed": "weights/seed", "tuned": "weights"}
"""Folder of each recipe's weights, relative to the artifacts."""
EXTREMES_OF = 2_000
"""Number of digits per model from which the worst and the best are chosen."""


def draw(artifacts: Path, found: dict[str, dict[str, Weights]], evaluator: Evaluator, test: Digits) -> dict[str, bytes]:
    """Return the PNG files of the report by name; `found` has the weights by recipe and model."""
    drawn = {
        "losses": figures.losses(_training_curves(artifacts)),
        "latents": figures.scatter(_encode(found, test)),
    }
    with ExitStack() as stack:
        for name in GRAPHS:
            seed = stack.enter_context(temporary_generator(name, found["seed"][name]))
            tuned = mnistgen.load(name, device="cpu", artifacts=artifacts)
            drawn[f"samples-{name}"] = figures.side_by_side(seed.generate(100, seed=0), tuned.generate(100, seed=0))
            for recipe, generator in (("seed", seed), ("tuned", tuned)):
                drawn[f"walks-{name}-{recipe}"] = figures.interpolations(generator)
                drawn[f"extremes-{name}-{recipe}"] = figures.captioned(*_extremes(generator, evaluator))
                if name == "vae":
                    drawn[f"manifold-{recipe}"] = figures.manifold(generator)
                if name == "cgan":
                    drawn[f"morphs-{recipe}"] = figures.morphs(generator)
    return drawn


def _training_curves(artifacts: Path) -> dict[str, list[dict[str, float]]]:
    """Return the metrics of every epoch of each training, by title."""
    curves = {}
    for recipe, folder in FOLDERS.items():
        for name in GRAPHS:
            path = artifacts / folder / f"{name}.metrics.jsonl"
            try:
                lines = path.read_text(encoding="utf-8").splitlines()
                curves[f"{name.upper()}, {recipe} recipe"] = [json.loads(line) for line in lines]
            except (OSError, RecursionError, ValueError) as error:
                raise ExportError(f"Cannot read {path}. Copy it from the training's checkpoint folder.") from error
    return curves


@torch.inference_mode()
def _encode(
    found: dict[str, dict[str, Weights]], test: Digits
) -> dict[str, tuple[NDArray[np.float32], NDArray[np.integer]]]:
    """Return posterior means (N, 2) and labels (N,) of the test digits, for the encoder of each recipe."""
    encoded = {}
    for recipe, models in found.items():
        encoder = load_encoder(models["vae"])
        mean = torch.cat([encoder(images.float() / 255)[0] for images in test.images.split(500)])  # (N, 2)
        encoded[f"{recipe} recipe"] = (mean.numpy(), test.labels.numpy())
    return encoded


def _extremes(generator: Generator, evaluator: Evaluator) -> tuple[figures.Images, list[str]]:
    """Return the 20 digits with the lowest confidence and the 10 with the highest, with captions.

    Confidence is the evaluator's probability of the requested label; for an unconditional model, of its prediction.
    Captions have the form "requested → predicted, probability", or "predicted, probability".
    """
    images = evaluate.generate(generator, EXTREMES_OF, seed=0)
    probabilities = predict(evaluator, images).probabilities  # (N, 10)
    confidence, predicted = probabilities.max(1)  # (N,) each
    captions = [f"{digit}, {share:.0%}" for digit, share in zip(predicted.tolist(), confidence.tolist(), strict=True)]
    if classes := generator.model.classes:
        requested = torch.arange(len(images)) % classes  # (N,)
        confidence = probabilities[torch.arange(len(images)), requested]  # (N,)
        captions = [f"{digit} → {caption}" for digit, caption in zip(requested.tolist(), captions, strict=True)]
    order = confidence.argsort()
    chosen = torch.cat([order[:20], order[-10:]])  # (30,)
    return images[chosen, 0].numpy(), [captions[i] for i in chosen]
