"""Turn trained weights into ONNX artifacts: `python -m export.onnx --all`."""

from pathlib import Path

import click

from export import weights
from export.artifacts import certified_as, listed, listed_verifier, manifest_bytes, press, publish
from export.graphs.models import SHIPPED, original

_FOLDER = click.Path(path_type=Path)


@click.command()
@click.option("--all", "every", is_flag=True, help="Export all models.")
@click.option("--model", "names", multiple=True, type=click.Choice(SHIPPED), help="Export this one; repeatable.")
@click.option("--checkpoints", type=_FOLDER, default="checkpoints", show_default=True, help="Folder of the trainings.")
@click.option("--artifacts", type=_FOLDER, default="artifacts", show_default=True, help="Folder to write to.")
def main(every: bool, names: tuple[str, ...], checkpoints: Path, artifacts: Path) -> None:
    """Convert the VAE's decoder and the GANs' generators to ONNX, checked against PyTorch.

    cgan-int8 is the CGAN with convolutions in eight bits: faster, and close to it rather than equal.

    Weights come from the folder --checkpoints where a finished training left some, and are then copied beside the
    artifacts; else from weights/ in the folder --artifacts. Nothing is written before all models have passed.

    \b
    Examples:
      python -m export.onnx --all
      python -m export.onnx --model cgan
    """
    if every == bool(names):
        raise click.UsageError(f"Say which: --all, or --model with one of {', '.join(SHIPPED)}.")
    contents: dict[Path, bytes] = {}
    models = listed(artifacts)
    for name in SHIPPED if every else dict.fromkeys(names):
        found = weights.find(original(name), checkpoints, artifacts)
        click.echo(
            f"{name}: weights from {found.path} ({found.facts['recipe']} recipe, {found.facts['epochs']} epochs)"
        )
        content, model = press(name, found)
        models[name] = certified_as(model, models.get(name))
        contents[artifacts / models[name].file] = content
        contents[artifacts / "weights" / f"{original(name)}.safetensors"] = found.content
        difference = models[name].verification["largest_difference"]
        click.echo(
            f"{name}: {len(content):,} bytes, at most {difference:.1e} from PyTorch, SHA-256 {models[name].sha256}"
        )
    contents[artifacts / "manifest.json"] = manifest_bytes(models, listed_verifier(artifacts))
    publish(contents)
    click.echo(f"Written to {artifacts}.")


if __name__ == "__main__":
    main()
