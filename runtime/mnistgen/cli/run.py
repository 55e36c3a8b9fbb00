"""`mnistgen run`: a picture of digits."""

import json
import re
import secrets
import sys
from pathlib import Path

import click

from mnistgen import images
from mnistgen.cli.shared import SETTINGS, device_option, json_option, manifest
from mnistgen.errors import InputError, OutputError
from mnistgen.files import write_whole
from mnistgen.generator import Generator
from mnistgen.latents import SEED_END
from mnistgen.manifest import Manifest, Model
from mnistgen.session import check_device

MOST_DIGITS = 1000
"""Digits in one picture at most; more belong into an array of the API."""
MOST_PIXELS = 200_000_000
"""Pixels in one picture at most, a byte each."""
_FILE = click.Path(path_type=Path, dir_okay=False)


def _parse_digits(context: click.Context, option: click.Parameter, text: str | None) -> list[int] | None:
    """Digits as one types them: 5, or a list 3,1,4, or a range 0-9, or both."""
    if text is None:
        return None
    digits: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*([0-9])\s*(?:-\s*([0-9])\s*)?", part)
        if not match or (match[2] and match[2] < match[1]):
            raise click.BadParameter(
                f"{text!r} is not a digit from 0 to 9, a list such as 3,1,4, or a range such as 0-9."
            )
        digits += range(int(match[1]), int(match[2] or match[1]) + 1)
    return digits


@click.command(context_settings=SETTINGS)
@click.option("--model", "name", default="cgan", show_default=True, help="What draws: vae, gan, cgan or cgan-int8.")
@click.option("--digit", "digits", callback=_parse_digits, help="What to draw (cgan only): 5, or 3,1,4, or 0-9.")
@click.option("--n", type=click.IntRange(1, MOST_DIGITS), help="How many, the digits in turn.  [default: one each]")
@click.option("--seed", type=click.IntRange(0, SEED_END - 1), help="Same seed, same digits.  [default: a new one]")
@click.option("--out", type=_FILE, help="PNG file to write.  [default: named after what is drawn]")
@click.option("--scale", type=click.IntRange(1, 64), default=8, show_default=True, help="Enlargement; 1 gives 28×28.")
@device_option
@json_option
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def command(
    name: str,
    digits: list[int] | None,
    n: int | None,
    seed: int | None,
    out: Path | None,
    scale: int,
    device: str,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write a PNG of handwritten digits, white on black, into the current folder.

    \b
    Examples:
      mnistgen-run --model cgan --digit 5            a five
      mnistgen-run --digit 0-9 --n 100 --seed 7      ten of each, always the same
      mnistgen-run --model vae --n 20 --out vae.png  twenty of whatever comes
      mnistgen-run --digit 3,1,4 --scale 1 --json    for scripts
    """
    check_device(device)
    listed = manifest()
    model = listed.model(name)
    _check_digits(listed, model, digits)
    if digits is None and model.classes:
        digits = list(range(min(n or 1, model.classes)))
    n = n or len(digits or [0])
    _check_size(n, scale)
    seed = secrets.randbits(32) if seed is None else seed
    path = out or Path(_file_name(name, digits, n, seed))
    _check_path(path)
    asked = [digits[i % len(digits)] for i in range(n)] if digits else None
    generator = Generator(listed, name, device)
    drawn = generator.generate(n, digit=asked, seed=seed)  # (n, 28, 28)
    write_whole(path, images.encode_png(images.grid(drawn, scale)))
    facts = {"path": str(path), "model": name, "n": n, "digits": asked, "seed": seed, "provider": generator.provider}
    if as_json:
        click.echo(json.dumps(facts))
    elif not quiet:
        if sys.stdout and sys.stdout.isatty():
            click.echo(images.preview(drawn))
        click.echo("{path}  seed {seed}  {provider}".format(**facts))


def _check_digits(manifest: Manifest, model: Model, digits: list[int] | None) -> None:
    if digits and not model.classes:
        able = ", ".join(other.name for other in manifest.models.values() if other.classes)
        raise InputError(f"The {model.name} draws whatever comes: for a digit of your choice take --model {able}.")


def _check_size(n: int, scale: int) -> None:
    if n > MOST_DIGITS:
        raise InputError(f"{n} digits are too many for one picture: ask for {MOST_DIGITS} at most.")
    if n * (28 * scale) ** 2 > MOST_PIXELS:
        raise InputError(f"{n} digits at scale {scale} are too large a picture: ask for fewer, or a smaller --scale.")


def _check_path(path: Path) -> None:
    """Refuse what would be refused after the work, too."""
    if path.suffix.lower() != ".png":
        raise InputError(f"{path} is no PNG file: give --out a name that ends in .png.")
    try:
        is_folder = path.parent.is_dir()
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror}): name another file with --out.") from error
    if not is_folder:
        raise OutputError(f"There is no folder {path.parent} to write to: make it, or name another file with --out.")


def _file_name(model: str, digits: list[int] | None, n: int, seed: int) -> str:
    """Such as cgan-digit5-seed7.png, cgan-digits314-n30-seed7.png, gan-n20-seed7.png."""
    parts = [model]
    if digits:
        first = "".join(map(str, digits[:10])) + ("etc" if len(digits) > 10 else "")
        parts.append(f"digit{'s' if len(digits) > 1 else ''}{first}")
    if n != len(digits or [0]):
        parts.append(f"n{n}")
    return "-".join([*parts, f"seed{seed}.png"])
