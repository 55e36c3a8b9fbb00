"""`mnistgen walk`: write an animation from digit to digit."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import click

from mnistgen import __version__
from mnistgen.animation import MILLISECONDS, SHEET_SCALE
from mnistgen.cli.shared import (
    FILE,
    SETTINGS,
    artifacts_option,
    device_option,
    integers,
    json_option,
    manifest,
    no_metadata_option,
    quiet_option,
)
from mnistgen.errors import InputError
from mnistgen.generator import Generator
from mnistgen.inference.session import check_device
from mnistgen.interpolation import cycle
from mnistgen.latents import SEED_END
from mnistgen.manifest import Model
from mnistgen.output import images, limits
from mnistgen.output.files import check_folder, write_whole
from mnistgen.provenance.checks import check, frames_of
from mnistgen.provenance.drawing import draw_walk
from mnistgen.provenance.records import MOST_FRAMES, SHORTEST_MS, WALK_FORMATS, Walk
from mnistgen.walk import default_stops

_FRAMES = 24
_MOST_LISTED = 4
"""Maximum number of seeds in a message or file name."""


class Options(NamedTuple):
    """The command's options as given; None where an option is missing."""

    name: str
    seeds: list[int] | None
    digits: list[int] | None
    frames: int
    loop: bool
    milliseconds: int | None
    format: str | None
    out: Path | None
    scale: int | None
    no_metadata: bool
    device: str
    as_json: bool
    quiet: bool


@click.command(context_settings=SETTINGS, short_help="Write an animation from digit to digit.")
@click.option("--model", "name", default="cgan", show_default=True, help="Model to use: vae, gan, cgan or cgan-int8.")
@click.option(
    "--seeds",
    callback=integers("a seed", SEED_END, MOST_FRAMES),
    help="Seeds of the stops: 1,2,3 or 1-5.  [default: random]",
)
@click.option(
    "--digits", callback=integers("a digit", 10, MOST_FRAMES), help="Digits of the stops (cgan only): 3,8 or 0-9."
)
@click.option(
    "--frames",
    type=click.IntRange(1, MOST_FRAMES),
    default=_FRAMES,
    show_default=True,
    help="Frames from one stop to the next.",
)
@click.option("--loop", is_flag=True, help="Return to the first stop and repeat.")
@click.option(
    "--milliseconds", type=click.IntRange(SHORTEST_MS), help=f"Time of each frame.  [default: {MILLISECONDS}]"
)
@click.option("--format", type=click.Choice(WALK_FORMATS), help="File format.  [default: the suffix of --out, or gif]")
@click.option("--out", type=FILE, help="File to write.  [default: named after the content]")
@click.option("--scale", type=click.IntRange(1, limits.MOST_SCALE), help="Pixel size.  [default: 8, or 2 for a png]")
@no_metadata_option
@artifacts_option
@device_option
@json_option
@quiet_option
def command(**given: Any) -> None:
    """Write an animation that interpolates from digit to digit, or a sheet of all its frames.

    Each stop is a seed with a digit, as mnistgen-run draws it. If there are fewer seeds than digits, or fewer digits
    than seeds, they repeat. A sheet (png) has a row for each leg, with the stops at both ends.

    \b
    Examples:
      mnistgen walk                                      from 0 to 9 in one handwriting
      mnistgen walk --seeds 14 --digits 3,8 --loop       from a three to an eight and back
      mnistgen walk --digits 5 --seeds 1-4 --out 5.webp  four different fives
      mnistgen walk --model gan --frames 9 --format png  four random digits, as a sheet
    """
    options = Options(**given)
    check_device(options.device)
    listed = manifest()
    model = listed.model(options.name)
    file_format = _format_of(options.out, options.format)
    seeds, digits = _stops(options, model)
    record = _plan(options, model, file_format, seeds, digits)
    check(record)
    path = options.out or Path(_file_name(record, seeds, digits))
    check_folder(path)
    generator = Generator(listed, model.name, options.device)
    walk = draw_walk(record, generator)
    write_whole(path, walk.encode(metadata=not options.no_metadata))
    record = walk.record
    if options.as_json:
        _report_json(path, record)
    elif not options.quiet:
        if sys.stdout and sys.stdout.isatty():
            click.echo(images.preview(walk[:: record.frames]))
        click.echo(f"{path}  {len(walk)} frames  {_list(seeds, ' ', ',')}  {record.provider}")


def _format_of(out: Path | None, requested: str | None) -> str:
    """Return the requested format or that of the file's suffix; both must agree."""
    if out is None:
        return requested or "gif"
    suffix = out.suffix.lower()[1:]
    if suffix not in WALK_FORMATS:
        raise InputError(f"--out is {out}; expected a name that ends in .gif, .webp or .png", code="unknown-format")
    if requested and requested != suffix:
        raise InputError(
            f"--out is {out}; expected a name that ends in .{requested}, the --format", code="format-mismatch"
        )
    return suffix


def _stops(options: Options, model: Model) -> tuple[list[int], list[int] | None]:
    """Return seeds and digits, also if they are the default."""
    seeds, digits = default_stops(model, options.seeds, options.digits)
    return list(cast(Sequence[int], seeds)), None if digits is None else list(cast(Sequence[int], digits))


def _plan(options: Options, model: Model, file_format: str, seeds: list[int], digits: list[int] | None) -> Walk:
    """Return the record of the file, without the provider."""
    stops = max(len(seeds), len(digits or []))
    sheet = file_format == "png"
    return Walk(
        mnistgen=__version__,
        model=model.name,
        sha256=model.sha256,
        provider="",  # known once the model is open
        seeds=tuple(cycle(seeds, stops)),
        digits=tuple(cycle(digits, stops)) if digits else None,
        frames=options.frames,
        loop=options.loop,
        format=file_format,
        scale=options.scale or (SHEET_SCALE if sheet else limits.SCALE),
        milliseconds=options.milliseconds or (None if sheet else MILLISECONDS),
    )


def _file_name(record: Walk, seeds: list[int], digits: list[int] | None) -> str:
    """Return a name such as cgan-walk-digits38-seed7-loop.gif or gan-walk-seeds1-2-3-frames9.png."""
    parts = [record.model, "walk"]
    if digits:
        parts.append("digit" + "s" * (len(digits) > 1) + "".join(map(str, digits[:10])) + "etc" * (len(digits) > 10))
    parts.append(_list(seeds, "", "-"))
    if record.frames != _FRAMES:
        parts.append(f"frames{record.frames}")
    if record.loop:
        parts.append("loop")
    return f"{'-'.join(parts)}.{record.format}"


def _list(seeds: list[int], space: str, comma: str) -> str:
    """List the first seeds, such as "seeds 1,2,3" with these separators."""
    first = comma.join(map(str, seeds[:_MOST_LISTED])) + f"{comma}etc" * (len(seeds) > _MOST_LISTED)
    return f"seed{'s' * (len(seeds) > 1)}{space}{first}"


def _report_json(path: Path, record: Walk) -> None:
    keys = ("model", "seeds", "digits", "frames", "loop", "milliseconds", "provider")
    facts = {key: getattr(record, key) for key in keys}
    click.echo(json.dumps({"path": str(path), **facts, "frames": frames_of(record)}))  # of the whole walk
