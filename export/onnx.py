"""Turn trained weights into ONNX artifacts: `python -m export.onnx --all`."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import click
import onnx
import onnxruntime
import torch

from export import convert, weights
from export.errors import ExportError
from export.graphs import GRAPHS
from export.weights import Weights
from mnistgen.errors import ArtifactError
from mnistgen.manifest import SCHEMA, Manifest, Model
from training.files import replace_files

_FOLDER = click.Path(path_type=Path)


@click.command()
@click.option("--all", "every", is_flag=True, help="Export all models.")
@click.option("--model", "names", multiple=True, type=click.Choice(list(GRAPHS)), help="Export this one; repeatable.")
@click.option("--checkpoints", type=_FOLDER, default="checkpoints", show_default=True, help="Folder of the trainings.")
@click.option("--artifacts", type=_FOLDER, default="artifacts", show_default=True, help="Folder to write to.")
def main(every: bool, names: tuple[str, ...], checkpoints: Path, artifacts: Path) -> None:
    """Convert the VAE's decoder and the GANs' generators to ONNX, checked against PyTorch.

    Weights come from the folder --checkpoints where a finished training left some, and are then copied beside the
    artifacts; else from weights/ in the folder --artifacts. Nothing is written before all models have passed.

    \b
    Examples:
      python -m export.onnx --all
      python -m export.onnx --model cgan
    """
    if every == bool(names):
        raise click.UsageError(f"Say which: --all, or --model with one of {', '.join(GRAPHS)}.")
    contents: dict[Path, bytes] = {}
    models = _listed(artifacts)
    for name in GRAPHS if every else dict.fromkeys(names):
        found = weights.find(name, checkpoints, artifacts)
        click.echo(
            f"{name}: weights from {found.path} ({found.facts['recipe']} recipe, {found.facts['epochs']} epochs)"
        )
        content, models[name] = _export(name, found)
        contents[artifacts / models[name].file] = content
        contents[artifacts / "weights" / f"{name}.safetensors"] = found.content
        difference = models[name].verification["largest_difference"]
        click.echo(
            f"{name}: {len(content):,} bytes, at most {difference:.1e} from PyTorch, SHA-256 {models[name].sha256}"
        )
    contents[artifacts / "manifest.json"] = _manifest(models)
    _publish(contents)
    click.echo(f"Written to {artifacts}.")


def _export(name: str, found: Weights) -> tuple[bytes, Model]:
    """The ONNX file of the model `name`, and what the manifest says of it."""
    graph = GRAPHS[name]
    module = graph.build(found)
    facts = {
        "latent_size": graph.inputs["z"],
        "classes": graph.inputs.get("label", 0),
        "value_range": [0.0, 1.0],
        "training_data": found.facts["training_data"],
        "recipe": found.facts["recipe"],
        "epochs": found.facts["epochs"],
        "git_revision": found.facts["git_revision"],
        "weights_sha256": found.sha256,
    }
    metadata = {"schema": SCHEMA, "model": name}
    metadata |= {key: value if isinstance(value, str) else json.dumps(value) for key, value in facts.items()}
    content = convert.convert(graph, module, metadata)
    return content, Model(
        name=name,
        file=f"{name}.onnx",
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        inputs={key: ["N", width] for key, width in graph.inputs.items()},
        outputs={"image": ["N", 1, 28, 28]},
        opset=convert.OPSET,
        ir_version=convert.IR_VERSION,
        training={key: found.facts[key] for key in ("command", "device", "final_metrics")},
        verification={
            "largest_difference": convert.largest_difference(graph, module, content),
            "batches": list(convert.BATCHES),
            "versions": {"torch": torch.__version__, "onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__},
        },
        **facts,
    )


def _listed(artifacts: Path) -> dict[str, Model]:
    """The models that the manifest in `artifacts` lists already; none where there is no manifest."""
    if not (artifacts / "manifest.json").exists():
        return {}
    try:
        return Manifest(artifacts).models
    except ArtifactError as error:
        raise ExportError(f"{artifacts / 'manifest.json'} cannot be read: delete it, and export with --all.") from error


def _manifest(models: dict[str, Model]) -> bytes:
    facts = {
        name: {key: value for key, value in asdict(models[name]).items() if key != "name"}
        for name in GRAPHS
        if name in models
    }
    return (json.dumps({"schema": SCHEMA, "models": facts}, indent=2) + "\n").encode()


def _publish(contents: dict[Path, bytes]) -> None:
    """Write all files or none; raises ExportError where the disk refuses."""
    try:
        for path in contents:
            path.parent.mkdir(parents=True, exist_ok=True)
        replace_files(contents)
    except OSError as error:
        raise ExportError(
            f"{error.filename or 'The artifacts'} cannot be written ({error.strerror}): nothing was changed; make room "
            f"or name another folder with --artifacts."
        ) from error


if __name__ == "__main__":
    main()
