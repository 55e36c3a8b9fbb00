"""`mnistgen manifold`: all that the VAE draws, as one picture."""

import json
from pathlib import Path

import click

from mnistgen import images
from mnistgen.cli.shared import FILE, SETTINGS, device_option, json_option, manifest
from mnistgen.errors import InputError
from mnistgen.files import check_folder, write_whole
from mnistgen.formats import MOST_PIXELS
from mnistgen.generator import Generator
from mnistgen.session import check_device

MOST_SIDE = 100
"""Digits in a row at most; more belong into an array of the API."""


@click.command(context_settings=SETTINGS)
@click.option("--model", "name", default="vae", show_default=True, help="What draws: the vae, which has a plane.")
@click.option("--side", type=click.IntRange(1, MOST_SIDE), default=20, show_default=True, help="Digits in a row.")
@click.option("--out", type=FILE, help="PNG file.  [default: vae-manifold<side>.png]")
@click.option("--scale", type=click.IntRange(1, 64), default=2, show_default=True, help="Enlargement; 1 gives 28×28.")
@device_option
@json_option
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def command(name: str, side: int, out: Path | None, scale: int, device: str, as_json: bool, quiet: bool) -> None:
    """Write a PNG of what the VAE draws all over its plane of latents, as many rows as digits in a row.

    \b
    Examples:
      mnistgen manifold
      mnistgen manifold --side 40 --scale 1 --out plane.png
    """
    check_device(device)
    listed = manifest()
    listed.model(name)
    path = out or Path(f"{name}-manifold{side}.png")
    if path.suffix.lower() != ".png":
        raise InputError(f"{path} is no PNG file: give --out a name that ends in .png.")
    if (28 * side * scale) ** 2 > MOST_PIXELS:
        raise InputError(f"{side} × {side} digits at scale {scale} are too large: ask for fewer, or a smaller --scale.")
    check_folder(path)
    generator = Generator(listed, name, device)
    drawn = generator.manifold(side)  # (side², 28, 28)
    write_whole(path, images.encode_png(images.grid(drawn, scale, columns=side)))
    facts = {"path": str(path), "model": name, "side": side, "provider": generator.provider}
    if as_json:
        click.echo(json.dumps(facts))
    elif not quiet:
        click.echo("{path}  {side} × {side} digits  {provider}".format(**facts))
