"""`mnistgen manifold`: all that the VAE draws, as one picture."""

import json
from pathlib import Path

import click

from mnistgen import __version__
from mnistgen.cli.shared import FILE, SETTINGS, device_option, json_option, manifest, no_metadata_option
from mnistgen.errors import InputError
from mnistgen.generator import Generator
from mnistgen.inference.session import check_device
from mnistgen.output.files import check_folder, write_whole
from mnistgen.output.formats import MOST_SCALE
from mnistgen.provenance.walks import MOST_SIDE, Manifold


@click.command(context_settings=SETTINGS, short_help="Write a picture of all that the VAE draws.")
@click.option("--model", "name", default="vae", show_default=True, help="What draws: the vae, which has a plane.")
@click.option("--side", type=click.IntRange(1, MOST_SIDE), default=20, show_default=True, help="Digits in a row.")
@click.option("--out", type=FILE, help="PNG file.  [default: vae-manifold<side>.png]")
@click.option(
    "--scale", type=click.IntRange(1, MOST_SCALE), default=2, show_default=True, help="Enlargement; 1 gives 28×28."
)
@no_metadata_option
@device_option
@json_option
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def command(
    name: str,
    side: int,
    out: Path | None,
    scale: int,
    no_metadata: bool,
    device: str,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write a PNG of what the VAE draws all over its plane of latents, as many rows as digits in a row.

    \b
    Examples:
      mnistgen manifold
      mnistgen manifold --side 40 --scale 1 --out plane.png
    """
    check_device(device)
    listed = manifest()
    model = listed.model(name)
    path = out or Path(f"{name}-manifold{side}.png")
    if path.suffix.lower() != ".png":
        raise InputError(f"{path} is no PNG file: give --out a name that ends in .png.")
    record = Manifold(
        mnistgen=__version__,
        model=name,
        sha256=model.sha256,
        provider="",  # known when the model is open
        side=side,
        format="png",
        scale=scale,
    )
    record.check()
    check_folder(path)
    generator = Generator(listed, name, device)
    record = record._replace(provider=generator.provider)
    write_whole(path, record.encode(record.draw(generator), not no_metadata))
    facts = {"path": str(path), "model": name, "side": side, "provider": record.provider}
    if as_json:
        click.echo(json.dumps(facts))
    elif not quiet:
        click.echo("{path}  {side} × {side} digits  {provider}".format(**facts))
