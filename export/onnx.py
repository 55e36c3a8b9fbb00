"""Export trained weights to ONNX: `python -m export.onnx --all`."""

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
from export.graphs.models import base_model
from export.options import chosen_models, model_options

_FOLDER = click.Path(path_type=Path)


@click.command()
@model_options("export")
@click.option(
    "--checkpoints", type=_FOLDER, default="checkpoints", show_default=True, help="Folder of finished trainings."
)
@click.option("--artifacts", type=_FOLDER, default="artifacts", show_default=True, help="Folder to write to.")
def main(every: bool, names: tuple[str, ...], checkpoints: Path, artifacts: Path) -> None:
    """Export the VAE's decoder and the GANs' generators to ONNX and compare them with PyTorch.

    cgan-int8 is the CGAN with quantized convolutions: faster, and close to it rather than equal.

    Weights are read from --checkpoints if a finished training left them there, and are then copied to weights/ in
    --artifacts; otherwise from there. Nothing is written unless all models pass.

    \b
    Examples:
      python -m export.onnx --all
      python -m export.onnx --model cgan
    """
    chosen = chosen_models(every, names)
    click.get_current_context().with_resource(locked_artifacts(artifacts))
    contents: dict[Path, bytes] = {}
    models = read_models(artifacts)
    for name in chosen:
        found = weights.find(base_model(name), checkpoints, artifacts)
        click.echo(
            f"{name}: weights from {found.path} ({found.facts['recipe']} recipe, {found.facts['epochs']} epochs)"
        )
        content, model = build_model(name, found)
        models[name] = keep_certificate(model, models.get(name))
        contents[artifacts / model.file] = content
        contents[artifacts / "weights" / f"{base_model(name)}.safetensors"] = found.content
        difference = model.verification["largest_difference"]
        click.echo(f"{name}: {len(content):,} bytes, within {difference:.1e} of PyTorch, SHA-256 {model.sha256}")
    contents[artifacts / "manifest.json"] = manifest_bytes(models, read_verifier(artifacts))
    write_artifacts(contents)
    click.echo(f"Written to {artifacts}.")


if __name__ == "__main__":
    main()
