"""Write the models' quality certificates into the manifest: `python -m export.quality --all`."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
from tqdm import tqdm

import mnistgen
from export import weights
from export.artifacts import locked_artifacts, manifest_bytes, read_models, read_verifier, write_artifacts
from export.build import temporary_generator
from export.errors import ExportError
from export.graphs.models import FP16, GRAPHS, base_model
from export.options import chosen_models, model_options
from export.quality.certificate import SEEDS, References, Summary, certificate, summarize
from export.quality.evaluate import (
    VERSION,
    Reference,
    Sizes,
    levels_from_float32,
    load_evaluator,
    measure,
    measure_real_data,
)
from export.quality.likelihood import likelihood
from export.weights import Weights
from training import data

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@model_options("certify")
@click.option("--artifacts", type=_FOLDER, default="artifacts", show_default=True, help="Folder of models and weights.")
@click.option("--data", "mnist", type=_FOLDER, default="data", show_default=True, help="Folder of MNIST.")
def main(every: bool, names: tuple[str, ...], artifacts: Path, mnist: Path) -> None:
    """Measure the models' digits against MNIST's test set, and write certificates into the manifest.

    ONNX Runtime generates 10,000 digits for each of three seeds from the files that ship. If a model misses one of the
    thresholds in export/quality/thresholds.py, its certificate says so and the command exits with code 1.

    The baselines are measured first: real digits, and the models in weights/seed/ in the folder --artifacts. They are
    kept in references.json there and used again.

    \b
    Examples:
      python -m export.quality --all
      python -m export.quality --model cgan
    """
    chosen = chosen_models(every, names)
    click.get_current_context().with_resource(locked_artifacts(artifacts))
    missed = certify(chosen, artifacts, mnist)
    if missed:
        raise ExportError(f"Missed thresholds: {', '.join(missed)}.")


def certify(names: list[str], artifacts: Path, mnist: Path, sizes: Sizes = Sizes()) -> list[str]:  # noqa: B008
    """Measure the models `names`, write their certificates, and return the missed thresholds."""
    models = read_models(artifacts)
    for needed in [*names, *(base_model(name) for name in names if name.endswith(FP16))]:
        if needed not in models:
            raise ExportError(
                f"{artifacts} has no model {needed}. Export it with python -m export.onnx --model {needed}."
            )
    train, test = data.load(mnist, "train"), data.load(mnist, "test")
    path = artifacts / "weights" / "evaluator.safetensors"
    reference = Reference(train, test, load_evaluator(path), sizes)
    evaluator = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "test_accuracy": reference.accuracy}
    references = _references(artifacts, reference, evaluator)
    missed = []
    for name in names:
        found = weights.read(base_model(name), artifacts / "weights" / f"{base_model(name)}.safetensors")
        generator = mnistgen.load(name, device="cpu", artifacts=artifacts)
        float32 = mnistgen.load(base_model(name), device="cpu", artifacts=artifacts) if name.endswith(FP16) else None
        summary = _measure(name, generator, found, reference, float32)
        facts = certificate(name, summary, references, evaluator, sizes)
        missed += [f"{name}: {message}" for message in facts["missed_thresholds"]]
        models[name] = replace(models[name], quality=facts)
        click.echo(_line(name, summary))
    write_artifacts({artifacts / "manifest.json": manifest_bytes(models, read_verifier(artifacts))})
    return missed


def _references(artifacts: Path, reference: Reference, evaluator: dict) -> References:
    """Return the baselines in references.json; measure them if they are missing or of other conditions."""
    path = artifacts / "references.json"
    conditions = {
        "version": VERSION,
        "evaluator": evaluator,
        "images": reference.sizes.images,
        "cas_images": reference.sizes.cas_images,
    }
    try:
        content = json.loads(path.read_bytes())
        if content["conditions"] == conditions:
            return content["figures"]
    except (OSError, AttributeError, KeyError, RecursionError, TypeError, ValueError):
        pass  # measure them below
    figures = {"real_data_baseline": _over_seeds("real digits", lambda part: measure_real_data(reference, part))}
    click.echo(_line("real digits", figures["real_data_baseline"]))
    for name in GRAPHS:
        found = weights.read(name, artifacts / "weights" / "seed" / f"{name}.safetensors")
        with temporary_generator(name, found) as generator:
            figures[name] = _measure(f"{name}, seed recipe", generator, found, reference)
        click.echo(_line(f"{name}, seed recipe", figures[name]))
    write_artifacts({path: (json.dumps({"conditions": conditions, "figures": figures}, indent=2) + "\n").encode()})
    return figures


def _measure(
    title: str,
    generator: mnistgen.Generator,
    found: Weights,
    reference: Reference,
    float32: mnistgen.Generator | None = None,
) -> Summary:
    """Measure a model with the weights `found`; if `float32` is given, compare their images, too."""

    def measure_seed(seed: int) -> dict[str, float]:
        measured = measure(generator, reference, seed)
        if base_model(generator.model.name) == "vae":
            measured |= likelihood(found, reference.test.images, seed)
        if float32:
            measured |= levels_from_float32(generator, float32, reference, seed)
        return measured

    return _over_seeds(title, measure_seed)


def _over_seeds(title: str, measure_seed: Callable[[int], dict[str, float]]) -> Summary:
    seeds = tqdm(SEEDS, title, unit=" seeds", disable=None, leave=False)
    return summarize([measure_seed(seed) for seed in seeds])


def _line(title: str, summary: Summary) -> str:
    return f"{title}: " + "  ".join(f"{name} {values['mean']:.4g}" for name, values in summary.items())
