"""`mnistgen walk`: digits that turn into others."""

import json
import secrets
import sys
from pathlib import Path

import click

from mnistgen import __version__, interpolation
from mnistgen.cli.shared import FILE, SETTINGS, device_option, json_option, manifest, no_metadata_option, numbers
from mnistgen.errors import InputError
from mnistgen.generator import Generator
from mnistgen.inference.session import check_device
from mnistgen.latents import SEED_END
from mnistgen.manifest import Model
from mnistgen.output import formats, images
from mnistgen.output.files import check_folder, write_whole
from mnistgen.provenance.walks import FORMATS, MOST_FRAMES, SHORTEST, Walk

_NEW_SEEDS = 4
"""Where none are given, and the digits alone are no walk."""
_FRAMES = 24
_MILLISECONDS = 40


@click.command(context_settings=SETTINGS, short_help="Write an animation of digits that turn into others.")
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
@click.option("--milliseconds", type=click.IntRange(SHORTEST), help=f"For each frame.  [default: {_MILLISECONDS}]")
@click.option("--format", "kind", type=click.Choice(FORMATS), help="What to write.  [default: as --out ends, or gif]")
@click.option("--out", type=FILE, help="File to write.  [default: named after what is drawn]")
@click.option("--scale", type=click.IntRange(1, formats.MOST_SCALE), help="Enlargement.  [default: 8, for a png 2]")
@no_metadata_option
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
    no_metadata: bool,
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
    record = _record(model, seeds, digits, frames, loop, kind, scale, milliseconds)
    record.check()
    path = out or Path(_file_name(name, seeds, digits, frames, loop, kind))
    check_folder(path)
    generator = Generator(listed, name, device)
    record = record._replace(provider=generator.provider)
    drawn = record.draw(generator)  # (total, 28, 28)
    write_whole(path, record.encode(drawn, not no_metadata))
    if as_json:
        _tell_json(path, record)
    elif not quiet:
        if sys.stdout and sys.stdout.isatty():
            click.echo(images.preview(drawn[::frames]))
        click.echo(f"{path}  {record.total} frames  {_listed(seeds, ' ', ',')}  {record.provider}")


def _check_kind(kind: str | None, out: Path | None) -> str:
    """The kind of file to write, by what was asked for or by the name of the file; both must agree."""
    if out is None:
        return kind or "gif"
    ending = out.suffix.lower()[1:]
    if ending not in FORMATS:
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


def _record(
    model: Model,
    seeds: list[int],
    digits: list[int] | None,
    frames: int,
    loop: bool,
    kind: str,
    scale: int | None,
    milliseconds: int | None,
) -> Walk:
    """What the file is to show, stop by stop, with what is usual in the place of what was not asked for."""
    stops = max(len(seeds), len(digits or []))
    sheet = kind == "png"
    return Walk(
        mnistgen=__version__,
        model=model.name,
        sha256=model.sha256,
        provider="",  # known when the model is open
        seeds=tuple(interpolation.in_turn(seeds, stops)),
        digits=tuple(interpolation.in_turn(digits, stops)) if digits else None,
        frames=frames,
        loop=loop,
        format=kind,
        scale=scale or (2 if sheet else formats.SCALE),
        milliseconds=milliseconds or (None if sheet else _MILLISECONDS),
    )


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


def _tell_json(path: Path, record: Walk) -> None:
    told = ("model", "seeds", "digits", "frames", "loop", "milliseconds", "provider")
    facts = {key: getattr(record, key) for key in told}
    click.echo(json.dumps({"path": str(path), **facts, "frames": record.total}))  # all of them, not those of a leg
