"""`mnistgen run`: a picture of digits."""

import json
import re
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mnistgen import __version__
from mnistgen.cli.shared import (
    EXISTING_FILE,
    FILE,
    SETTINGS,
    STDOUT,
    check_target,
    deliver,
    device_option,
    find_model,
    json_option,
    no_metadata_option,
    parse_digits,
)
from mnistgen.errors import InputError
from mnistgen.generator import Generator
from mnistgen.inference.session import check_device
from mnistgen.latents import INDEX_END, SEED_END
from mnistgen.manifest import Manifest, Model
from mnistgen.output import formats, images
from mnistgen.output.files import check_folder, write_whole
from mnistgen.output.formats import LAYOUT, MOST_DIGITS, MOST_SCALE
from mnistgen.provenance import Drawn, Record

if TYPE_CHECKING:
    from mnistgen.text import Box


def _parse_text(context: click.Context, option: click.Parameter, text: str | None) -> str | None:
    if text is not None:
        from mnistgen.text import check_text

        check_text(text)
    return text


@click.command(context_settings=SETTINGS, short_help="Write a picture of handwritten digits.")
@click.option("--model", "name", help="What draws: vae, gan, cgan or cgan-int8.  [default: cgan]")
@click.option("--model-path", type=EXISTING_FILE, help="An ONNX file of your own that draws, and that you trust.")
@click.option(
    "--digit", "digits", callback=parse_digits, help="What to draw: 5, or 3,1,4, or 0-9; of vae and gan with --verify."
)
@click.option(
    "--text", callback=_parse_text, help="A number or date to write, such as 2026-11-22; of vae and gan with --verify."
)
@click.option("--n", type=click.IntRange(1, MOST_DIGITS), help="How many, the digits in turn.  [default: one each]")
@click.option("--seed", type=click.IntRange(0, SEED_END - 1), help="Same seed, same digits.  [default: a new one]")
@click.option(
    "--start",
    type=click.IntRange(0, INDEX_END - MOST_DIGITS),
    default=0,
    show_default=True,
    help="First image of the seed to draw.",
)
@click.option("--out", type=FILE, help="File to write, or - for a pipe.  [default: named after what is drawn]")
@click.option(
    "--format", "kind", type=click.Choice(list(LAYOUT)), help="Kind of file.  [default: as --out ends, or png]"
)
@click.option("--scale", type=click.IntRange(1, MOST_SCALE), help="Enlargement; 1 gives 28×28.  [default: 8]")
@click.option("--columns", type=click.IntRange(1, MOST_DIGITS), help="Digits in a row.  [default: 10]")
@click.option("--invert", is_flag=True, help="Draw black on white.")
@click.option("--verify", is_flag=True, help="Read each digit back, and redraw what is not read as asked.")
@click.option("--boxes", type=FILE, help="JSON file to write with the place of each digit of --text.")
@no_metadata_option
@device_option
@json_option
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def command(
    name: str | None,
    model_path: Path | None,
    digits: list[int] | None,
    text: str | None,
    n: int | None,
    seed: int | None,
    start: int,
    out: Path | None,
    kind: str | None,
    scale: int | None,
    columns: int | None,
    invert: bool,
    verify: bool,
    boxes: Path | None,
    no_metadata: bool,
    device: str,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write a picture of handwritten digits, white on black, into the current folder.

    It is a PNG, or what --out ends in: a GIF or WebP shows one digit after the other, npy and npz are arrays for NumPy,
    an SVG is made of rectangles, a txt of characters.

    \b
    Examples:
      mnistgen-run --model cgan --digit 5            a five
      mnistgen-run --digit 0-9 --n 100 --seed 7      ten of each, always the same
      mnistgen-run --model vae --n 20 --out vae.png  twenty of whatever comes
      mnistgen-run --digit 3,1,4 --scale 1 --json    for scripts
      mnistgen-run --n 10 --out digits.gif           one after the other
      mnistgen-run --text 2026-11-22 --boxes x.json  a date, and where its digits are
      mnistgen-run --digit 5 --format txt --out -    a five of characters
      mnistgen-run --model gan --digit 5 --verify    redrawn until it is read as a five
    """
    check_device(device)
    kind = formats.kind_of(out, kind)
    _check_choices(kind, text, {"digit": digits, "n": n, "scale": scale, "columns": columns, "boxes": boxes})
    listed, model = _model(name, model_path)
    digits = _digits(listed, model, digits, text, range(start, start + (n or 1)), verify)
    n = n or len(digits or [0])
    _check_count(n, text)
    seed = secrets.randbits(32) if seed is None else seed
    path = out or Path(f"{_stem(model.name, digits, text, n, seed, start, verify)}.{kind}")
    check_target(path, binary=kind not in formats.TEXTS)
    _check_boxes(boxes)
    record = _record(model, seed, start, n, digits, text, kind, scale, columns, invert, verify)
    record.check_size()
    generator = Generator(listed, model.name, device)
    record = record._replace(provider=generator.provider)
    drawn = record.draw(generator)
    record = record._replace(digits=drawn.digits)
    deliver(formats.encode(drawn.frames, record, not no_metadata), path)
    if boxes and text:
        _write_boxes(boxes, text, drawn.boxes, record.scale)
    if as_json:
        _tell_json(path, record, drawn)
    elif not quiet:
        _tell(path, record, drawn)


def _check_choices(kind: str, text: str | None, given: dict[str, object]) -> None:
    """Refuse options that say nothing to the kind of file, or contradict each other."""
    for option in ("scale", "columns"):
        if given[option] is not None and option not in LAYOUT[kind]:
            raise InputError(f"--{option} means nothing to a {kind} file: leave it out, or take another --format.")
    for option in ("digit", "n", "columns"):
        if text is not None and given[option] is not None:
            raise InputError(f"--text says which digits are drawn, and in one row: leave out --{option}.")
    if text is None and given["boxes"] is not None:
        raise InputError("--boxes tells where the digits of --text are: add --text, or leave out --boxes.")


def _check_count(n: int, text: str | None) -> None:
    if n > MOST_DIGITS:
        raise InputError(f"{n} digits are too many for one picture: ask for {MOST_DIGITS} at most.")
    if text and len(text) > MOST_DIGITS:
        raise InputError(f"{len(text)} characters are too many for one picture: ask for {MOST_DIGITS} at most.")


def _check_boxes(boxes: Path | None) -> None:
    if boxes is None:
        return
    if boxes.suffix.lower() != ".json":
        raise InputError(f"{boxes} is no JSON file: give --boxes a name that ends in .json.")
    check_folder(boxes, "--boxes")


def _model(name: str | None, path: Path | None) -> tuple[Manifest, Model]:
    if name is not None and path is not None:
        raise InputError("--model and --model-path name two models: leave out one of them.")
    return find_model(name or "cgan", path)


def _digits(
    manifest: Manifest, model: Model, digits: list[int] | None, text: str | None, indices: range, verify: bool
) -> list[int] | None:
    """What the images of these indices show, in turn; None where the model does not let one choose."""
    if text is not None:
        from mnistgen.text import digits_of

        digits = digits_of(text)
    if digits and not model.classes and not verify:
        able = ", ".join(other.name for other in manifest.models.values() if other.classes) or "cgan"
        raise InputError(
            f"The {model.name} draws whatever comes: for a digit of your choice take --model {able}, or add --verify."
        )
    if digits is None and model.classes:
        return [index % model.classes for index in indices[: model.classes]]  # as Generator.generate has it
    return digits


def _record(
    model: Model,
    seed: int,
    start: int,
    n: int,
    digits: list[int] | None,
    text: str | None,
    kind: str,
    scale: int | None,
    columns: int | None,
    invert: bool,
    verify: bool,
) -> Record:
    """What the picture is to show, with what is usual in the place of what was not asked for."""
    return Record(
        mnistgen=__version__,
        model=model.name,
        sha256=model.sha256,
        provider="",  # known when the model is open
        seed=seed,
        start=start,
        n=n,
        digits=tuple(digits[i % len(digits)] for i in range(n)) if digits else None,
        text=text,
        format=kind,
        scale=scale or formats.SCALE if "scale" in LAYOUT[kind] else 1,
        columns=columns or images.COLUMNS,
        invert=invert,
        verified=verify,
    )


def _stem(model: str, digits: list[int] | None, text: str | None, n: int, seed: int, start: int, verify: bool) -> str:
    """Such as cgan-digit5-seed7, cgan-digits314-n30-seed7, cgan-text2026-11-22-seed7, gan-n20-seed7-verified."""
    parts = [model]
    if text is not None:
        first = text[:40] + ("etc" if len(text) > 40 else "")
        parts.append(f"text{re.sub('[^0-9.,+-]', '_', first)}")
    elif digits:
        first = "".join(map(str, digits[:10])) + ("etc" if len(digits) > 10 else "")
        parts.append(f"digit{'s' if len(digits) > 1 else ''}{first}")
    if n != len(digits or [0]):
        parts.append(f"n{n}")
    return "-".join([*parts, f"seed{seed}", *([f"start{start}"] if start else []), *(["verified"] if verify else [])])


def _write_boxes(path: Path, text: str, boxes: "tuple[Box, ...]", scale: int) -> None:
    from mnistgen.text import ground_truth

    write_whole(path, f"{json.dumps(ground_truth(text, boxes, scale))}\n".encode(), "--boxes")


def _tell_json(path: Path, record: Record, drawn: Drawn) -> None:
    facts = {key: getattr(record, key) for key in ("model", "n", "digits", "seed", "provider")}
    if drawn.attempts:
        facts["attempts"] = drawn.attempts
    click.echo(json.dumps({"path": str(path), **facts}), err=path == STDOUT)


def _tell(path: Path, record: Record, drawn: Drawn) -> None:
    if path != STDOUT and sys.stdout and sys.stdout.isatty():
        click.echo(images.preview(drawn.frames))
    verified = f"  {record.n} verified in {sum(drawn.attempts)} draws" if drawn.attempts else ""
    click.echo(f"{path}  seed {record.seed}{verified}  {record.provider}", err=path == STDOUT)
