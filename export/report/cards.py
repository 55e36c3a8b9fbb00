"""The model cards, in Hugging Face's format, filled in from the manifest, the baselines and the training metrics."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from export.artifacts import read_models
from export.errors import ExportError
from export.graphs.models import FP16, GRAPHS, SHIPPED, base_model
from export.quality.certificate import References, Summary, means
from mnistgen.manifest import Model
from training.summary import parameter_count

TEMPLATES = Path(__file__).with_name("templates")
"""Folder of the frame that all cards share and of each model's sections; placeholders such as {name} are filled in."""
TITLES = {
    "vae": "VAE",
    "gan": "GAN",
    "cgan": "CGAN",
    "cgan-int8": "CGAN (int8)",
    "vae-fp16": "VAE (float16)",
    "gan-fp16": "GAN (float16)",
    "cgan-fp16": "CGAN (float16)",
}


@dataclass(frozen=True)
class Evidence:
    """Everything that a card says about a model."""

    facts: Model
    metrics: Summary
    """Metrics of the certificate."""
    references: References
    """Metrics of real digits and of the seed recipe's models."""
    hours: float
    """Training time."""


def model_cards(artifacts: Path) -> dict[str, str]:
    """Return the card of each model in the folder `artifacts`, by model name.

    Raises:
        ExportError: A model, its certificate, its training metrics or the baselines are missing.
    """
    evidence = _collect(artifacts)
    return {name: _card(name, evidence) for name in SHIPPED}


def _collect(artifacts: Path) -> dict[str, Evidence]:
    models = read_models(artifacts)
    try:
        references = json.loads((artifacts / "references.json").read_bytes())["figures"]
        evidence = {}
        for name in SHIPPED:
            path = artifacts / "weights" / f"{base_model(name)}.metrics.jsonl"
            lines = path.read_text(encoding="utf-8").splitlines()
            hours = sum(json.loads(line)["seconds"] for line in lines) / 3600
            evidence[name] = Evidence(models[name], models[name].quality["metrics"], references, hours)
        return evidence
    except (OSError, AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise ExportError(
            f"{artifacts} lacks a model, its certificate, its training metrics or the baselines. Run "
            "python -m export.onnx --all, then python -m export.quality --all."
        ) from error


def _card(name: str, evidence: dict[str, Evidence]) -> str:
    """Return a card: the shared frame, filled in with the model's sections and facts."""
    own, base = evidence[name], base_model(name)
    facts = own.facts
    variant = [] if name == base else [facts.precision]
    values = {
        "name": name,
        "title": f"mnistgen {TITLES[name]}",
        "base": base,
        "family": TITLES[base],
        "facts": facts,
        "own": means(own.metrics),
        "float32": means(evidence[base].metrics),
        "real": means(own.references["real_data_baseline"]),
        "hours": own.hours,
        "tags": _list(["onnx", "mnist", "digits", "handwriting", base, *variant]),
        "metrics": _list(own.metrics),
        "results": _results(own.metrics),
        "training": _rows(_training(facts)),
        "seeds": ", ".join(map(str, facts.quality["sampling_seeds"])),
        "evaluation": _evaluation_table(own),
        "specifications": _rows(_specifications(facts)),
    }
    sections = {**_sections(base), **_sections("fp16" if name.endswith(FP16) else name)}
    sections = {title: text.format_map(values) for title, text in sections.items()}
    return (TEMPLATES / "frame.md").read_text(encoding="utf-8").format_map({**values, **sections})


def _sections(template: str) -> dict[str, str]:
    """Return the sections of a template by title."""
    parts = re.split(r"^## (\w+)\n", (TEMPLATES / f"{template}.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {title: text.strip() for title, text in zip(parts[1::2], parts[2::2], strict=True)}


def _list(names: Iterable[str]) -> str:
    return "\n".join(f"- {name}" for name in names)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _results(metrics: Summary) -> str:
    """Return the mean metrics in YAML; the names say that they are not comparable with others' metrics."""
    return "\n".join(
        f"    - type: {metric}\n      value: {figures['mean']}\n      name: {_words(metric)}, as mnistgen measures it"
        for metric, figures in metrics.items()
    )


def _rows(table: dict[str, str]) -> str:
    return "\n".join(f"| {title} | {text} |" for title, text in table.items())


def _training(facts: Model) -> dict[str, str]:
    metrics = ", ".join(f"{_words(name)} {value:g}" for name, value in facts.training["final_metrics"].items())
    return {
        "recipe": facts.recipe,
        "command": f"`{facts.training['command']}`",
        "epochs": str(facts.epochs),
        "device": facts.training["device"],
        "final metrics": metrics,
        "git revision": f"`{facts.git_revision}`",
    }


def _evaluation_table(evidence: Evidence) -> str:
    """Return every metric of the certificate as a Markdown table."""
    thresholds = evidence.facts.quality["thresholds"]
    seed_recipe = evidence.references[base_model(evidence.facts.name)]
    rows = [
        "| metric | mean | spread | real data | seed recipe | threshold |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for metric, figures in evidence.metrics.items():
        values = [figures["mean"], figures["spread"], figures.get("real_data_baseline")]
        values += [seed_recipe.get(metric, {}).get("mean")]
        threshold = " ".join(f"{_words(bound)} {limit:.4g}" for bound, limit in thresholds.get(metric, {}).items())
        rows.append(f"| {' | '.join([f'`{metric}`', *map(_format, values), threshold])} |")
    return "\n".join(rows)


def _format(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _specifications(facts: Model) -> dict[str, str]:
    graph = GRAPHS[base_model(facts.name)]
    parameters = {part: parameter_count(network()) for part, network in graph.networks.items()}
    tensors = {**facts.inputs, **facts.outputs}
    verified = facts.verification
    return {
        "file": f"`{facts.file}`, {facts.bytes:,} bytes",
        "SHA-256": f"`{facts.sha256}`",
        "parameters": ", ".join(f"{part} {count:,}" for part, count in parameters.items()),
        "operations": f"{facts.flops:,} floating-point operations per image; a multiply-add counts as two",
        "precision": facts.precision,
        "ONNX": f"opset {facts.opset}, IR {facts.ir_version}",
        "tensors": ", ".join(f"`{name}` {shape}" for name, shape in tensors.items()).replace("'", ""),
        "difference from PyTorch": f"at most {verified['largest_difference']:.2g} per pixel, for pixels in [0, 1]",
        "exported with": ", ".join(f"{package} {version}" for package, version in verified["versions"].items()),
    }
