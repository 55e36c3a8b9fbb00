"""Compare trainings and export settings on validation digits: `python -m export.quality.trials --model gan`."""

from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import click
import torch
from torch import nn
from tqdm import tqdm

from export import weights
from export.build import temporary_generator
from export.errors import ExportError
from export.graphs.models import GRAPHS
from export.quality.evaluate import Reference, Sizes, load_evaluator, measure
from export.quality.likelihood import likelihood
from training import cgan, data
from training.gan import Prior
from training.layers import at_temperature

VALIDATION_IMAGES = 10_000
"""Number of training digits that models are compared with, in place of the test set."""
_ARTIFACTS = Path("artifacts")
_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)


def _divide_logits(module: nn.Module, temperature: float) -> None:
    module.decoder = at_temperature(module.decoder, temperature)


def _set_cluster_temperature(module: nn.Module, temperature: float) -> None:
    _clusters(module).temperature = temperature


def _set_style_scale(module: nn.Module, scale: float) -> None:
    _clusters(module).style_scale = scale


def _clusters(module: nn.Module) -> Prior:
    if isinstance(module.prior, Prior):
        return module.prior
    raise ExportError(
        "The latents of this GAN have no clusters; expected weights of the tuned or lesson recipe. Leave --set out."
    )


def _scale_latents(module: nn.Module, scale: float) -> None:
    module.generator = cgan.scale_inputs(module.generator, latent_scale=scale, label_contrast=1)


def _scale_label_contrast(module: nn.Module, scale: float) -> None:
    module.generator = cgan.scale_inputs(module.generator, latent_scale=1, label_contrast=scale)


SETTINGS: dict[str, dict[str, Callable[[nn.Module, float], None]]] = {
    "vae": {"temperature": _divide_logits},
    "gan": {"temperature": _set_cluster_temperature, "style_scale": _set_style_scale},
    "cgan": {"latent_scale": _scale_latents, "label_contrast": _scale_label_contrast},
}
"""What a trial can change in a trained graph."""
COLUMNS = {
    "vae": ("frechet_distance", "coverage", "legibility", "memorization_rate", "negative_elbo"),
    "gan": ("frechet_distance", "recall", "coverage", "legibility", "memorization_rate", "path_length", "largest_step"),
    "cgan": ("frechet_distance", "recall", "coverage", "accuracy", "worst_class_accuracy", "memorization_rate", "cas"),
}
"""Metrics that are printed."""


class _Values(click.ParamType):
    """Values of a setting, NAME=VALUE,VALUE."""

    name = "name=value,..."

    def convert(
        self, value: str, parameter: click.Parameter | None, context: click.Context | None
    ) -> tuple[str, list[float]]:
        name, _, text = value.partition("=")
        try:
            values = [float(part) for part in text.split(",")]
        except ValueError:
            values = []
        if not values or not all(0 < each < 1000 for each in values):
            self.fail(
                f"{value[:80]!r}; expected NAME=VALUE,VALUE with numbers between 0 and 1000, such as temperature=1,2."
            )
        return name, values


