"""The models' cards, in the form that Hugging Face gives to them: `python -m export.report.cards`."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from export.artifacts import listed, publish
from export.errors import ExportError
from export.graphs.models import GRAPHS, SHIPPED, original
from mnistgen.manifest import Model
from training.summary import parameter_count

PROSE = Path(__file__).with_name("templates")
"""Folder of what is written by hand: the frame of all cards, and what is each model's own; {names} are filled in."""
NAMES = {"vae": "VAE", "gan": "GAN", "cgan": "CGAN", "cgan-int8": "CGAN in eight bits"}
_FOLDER = click.Path(path_type=Path, file_okay=False)


@dataclass(frozen=True)
class Evidence:
    """All that is known of a model."""

    facts: Model
    metrics: dict[str, dict[str, float]]
    """Of its certificate."""
    references: dict[str, Any]
    """Metrics' figures of real digits, as "floor", and of the seed recipe's models, by name."""
    hours: float
    """Of training."""


@click.command()
@click.option("--artifacts", type=_FOLDER, default="artifacts", show_default=True, help="Folder of models and weights.")
@click.option("--out", type=_FOLDER, default="docs/models", show_default=True, help="Folder to write the cards to.")
def main(artifacts: Path, out: Path) -> None:
    """Write a card for each model into the folder --out, from the manifest, the references and the weights.

    \b
    Example:
      python -m export.report.cards
    """
    known = _evidence(artifacts)
    publish({out / f"{name}.md": _card(name, known).encode() for name in SHIPPED}, "--out")
    click.echo(f"Written to {out}.")


def _evidence(artifacts: Path) -> dict[str, Evidence]:
    """What is known of each model; raises ExportError where something is missing."""
    models, folder = listed(artifacts), artifacts / "weights"
    try:
        references = json.loads((artifacts / "references.json").read_bytes())["figures"]
        known = {}
        for name in SHIPPED:
            of = original(name)
            lines = (folder / f"{of}.metrics.jsonl").read_text(encoding="utf-8").splitlines()
            hours = sum(json.loads(line)["seconds"] for line in lines) / 3600
            known[name] = Evidence(models[name], models[name].quality["metrics"], references, hours)
        return known
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ExportError(f"{artifacts} lacks a model, its metrics or its certificate: export and certify.") from error


def _card(name: str, known: dict[str, Evidence]) -> str:
    """The card's text: the frame, filled in with the model's own prose and with what is known of it."""
    evidence = known[name]
    facts = evidence.facts
    values = {
        "name": name,
        "title": f"mnistgen {NAMES[name]}",
        "facts": facts,
        "own": _means(evidence.metrics),
        "float32": _means(known[original(name)].metrics),
        "floor": _means(evidence.references["floor"]),
        "copies": f"{evidence.metrics['copies']['mean']:.1%}",
        "hours": evidence.hours,
        "tags": _list(["onnx", "mnist", "digits", "handwriting", original(name)] + ["int8"] * (name != original(name))),
        "metrics": _list(evidence.metrics),
        "results": _results(evidence.metrics),
        "training": _rows(_training(facts)),
        "seeds": ", ".join(map(str, facts.quality["sampling_seeds"])),
        "evaluation": _evaluation(evidence),
        "specifications": _rows(_specifications(evidence)),
    }
    prose = {**_sections(original(name)), **_sections(name)}
    prose = {title: text.format_map(values) for title, text in prose.items()}
    return (PROSE / "frame.md").read_text(encoding="utf-8").format_map({**values, **prose})


def _sections(name: str) -> dict[str, str]:
    """What is written by hand of the model, by the titles of its sections."""
    parts = re.split(r"^## (\w+)\n", (PROSE / f"{name}.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {title: text.strip() for title, text in zip(parts[1::2], parts[2::2], strict=True)}


def _means(metrics: dict[str, dict[str, float]]) -> dict[str, float]:
    return {metric: figures["mean"] for metric, figures in metrics.items()}


def _list(names: Any) -> str:
    return "\n".join(f"- {name}" for name in names)


def _words(metric: str) -> str:
    return metric.replace("_", " ")


def _results(metrics: dict[str, dict[str, float]]) -> str:
    """The metrics' means, as YAML, named so that nobody takes them for what others call by the same word."""
    return "\n".join(
        f"    - type: {metric}\n      value: {figures['mean']}\n      name: {_words(metric)}, as mnistgen measures it"
        for metric, figures in metrics.items()
    )


def _rows(table: dict[str, str]) -> str:
    return "\n".join(f"| {title} | {text} |" for title, text in table.items())


def _training(facts: Model) -> dict[str, str]:
    last = ", ".join(f"{_words(name)} {value:g}" for name, value in facts.training["final_metrics"].items())
    return {
        "recipe": facts.recipe,
        "command": f"`{facts.training['command']}`",
        "epochs": str(facts.epochs),
        "on": facts.training["device"],
        "last metrics": last,
        "git revision": f"`{facts.git_revision}`",
    }


def _evaluation(evidence: Evidence) -> str:
    """Every metric of the certificate, in Markdown."""
    quality = evidence.facts.quality
    usual = evidence.references[original(evidence.facts.name)]
    rows = ["| metric | mean | spread | floor | seed recipe | mark |", "| --- | ---: | ---: | ---: | ---: | --- |"]
    for metric, figures in evidence.metrics.items():
        mark = [f"{bound.replace('_', ' ')} {limit:.4g}" for bound, limit in quality["gates"].get(metric, {}).items()]
        shown = [_shown(figures.get(key)) for key in ("mean", "spread", "floor")]
        cells = [_words(metric), *shown, _shown(usual.get(metric, {}).get("mean")), *(mark or [""])]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _specifications(evidence: Evidence) -> dict[str, str]:
    facts, graph = evidence.facts, GRAPHS[original(evidence.facts.name)]
    parameters = {part: parameter_count(network()) for part, network in graph.networks.items()}
    tensors = {**facts.inputs, **facts.outputs}
    verified = facts.verification
    return {
        "file": f"`{facts.file}`, {facts.bytes:,} bytes",
        "SHA-256": f"`{facts.sha256}`",
        "parameters": ", ".join(f"{part} {count:,}" for part, count in parameters.items()),
        "operations": f"{facts.flops:,} a digit, a multiplication and an addition counted as two",
        "precision": facts.precision,
        "ONNX": f"opset {facts.opset}, IR {facts.ir_version}",
        "tensors": ", ".join(f"`{name}` {shape}" for name, shape in tensors.items()).replace("'", ""),
        "from PyTorch": f"a pixel is off by {verified['largest_difference']:.2g} at most, of 1",
        "made with": ", ".join(f"{package} {version}" for package, version in verified["versions"].items()),
    }


if __name__ == "__main__":
    main()
