"""The comparison of VAE, GAN and CGAN, by both recipes: `python -m export.report`."""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

import mnistgen
from export import weights
from export.artifacts import exported, listed, publish
from export.errors import ExportError
from export.graphs.models import GRAPHS
from export.quality import evaluate
from export.quality.likelihood import load_encoder
from export.report import figures
from export.weights import Weights
from training import cgan, data, gan, r3gan, vae
from training.data import Digits
from training.evaluator import Evaluator, predict
from training.summary import summary

TEMPLATE = Path(__file__).with_name("report.md")
"""The report's text, written by hand; {names} in it are filled in with what was measured."""
READ = 2_000
"""Digits of each model of which the worst and the best are shown."""
FOLDERS = {"seed": "weights/seed", "tuned": "weights"}
"""Of each recipe's weights, within the artifacts."""
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.option("--artifacts", type=_FOLDER, default="artifacts", show_default=True, help="Folder of models and weights.")
@click.option("--data", "mnist", type=_FOLDER, default="data", show_default=True, help="Folder of MNIST.")
def main(artifacts: Path, mnist: Path) -> None:
    """Write REPORT.md and its pictures, in the folder --artifacts, from the models and their certificates there."""
    figures = _figures(artifacts)
    found = {
        recipe: {name: weights.read(name, artifacts / folder / f"{name}.safetensors") for name in GRAPHS}
        for recipe, folder in FOLDERS.items()
    }
    text = _text(figures, found)
    reader = evaluate.load_reader(artifacts / "weights" / "reader.safetensors")
    drawn = _pictures(artifacts, found, reader, data.load(mnist, "test"))
    publish(
        {artifacts / "report" / f"{name}.png": png for name, png in drawn.items()}
        | {artifacts / "REPORT.md": text.encode()}
    )
    click.echo(f"Written to {artifacts / 'REPORT.md'}.")


def _text(figures: dict[str, dict], found: dict[str, dict[str, Weights]]) -> str:
    """The report's text, filled in."""
    parts = {"table": _table(figures), "networks": _networks(), "trainings": _trainings(found)}
    return TEMPLATE.read_text(encoding="utf-8").format_map({**figures, **parts})


