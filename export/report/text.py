"""The text of REPORT.md: a template filled in with tables and metrics."""

import json
from pathlib import Path

from torch import nn

from export.artifacts import read_models
from export.errors import ExportError
from export.graphs.models import GRAPHS
from export.quality.certificate import means
from export.report.pictures import FOLDERS
from export.weights import Weights
from training import cgan, gan, r3gan, vae
from training.summary import summary

TEMPLATE = Path(__file__).with_name("report.md")
"""Text with placeholders such as {cgan[tuned][accuracy]:.1%}."""

Metrics = dict[str, float]


def report(artifacts: Path, found: dict[str, dict[str, Weights]]) -> str:
    """Return REPORT.md; `found` has the weights by recipe and model.

    Raises:
        ExportError: A certificate or the baselines are missing.
    """
    models, real = _metrics(artifacts)
    tables = {
        "metrics": _metrics_table(models, real),
        "networks": _networks(),
        "trainings": _trainings_table(found),
    }
    return TEMPLATE.read_text(encoding="utf-8").format_map({**models, "real": real, **tables})


def _metrics(artifacts: Path) -> tuple[dict[str, dict[str, Metrics]], Metrics]:
    """Return mean metrics by model and recipe, and those of real digits."""
    try:
        references = json.loads((artifacts / "references.json").read_bytes())["figures"]
        certified = {name: model.quality["metrics"] for name, model in read_models(artifacts).items()}
        models = {name: {"seed": means(references[name]), "tuned": means(certified[name])} for name in GRAPHS}
        return models, means(references["real_data_baseline"])
    except (OSError, AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise ExportError(
            f"{artifacts} lacks certificates or baselines. Measure them with python -m export.quality --all."
        ) from error


def _metrics_table(models: dict[str, dict[str, Metrics]], real: Metrics) -> str:
    """Return a Markdown table of every metric of every model by both recipes, and of real digits."""
    columns = {f"{name.upper()} {recipe}": models[name][recipe] for name in GRAPHS for recipe in FOLDERS}
    columns["real digits"] = real
    metrics = list(dict.fromkeys(metric for column in columns.values() for metric in column))
    rows = [["metric", *columns], ["---", *("---:" for _ in columns)]]
    rows += [[f"`{metric}`", *(_format(column.get(metric)) for column in columns.values())] for metric in metrics]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _format(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}" if abs(value) >= 100 else f"{value:.4g}"


def _networks() -> str:
    """Return a summary of each network's layers."""
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


def _trainings_table(found: dict[str, dict[str, Weights]]) -> str:
    """Return a Markdown table of how each model was trained."""
    rows = [["model", "recipe", "command", "epochs", "device"], ["---"] * 5]
    for name in GRAPHS:
        for recipe in FOLDERS:
            facts = found[recipe][name].facts
            rows.append([name, facts["recipe"], f"`{facts['command']}`", str(facts["epochs"]), facts["device"]])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
