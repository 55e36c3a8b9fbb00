"""Certify what the models' digits are worth: `python -m export.quality --all`."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
from tqdm import tqdm

import mnistgen
from export import weights
from export.artifacts import exported, listed, listed_verifier, manifest_bytes, publish
from export.errors import ExportError
from export.graphs.models import GRAPHS, SHIPPED, original
from export.quality.certificate import SEEDS, References, Summary, certificate, summarised
from export.quality.evaluate import VERSION, Reference, Sizes, floor, load_reader, measure
from export.quality.likelihood import likelihood
from export.weights import Weights
from training import data

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.option("--all", "every", is_flag=True, help="Certify all models.")
@click.option("--model", "names", multiple=True, type=click.Choice(SHIPPED), help="Certify this one; repeatable.")
@click.option("--artifacts", type=_FOLDER, default="artifacts", show_default=True, help="Folder of models and weights.")
@click.option("--data", "mnist", type=_FOLDER, default="data", show_default=True, help="Folder of MNIST.")
def main(every: bool, names: tuple[str, ...], artifacts: Path, mnist: Path) -> None:
    """Measure the models' digits against MNIST's test set, and write the certificates into the manifest.

    The digits are those that ONNX Runtime draws from the files that ship, 10,000 of each of three seeds. A model whose
    digits miss a mark in export/gates.py gets a certificate that says so, and the exit code is 1. Real digits and the
    seed recipe's models (weights/seed/ in the folder --artifacts) are measured first, and their figures kept in
    references.json there, to be used again.

    \b
    Examples:
      python -m export.quality --all
      python -m export.quality --model cgan
    """
    if every == bool(names):
        raise click.UsageError(f"Say which: --all, or --model with one of {', '.join(SHIPPED)}.")
    failures = certify(list(SHIPPED) if every else list(dict.fromkeys(names)), artifacts, mnist)
    if failures:
        raise ExportError("Marks were missed: " + "; ".join(failures) + ".")


def certify(names: list[str], artifacts: Path, mnist: Path, sizes: Sizes = Sizes()) -> list[str]:  # noqa: B008
    """Measure the models `names`, write their certificates, and return the marks that were missed."""
    models = listed(artifacts)
    for name in names:
        if name not in models:
            raise ExportError(f"{artifacts} holds no {name}: export it first, with python -m export.onnx.")
    train, test = data.load(mnist, "train"), data.load(mnist, "test")
    reader_file = artifacts / "weights" / "reader.safetensors"
    reference = Reference(train, test, load_reader(reader_file), sizes)
    reader = {"sha256": hashlib.sha256(reader_file.read_bytes()).hexdigest(), "test_accuracy": reference.accuracy}
    references = _references(artifacts, reference, reader)
    failures = []
    for name in names:
        found = weights.read(original(name), artifacts / "weights" / f"{original(name)}.safetensors")
        summary = _measured(name, mnistgen.load(name, device="cpu", artifacts=artifacts), found, reference)
        facts = certificate(name, summary, references, reader, sizes)
        failures += [f"{name}: {words}" for words in facts["missed"]]
        models[name] = replace(models[name], quality=facts)
        click.echo(_line(name, summary))
    publish({artifacts / "manifest.json": manifest_bytes(models, listed_verifier(artifacts))})
    return failures


def _references(artifacts: Path, reference: Reference, reader: dict) -> References:
    """What real digits and the seed recipe's models reach, read from references.json, or measured if need be."""
    path = artifacts / "references.json"
    conditions = {
        "version": VERSION,
        "reader": reader,
        "images": reference.sizes.images,
        "taught": reference.sizes.taught,
    }
    try:
        read = json.loads(path.read_bytes())
        if read["conditions"] == conditions:
            return read["figures"]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # there is none that can be used, so it is made anew
    figures = {"floor": _over_seeds("real digits", lambda part: floor(reference, part))}
    click.echo(_line("real digits", figures["floor"]))
    for name in GRAPHS:
        found = weights.read(name, artifacts / "weights" / "seed" / f"{name}.safetensors")
        with exported(name, found) as generator:
            figures[name] = _measured(f"{name}, seed recipe", generator, found, reference)
        click.echo(_line(f"{name}, seed recipe", figures[name]))
    publish({path: (json.dumps({"conditions": conditions, "figures": figures}, indent=2) + "\n").encode()})
    return figures


def _measured(title: str, generator: mnistgen.Generator, found: Weights, reference: Reference) -> Summary:
    def one_seed(seed: int) -> dict[str, float]:
        measured = measure(generator, reference, seed)
        if generator.model.name == "vae":
            measured |= likelihood(found, reference.test.images, seed)
        return measured

    return _over_seeds(title, one_seed)


def _over_seeds(title: str, one_seed: Callable[[int], dict[str, float]]) -> Summary:
    return summarised([one_seed(seed) for seed in tqdm(SEEDS, title, unit=" seeds", disable=None, leave=False)])


def _line(title: str, summary: Summary) -> str:
    return f"{title}: " + "  ".join(f"{name} {values['mean']:.4g}" for name, values in summary.items())