def _figures(artifacts: Path) -> dict[str, dict]:
    """Means by model, recipe and metric, such as figures["cgan"]["tuned"]["accuracy"]; and real digits' as "floor"."""
    try:
        references = json.loads((artifacts / "references.json").read_bytes())["figures"]
        certified = {name: model.quality["metrics"] for name, model in listed(artifacts).items()}
        figures = {name: {"seed": _means(references[name]), "tuned": _means(certified[name])} for name in GRAPHS}
        return {**figures, "floor": _means(references["floor"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ExportError(f"{artifacts} holds no certificates: run python -m export.quality --all first.") from error


def _means(summary: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    return {metric: values["mean"] for metric, values in summary.items()}


def _table(figures: dict[str, dict]) -> str:
    """Every metric of every model by both recipes, beside what real training digits reach, in Markdown."""
    columns = {f"{name.upper()} {recipe}": figures[name][recipe] for name in GRAPHS for recipe in FOLDERS}
    columns["real digits"] = figures["floor"]
    metrics = list(dict.fromkeys(metric for column in columns.values() for metric in column))
    rows = [["metric", *columns], ["---", *("---:" for _ in columns)]]
    rows += [
        [metric.replace("_", " "), *(_shown(column.get(metric)) for column in columns.values())] for metric in metrics
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}" if abs(value) >= 100 else f"{value:.4g}"


def _networks() -> str:
    """The tables of all networks, the tuned recipes' own among them."""
    networks: dict[str, nn.Module] = {
        "VAE encoder, 2 latents": vae.Encoder(),
        "VAE decoder": vae.Decoder(),
        "GAN generator": gan.Generator(),
        "GAN discriminator": gan.Discriminator(),
        "CGAN generator": cgan.Generator(),
        "CGAN discriminator": cgan.Discriminator(),
        "VAE encoder of the tuned recipe": vae.TunedEncoder(),
        "GAN and CGAN discriminator of the tuned recipe": r3gan.Discriminator(),
    }
    return "\n\n".join(summary(title, network) for title, network in networks.items())


def _trainings(found: dict[str, dict[str, Weights]]) -> str:
    """How each model was trained, in Markdown."""
    rows = [["model", "recipe", "command", "epochs", "on"], ["---"] * 5]
    for name in GRAPHS:
        for recipe in FOLDERS:
            facts = found[recipe][name].facts
            rows.append([name, facts["recipe"], f"`{facts['command']}`", str(facts["epochs"]), facts["device"]])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _pictures(
    artifacts: Path, found: dict[str, dict[str, Weights]], reader: Evaluator, test: Digits
) -> dict[str, bytes]:
    """All of the report's pictures, by name."""
    drawn = {"losses": figures.losses(_curves(artifacts)), "latents": figures.scatter(_encoded(found, test))}
    with ExitStack() as stack:
        for name in GRAPHS:
            seed, tuned = (stack.enter_context(exported(name, found[recipe][name])) for recipe in FOLDERS)
            drawn[f"samples-{name}"] = figures.side_by_side(seed.generate(100), tuned.generate(100))
            for recipe, generator in (("seed", seed), ("tuned", tuned)):
                drawn[f"walks-{name}-{recipe}"] = figures.interpolations(generator)
                drawn[f"extremes-{name}-{recipe}"] = figures.captioned(*_extremes(generator, reader))
                if name == "vae":
                    drawn[f"manifold-{recipe}"] = figures.manifold(generator)
                if name == "cgan":
                    drawn[f"morphs-{recipe}"] = figures.morphs(generator)
    return drawn


def _curves(artifacts: Path) -> dict[str, list[dict[str, float]]]:
    """The metrics of each training's epochs, by title."""
    curves = {}
    for recipe, folder in FOLDERS.items():
        for name in GRAPHS:
            path = artifacts / folder / f"{name}.metrics.jsonl"
            try:
                curves[f"{name.upper()}, {recipe} recipe"] = [
                    json.loads(line) for line in path.read_text().splitlines()
                ]
            except (OSError, ValueError) as error:
                raise ExportError(f"{path} cannot be read: copy it there from its training's folder.") from error
    return curves


@torch.inference_mode()
def _encoded(
    found: dict[str, dict[str, Weights]], test: Digits
) -> dict[str, tuple[NDArray[np.float32], NDArray[np.integer]]]:
    """The test digits' latents (N, 2) and labels (N,) by the encoder of each recipe."""
    encoded = {}
    for recipe, models in found.items():
        network = load_encoder(models["vae"])
        mean = torch.cat([network(images.float() / 255)[0] for images in test.images.split(500)])  # (N, 2)
        encoded[f"{recipe} recipe"] = (mean.numpy(), test.labels.numpy())
    return encoded


def _extremes(generator: mnistgen.Generator, reader: Evaluator) -> tuple[figures.Pictures, list[str]]:
    """Of READ digits the twenty that the reader is least sure of, or least reads as asked, then the ten surest.

    The captions say what the reader took each for, what was asked for before that, and how sure the reader was.
    """
    images = evaluate.draw(generator, READ, seed=0)
    probabilities = predict(reader, images).probabilities  # (READ, 10)
    sure, taken_for = probabilities.max(1)  # (READ,) each
    captions = [f"{digit}, {share:.0%}" for digit, share in zip(taken_for.tolist(), sure.tolist(), strict=True)]
    if classes := generator.model.classes:
        asked = torch.arange(READ) % classes  # (READ,)
        sure = probabilities[torch.arange(READ), asked]  # (READ,)
        captions = [f"{digit} → {caption}" for digit, caption in zip(asked.tolist(), captions, strict=True)]
    order = sure.argsort()
    chosen = torch.cat([order[:20], order[-10:]])  # (30,)
    return images[chosen, 0].numpy(), [captions[i] for i in chosen]
