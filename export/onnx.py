"""Export trained weights to ONNX: `python -m export.onnx --all`."""

import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import click

from export import weights
from export.artifacts import (
    keep_certificate,
    locked_artifacts,
    manifest_bytes,
    read_models,
    read_verifier,
    write_artifacts,
)
from export.build import build_model
from export.errors import ExportError
from export.graphs.batch import fix_batch
from export.graphs.models import base_model
from export.label_map import label_map
from export.options import chosen_models, model_options
from export.weights import Weights
from mnistgen.errors import ArtifactError
from mnistgen.manifest import Manifest, Model

_FOLDER = click.Path(path_type=Path)


@click.command()
@model_options("export")
@click.option(
    "--checkpoints", type=_FOLDER, default="checkpoints", show_default=True, help="Folder of finished trainings."
)
@click.option("--artifacts", type=_FOLDER, default="artifacts", show_default=True, help="Folder to write to.")
@click.option("--batch", type=click.IntRange(1, 4096), help="Also write variants for this number of images only.")
def main(every: bool, names: tuple[str, ...], checkpoints: Path, artifacts: Path, batch: int | None) -> None:
    """Export the VAE's decoder and the GANs' generators to ONNX and compare them with PyTorch.

    cgan-int8 is the CGAN with quantized convolutions: faster, and close to it rather than equal. The models that end in
    -fp16 have weights in float16: half the size, and pixels within one gray level.

    Weights are read from --checkpoints if a finished training left them there, and are then copied to weights/ in
    --artifacts; otherwise from there. Nothing is written unless all models pass.

    --batch 1 adds files such as cgan-batch1.onnx, for compilers that know only fixed shapes. The manifest does not list
    them.

    \b
    Examples:
      python -m export.onnx --all
      python -m export.onnx --model cgan
    """
    chosen = chosen_models(every, names)
    click.get_current_context().with_resource(locked_artifacts(artifacts))
    contents: dict[Path, bytes] = {}
    before = read_models(artifacts)
    models = dict(before)
    reasons: dict[str, str] = {}
    for name in chosen:
        found = weights.find(base_model(name), checkpoints, artifacts)
        click.echo(
            f"{name}: weights from {found.path} ({found.facts['recipe']} recipe, {found.facts['epochs']} epochs)"
        )
        content, model = build_model(name, found)
        model = _with_label_map(model, content, artifacts)
        models[name] = keep_certificate(model, content, before.get(name), artifacts)
        if reason := _endangers(models[name], before, found, artifacts):
            reasons[name] = reason
        contents[artifacts / model.file] = content
        contents[artifacts / "weights" / f"{base_model(name)}.safetensors"] = found.content
        if batch:
            contents[artifacts / f"{name}-batch{batch}.onnx"] = fix_batch(content, batch)
        difference = model.verification["largest_difference"]
        click.echo(f"{name}: {len(content):,} bytes, within {difference:.1e} of PyTorch, SHA-256 {model.sha256}")
    contents[artifacts / "manifest.json"] = manifest_bytes(models, read_verifier(artifacts))
    replaced = [path for path, content in contents.items() if _replaces(path, content)]
    write_artifacts(contents)
    click.echo(f"Written to {artifacts}.")
    if reasons and replaced:
        click.secho(_warning(reasons, replaced, artifacts), err=True, fg="yellow", bold=True)


def _with_label_map(model: Model, content: bytes, artifacts: Path) -> Model:
    """Return `model` with a map of its digits, if its latents are a plane and the manifest lists a verifier."""
    if model.latent_size != 2 or model.classes or not read_verifier(artifacts):
        return model
    try:
        verifier = Manifest(artifacts).read_verifier()
    except ArtifactError as error:
        raise ExportError(f"{error.problem}. Run python -m export.verifier first.") from error
    return replace(model, label_map=label_map(content, verifier))


def _replaces(path: Path, content: bytes) -> bool:
    """Return whether there is a file at `path` with another content."""
    try:
        return path.read_bytes() != content
    except OSError:
        return path.is_file()


def _endangers(model: Model, before: Mapping[str, Model], found: Weights, artifacts: Path) -> str:
    """Return why certified models should not be replaced by `model`, or an empty string.

    Args:
        model: The model to write.
        before: The models that the manifest listed before.
        found: The weights of the model.
        artifacts: The folder to write to.
    """
    former = before.get(model.name)
    if former and former.certified and not model.certified:
        return f"it replaces a certified model and is not certified itself ({_origin(model)})"
    is_trained = not found.path.is_relative_to(artifacts / "weights")
    is_certified = any(other.certified for other in before.values())
    if is_trained and is_certified and not _is_full_training(model):
        return f"its training was short or customized ({_origin(model)})"
    return ""


def _is_full_training(model: Model) -> bool:
    """Return whether a model was trained on all digits as the seed or the tuned recipe says."""
    return model.recipe not in ("custom", "lesson") and "first" not in model.training_data


def _origin(model: Model) -> str:
    return f"{model.recipe} recipe, {model.epochs} epochs, {model.training_data}"


def _warning(reasons: Mapping[str, str], replaced: list[Path], artifacts: Path) -> str:
    """Return a warning that lists the replaced files and says how to restore them."""
    return "\n".join(
        [
            f"WARNING: Shipped files in {artifacts} were replaced.",
            *(f"  {name}: {reason}" for name, reason in reasons.items()),
            "Replaced files:",
            *(f"  {path}" for path in replaced),
            f"Restore them with: {shlex.join(['git', 'checkout', str(artifacts)])}",
            "Next time, export into another folder with --artifacts.",
        ]
    )


if __name__ == "__main__":
    main()
