"""`mnistgen manifold`: write a picture of the VAE's latent plane."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import click

from mnistgen import __version__
from mnistgen.cli.shared import (
    FILE,
    SETTINGS,
    artifacts_option,
    device_option,
    json_option,
    manifest,
    no_metadata_option,
    quiet_option,
)
from mnistgen.errors import InputError
from mnistgen.generator import Generator
from mnistgen.inference.session import check_device
from mnistgen.output.files import check_folder, write_whole
from mnistgen.output.limits import MOST_SCALE
from mnistgen.provenance.checks import check
from mnistgen.provenance.drawing import encode_manifold
from mnistgen.provenance.records import MOST_SIDE, Manifold


class Options(NamedTuple):
    """The command's options as given; None where an option is missing."""

    name: str
    side: int
    out: Path | None
    scale: int
    no_metadata: bool
    device: str
    as_json: bool
    quiet: bool


@click.command(context_settings=SETTINGS, short_help="Write a picture of the VAE's latent plane.")
@click.option("--model", "name", default="vae", show_default=True, help="Model to use; only the vae has a plane.")
@click.option("--side", type=click.IntRange(1, MOST_SIDE), default=20, show_default=True, help="Rows and columns.")
@click.option("--out", type=FILE, help="PNG file to write.  [default: vae-manifold<side>.png]")
@click.option(
    "--scale", type=click.IntRange(1, MOST_SCALE), default=2, show_default=True, help="Pixel size; 1 gives 28×28."
)
@no_metadata_option
@artifacts_option
@device_option
@json_option
@quiet_option
def command(**given: Any) -> None:
    """Write a PNG of digits from all over the VAE's latent plane.

    \b
    Examples:
      mnistgen manifold
      mnistgen manifold --side 40 --scale 1 --out plane.png
    """
    options = Options(**given)
    check_device(options.device)
    listed = manifest()
    record = _plan(options, listed.model(options.name).sha256)
    check(record)
    path = options.out or Path(f"{record.model}-manifold{record.side}.png")
    if path.suffix.lower() != ".png":
        raise InputError(f"--out is {path}; expected a name that ends in .png", code="unknown-format")
    check_folder(path)
    generator = Generator(listed, record.model, options.device)
    record = record._replace(provider=generator.provider)
    frames = generator.manifold(record.side)  # (side², 28, 28)
    write_whole(path, encode_manifold(record, frames, metadata=not options.no_metadata))
    if options.as_json:
        facts = {"path": str(path), "model": record.model, "side": record.side, "provider": record.provider}
        click.echo(json.dumps(facts))
    elif not options.quiet:
        click.echo(f"{path}  {record.side} × {record.side} digits  {record.provider}")


def _plan(options: Options, sha256: str) -> Manifold:
    """Return the record of the file, without the provider."""
    return Manifold(
        mnistgen=__version__,
        model=options.name,
        sha256=sha256,
        provider="",  # known once the model is open
        side=options.side,
        format="png",
        scale=options.scale,
    )
