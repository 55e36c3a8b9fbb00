"""`mnistgen walk`: digits that turn into others."""

import json
import secrets
import sys
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from mnistgen import animation, images, walks
from mnistgen.cli.shared import FILE, SETTINGS, device_option, json_option, manifest, numbers
from mnistgen.errors import InputError
from mnistgen.files import check_folder, write_whole
from mnistgen.formats import MOST_PIXELS
from mnistgen.generator import Generator
from mnistgen.latents import SEED_END
from mnistgen.manifest import Model
from mnistgen.session import check_device

MOST_FRAMES = 1000
"""Frames of one walk at most; more belong into an array of the API."""
LONGEST = 600_000
"""Milliseconds that all frames take at most: a GIF joins frames that are the same, and cannot show one much longer."""
_NEW_SEEDS = 4
"""Where none are given, and the digits alone are no walk."""
_FRAMES = 24
_MILLISECONDS = 40
_FORMATS = ("gif", "webp", "png")


@click.command(context_settings=SETTINGS)
@click.option("--model", "name", default="cgan", show_default=True, help="What draws: vae, gan, cgan or cgan-int8.")
@click.option(
    "--seeds",
    callback=numbers("a seed", SEED_END, MOST_FRAMES),
    help="Where to stop: 1,2,3, or 1-5.  [default: new ones]",
)
@click.option(
    "--digits", callback=numbers("a digit", 10, MOST_FRAMES), help="What to show there (cgan only): 3,8, or 0-9."
)
@click.option(
    "--frames", type=click.IntRange(1, MOST_FRAMES), default=_FRAMES, show_default=True, help="From stop to stop."
)
@click.option("--loop", is_flag=True, help="Return to the first stop, and repeat without end.")
@click.option("--milliseconds", type=click.IntRange(20), help=f"For each frame.  [default: {_MILLISECONDS}]")
@click.option("--format", "kind", type=click.Choice(_FORMATS), help="What to write.  [default: as --out ends, or gif]")
@click.option("--out", type=FILE, help="File to write.  [default: named after what is drawn]")
@click.option("--scale", type=click.IntRange(1, 64), help="Enlargement.  [default: 8, for a png 2]")
@device_option
@json_option
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def command(
    name: str,
    seeds: list[int] | None,
    digits: list[int] | None,
    frames: int,
    loop: bool,
    milliseconds: int | None,
    kind: str | None,
    out: Path | None,
    scale: int | None,
    device: str,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write an animation of digits that turn into others on the way from stop to stop, or all of it as a sheet.

    A stop is a seed with a digit, and drawn as mnistgen-run draws them. Where there are fewer seeds than digits, or
    fewer digits than seeds, they begin again. A sheet (png) has a row for each leg, with the stops at its ends.

    \b
    Examples:
      mnistgen walk                                      from 0 to 9 in one handwriting
      mnistgen walk --seeds 7 --digits 3,8 --loop        a three and an eight, for ever
      mnistgen walk --digits 5 --seeds 1-4 --out 5.webp  one five after another
      mnistgen walk --model gan --frames 9 --format png  four digits, as a sheet
    """
    check_device(device)
    listed = manifest()
    model = listed.model(name)
    kind = _check_kind(kind, out)
    seeds, digits = _choose(model, seeds, digits)
    stops = max(len(seeds), len(digits or []))
    scale = scale or (2 if kind == "png" else 8)
    total = walks.length(stops, frames, loop)
    _check_size(total, scale)
    time = _check_time(kind, milliseconds, total)
    path = out or Path(_file_name(name, seeds, digits, frames, loop, kind))
    check_folder(path)
    generator = Generator(listed, name, device)
    drawn = generator.walk(seeds=seeds, digits=digits, frames=frames, loop=loop)  # (total, 28, 28)
    write_whole(path, _encode(drawn, kind, frames, loop, scale, time))
    facts = {
        "path": str(path),
        "model": name,
        "seeds": walks.in_turn(seeds, stops),
        "digits": walks.in_turn(digits, stops) if digits else None,
        "frames": total,
        "loop": loop,
        "milliseconds": time,
        "provider": generator.provider,
    }
    if as_json:
        click.echo(json.dumps(facts))
    elif not quiet:
        if sys.stdout and sys.stdout.isatty():
            click.echo(images.preview(drawn[::frames]))
        click.echo(f"{path}  {total} frames  {_listed(seeds, ' ', ',')}  {generator.provider}")


def _check_kind(kind: str | None, out: Path | None) -> str:
    """The kind of file to write, by what was asked for or by the name of the file; both must agree."""
    if out is None:
        return kind or "gif"
    ending = out.suffix.lower()[1:]
    if ending not in _FORMATS:
        raise InputError(f"{out} is no GIF, WebP or PNG file: give --out a name that ends in .gif, .webp or .png.")
    if kind and kind != ending:
        raise InputError(f"{out} is no {kind} file: leave out --format, or give --out a name that ends in .{kind}.")
    return ending


def _choose(model: Model, seeds: list[int] | None, digits: list[int] | None) -> tuple[list[int], list[int] | None]:
    """Seeds and digits where they are not given: every digit of one seed, or some seeds."""
    if digits is None and model.classes:
        digits = list(range(model.classes)) if len(seeds or [0]) == 1 else [0]
    if seeds is None:
        first = secrets.randbits(32)
        seeds = list(range(first, first + (1 if digits and len(digits) > 1 else _NEW_SEEDS)))
    return seeds, digits


def _check_size(total: int, scale: int) -> None:
    if total > MOST_FRAMES:
        raise InputError(f"{total} frames are too many for one walk: ask for {MOST_FRAMES} at most in all.")
    if total * (28 * scale) ** 2 > MOST_PIXELS:
        raise InputError(f"{total} frames at scale {scale} are too large: ask for fewer, or a smaller --scale.")


def _check_time(kind: str, milliseconds: int | None, total: int) -> int | None:
    """How long each frame is shown, in milliseconds; None for what does not move."""
    if kind == "png":
        if milliseconds is not None:
            raise InputError("A sheet does not move: leave out --milliseconds, or write a gif or webp.")
        return None
    milliseconds = milliseconds or _MILLISECONDS
    if kind == "gif" and milliseconds % 10:
        raise InputError(
            f"A GIF counts time in tens of milliseconds, not {milliseconds}: give it a ten, or write a webp."
        )
    if total * milliseconds > LONGEST:
        raise InputError(f"{total} frames of {milliseconds} ms are too long: {LONGEST // 60_000} minutes are the most.")
    return milliseconds


def _encode(
    drawn: NDArray[np.uint8], kind: str, frames: int, loop: bool, scale: int, milliseconds: int | None
) -> bytes:
    """The walk (length, 28, 28) as a file."""
    if milliseconds is None:
        return images.encode_png(images.grid(_legs(drawn, frames, loop), scale, columns=frames + 1))
    return animation.encode(drawn.repeat(scale, 1).repeat(scale, 2), f".{kind}", milliseconds, loop)


def _legs(drawn: NDArray[np.uint8], frames: int, loop: bool) -> NDArray[np.uint8]:
    """The walk's legs one after another (legs · (frames + 1), 28, 28), each with the stops at both of its ends."""
    if loop:
        drawn = np.concatenate([drawn, drawn[:1]])
    return np.concatenate([drawn[first : first + frames + 1] for first in range(0, len(drawn) - 1, frames)])


def _file_name(model: str, seeds: list[int], digits: list[int] | None, frames: int, loop: bool, kind: str) -> str:
    """Such as cgan-walk-digits38-seed7-loop.gif, gan-walk-seeds1-2-3-frames9.png."""
    parts = [model, "walk"]
    if digits:
        parts.append("digit" + "s" * (len(digits) > 1) + "".join(map(str, digits[:10])) + "etc" * (len(digits) > 10))
    parts.append(_listed(seeds, "", "-"))
    if frames != _FRAMES:
        parts.append(f"frames{frames}")
    if loop:
        parts.append("loop")
    return f"{'-'.join(parts)}.{kind}"


def _listed(seeds: list[int], space: str, comma: str) -> str:
    """The first of the seeds, such as "seeds 1,2,3" with a space and a comma."""
    first = comma.join(map(str, seeds[:_NEW_SEEDS])) + f"{comma}etc" * (len(seeds) > _NEW_SEEDS)
    return f"seed{'s' * (len(seeds) > 1)}{space}{first}"
