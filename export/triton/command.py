"""The command: `python -m export.triton DIR`."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import click

from export.artifacts import locked_artifacts, write_artifacts
from export.errors import ExportError
from export.triton.config import Placement
from export.triton.repository import DIGITS, artifacts_of, contents
from mnistgen.errors import ArtifactError
from mnistgen.manifest import Manifest

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("folder", metavar="DIR", type=_FOLDER)
@click.option("--model", "names", multiple=True, help="Model to serve; repeatable.  [default: all, with the verifier]")
@click.option("--digits", "drawn", default="cgan", show_default=True, help="Model that draws by seed and index.")
@click.option("--device", type=click.Choice(["cpu", "gpu"]), default="cpu", show_default=True, help="Where models run.")
@click.option(
    "--instances", type=click.IntRange(1, 256), default=1, show_default=True, help="Copies of each model; one per core."
)
@click.option("--artifacts", type=_FOLDER, default="artifacts", show_default=True, help="Folder of the models.")
def main(folder: Path, names: tuple[str, ...], drawn: str, device: str, instances: int, artifacts: Path) -> None:
    """Write a model repository for the Triton Inference Server into the folder DIR.

    Each model gets its ONNX file, whose inputs are latents, and a config.pbtxt with dynamic batches of up to 16 images
    and a warm-up. The model `digits` draws image i of a seed as mnistgen does. It runs in Triton's Python backend, in
    whose environment mnistgen must be installed.

    All files are written or none. Other files in DIR stay.

    \b
    Examples:
      python -m export.triton models
      python -m export.triton models --model cgan --instances 8
      python -m export.triton models --device gpu
    """
    manifest = _manifest(artifacts)
    _check(names, "--model", list(artifacts_of(manifest)))
    _check((drawn,), "--digits", list(manifest.models))
    if DIGITS in artifacts_of(manifest):
        raise ExportError(f"{manifest.path} lists a model named {DIGITS}; expected another name. Rename the model.")
    chosen = list(dict.fromkeys(names)) or list(artifacts_of(manifest))
    files = contents(manifest, chosen, drawn, Placement(device, instances))
    click.get_current_context().with_resource(locked_artifacts(folder, "DIR"))
    with _no_new_folders_on_failure(folder, files):
        write_artifacts({folder / name: content for name, content in files.items()}, "DIR")
    for name in [*chosen, DIGITS]:
        click.echo(f"{name}: {folder / name / 'config.pbtxt'}")
    click.echo(f"Written to {folder}. Start: tritonserver --model-repository {folder.absolute()}")


def _manifest(artifacts: Path) -> Manifest:
    try:
        return Manifest(artifacts)
    except ArtifactError as error:
        raise ExportError(f"{error.problem}. Name the folder of the models with --artifacts.") from error


def _check(names: tuple[str, ...], option: str, known: list[str]) -> None:
    for name in names:
        if name not in known:
            raise click.UsageError(f"{option} is {name}; expected one of {', '.join(known)}.")


@contextlib.contextmanager
def _no_new_folders_on_failure(folder: Path, files: dict[str, bytes]) -> Iterator[None]:
    """Remove the folders that a failed write created: Triton takes each folder for a model."""
    parents = {parent for name in files for parent in (folder / name).parents if parent.is_relative_to(folder)}
    created = [parent for parent in parents if not parent.exists()]
    try:
        yield
    except BaseException:
        for parent in sorted(created, reverse=True):  # a folder before its parent
            with contextlib.suppress(OSError):  # it was not created
                parent.rmdir()
        raise