@click.command()
@click.argument("files", nargs=-1, type=_FILE)
@click.option("--model", type=click.Choice(list(GRAPHS)), required=True, help="Model to compare.")
@click.option(
    "--set", "given", multiple=True, type=_Values(), help="Values of an export setting; repeatable, for a grid."
)
@click.option(
    "--spread",
    is_flag=True,
    help="Compare with every sixth pair of training digits instead of the last 10,000, for trainings on all digits.",
)
@click.option("--seeds", type=click.IntRange(1, 100), default=1, show_default=True, help="Sampling seeds per trial.")
@click.option("--cas", is_flag=True, help="Also measure the classification accuracy score (CGAN; takes minutes).")
@click.option("--data", "mnist", type=_FOLDER, default="data", show_default=True, help="Folder of MNIST.")
def main(
    files: tuple[Path, ...],
    model: str,
    given: tuple[tuple[str, list[float]], ...],
    spread: bool,
    seeds: int,
    cas: bool,
    mnist: Path,
) -> None:
    """Compare trainings and export settings of one model, without the test set.

    FILES are weights of trainings; by default, those in artifacts/weights. Each is exported with each combination of
    the values of --set. The metrics are those of the certificates, but relative to the last 10,000 training digits. Of
    a training with --limit 50000, these are validation digits. They differ from the rest, so use --spread for weights
    of a training on all digits. The command prints a row of a Markdown table for each trial.

    \b
    Settings (default):
      vae   temperature: divides the logits of the trained decoder (1)
      gan   temperature: of the softmax that chooses a cluster (0.0005)
            style_scale: factor of the other numbers of a latent (1.02)
      cgan  latent_scale: factor of a latent (1)
            label_contrast: factor of the difference between a label's weights and the mean of all labels' (1)
            The recipe's factors are already part of the weights.

    \b
    Examples:
      python -m export.quality.trials --model gan --set temperature=0.02,0.0005 --set style_scale=1,1.02
      python -m training.cgan --recipe tuned --set gamma=0.5 --limit 50000 --out trials/gamma
      python -m export.quality.trials --model cgan --cas trials/gamma/weights.safetensors
      python -m export.quality.trials --model cgan --spread --set latent_scale=0.98,1,1.02
    """
    grid = dict(given)
    if unknown := sorted(set(grid) - set(SETTINGS[model])):
        raise click.BadParameter(
            f"{unknown[0][:40]!r} is not a setting of the {model}; expected one of {', '.join(SETTINGS[model])}.",
            param_hint="'--set'",
        )
    trained = [weights.read(model, path) for path in files or [_ARTIFACTS / "weights" / f"{model}.safetensors"]]
    reference = _reference(mnist, cas, spread)
    columns = [name for name in COLUMNS[model] if cas or name != "cas"]
    _print_row(["weights", *grid, *columns])
    _print_row(["---"] * (1 + len(grid)) + ["---:"] * len(columns))
    trials = list(product(trained, _combinations(grid)))
    for found, values in tqdm(trials, unit=" trials", disable=None, leave=False):
        metrics = _measure(model, found, values, reference, seeds)
        cells = [str(found.path), *(f"{value:g}" for value in values.values())]
        _print_row([*cells, *(f"{metrics[name]:.4g}" for name in columns)])


def _reference(mnist: Path, cas: bool, spread: bool) -> Reference:
    digits = data.load(mnist, "train")
    number = torch.arange(len(digits))
    chosen = number >= len(digits) - VALIDATION_IMAGES  # (N,)
    if spread:
        # In pairs, since digits at even and at odd positions differ (docs/quality.md).
        chosen = number // 2 % (len(digits) // VALIDATION_IMAGES) == 0
    train, validation = (data.Digits(digits.images[part], digits.labels[part]) for part in (~chosen, chosen))
    evaluator = load_evaluator(_ARTIFACTS / "weights" / "evaluator.safetensors")
    return Reference(train, validation, evaluator, Sizes(VALIDATION_IMAGES, len(train) if cas else 0))


def _combinations(grid: dict[str, list[float]]) -> Iterator[dict[str, float]]:
    for values in product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def _measure(
    model: str, found: weights.Weights, values: dict[str, float], reference: Reference, seeds: int
) -> dict[str, float]:
    """Return the metrics of one trial, means over the sampling seeds."""

    def adjust(module: nn.Module) -> None:
        for name, value in values.items():
            SETTINGS[model][name](module, value)

    with temporary_generator(model, found, adjust=adjust) as generator:
        measured = [measure(generator, reference, seed) for seed in range(seeds)]
    if model == "vae":
        for seed, metrics in enumerate(measured):
            metrics |= likelihood(found, reference.test.images, seed, values.get("temperature", 1))
    return {name: sum(metrics[name] for metrics in measured) / seeds for name in measured[0]}


def _print_row(cells: list[str]) -> None:
    click.echo(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
