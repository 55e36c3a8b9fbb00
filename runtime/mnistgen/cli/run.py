"""`mnistgen run`: write a picture of digits."""

import json
import os
import re
import secrets
import sys
from pathlib import Path
from typing import Any, NamedTuple

import click

from mnistgen import __version__
from mnistgen.cli.shared import (
    EXISTING_FILE,
    FILE,
    SETTINGS,
    STDOUT,
    artifacts_option,
    check_target,
    deliver,
    device_option,
    find_model,
    json_option,
    no_metadata_option,
    parse_digits,
    quiet_option,
    timeout_option,
    version_option,
)
from mnistgen.errors import InputError
from mnistgen.generator import Generator
from mnistgen.image import Image, Resampling
from mnistgen.inference.session import check_device
from mnistgen.latents import INDEX_END, SEED_END
from mnistgen.manifest import Model, ModelSource
from mnistgen.output import formats, images, limits
from mnistgen.output.files import File, check_folder
from mnistgen.output.limits import LAYOUT, MOST_DIGITS, MOST_SCALE
from mnistgen.provenance.checks import check
from mnistgen.provenance.drawing import draw_picture
from mnistgen.provenance.records import Record


class Options(NamedTuple):
    """The command's options as given; None where an option is missing."""

    name: str | None
    model_path: Path | None
    timeout: float | None
    digits: list[int] | None
    text: str | None
    n: int | None
    seed: int | None
    start: int
    out: Path | None
    format: str | None
    scale: int | None
    columns: int | None
    invert: bool
    color: str | None
    paper: str | None
    resample: Resampling | None
    verify: bool
    boxes: Path | None
    no_metadata: bool
    device: str
    as_json: bool
    quiet: bool


def _parse_text(context: click.Context, option: click.Parameter, text: str | None) -> str | None:
    if text is not None:
        from mnistgen.text import check_text  # lazy: only texts need it

        check_text(text)
    return text


def _check_color(context: click.Context, option: click.Parameter, color: str | None) -> str | None:
    if color is not None and not (option.name == "paper" and color == "none"):
        from mnistgen.output.style import rgb  # lazy: only colors need it

        rgb(f"--{option.name}", color)
    return color


@click.command(context_settings=SETTINGS, short_help="Write a picture of handwritten digits.")
@version_option
@click.option("--model", "name", help="Model to use: vae, gan, cgan or cgan-int8.  [default: cgan]")
@click.option("--model-path", type=EXISTING_FILE, help="A trusted ONNX file of your own to use instead.")
@timeout_option
@click.option(
    "--digit", "digits", callback=parse_digits, help="Digits to draw: 5, 3,1,4 or 0-9; vae and gan need --verify."
)
@click.option("--text", callback=_parse_text, help="A number or date to write: 2026-11-22; vae and gan need --verify.")
@click.option(
    "--n",
    type=click.IntRange(1, MOST_DIGITS),
    help="Number of digits; labels cycle through 0-9.  [default: one of each]",
)
@click.option(
    "--seed", type=click.IntRange(0, SEED_END - 1), help="Seed; the same seed draws the same digits.  [default: random]"
)
@click.option(
    "--start",
    type=click.IntRange(0, INDEX_END - MOST_DIGITS),
    default=0,
    show_default=True,
    help="Index of the first image of the seed.",
)
@click.option("--out", type=FILE, help="File to write, or - for stdout.  [default: named after the content]")
@click.option("--format", type=click.Choice(list(LAYOUT)), help="File format.  [default: the suffix of --out, or png]")
@click.option("--scale", type=click.IntRange(1, MOST_SCALE), help="Pixel size; 1 gives 28×28.  [default: 8]")
@click.option("--columns", type=click.IntRange(1, MOST_DIGITS), help="Digits per row.  [default: 10]")
@click.option("--invert", is_flag=True, help="Draw black on white.")
@click.option("--color", callback=_check_color, help="Color of the ink: red or #ff0000; not in arrays and txt.")
@click.option(
    "--paper",
    "--background",
    "paper",
    callback=_check_color,
    help="Color of the background; none makes a png, webp or svg transparent.",
)
@click.option(
    "--resample",
    type=click.Choice(["nearest", "smooth"]),
    help="Enlarge a png or jpg with squares, or smoothly.  [default: nearest]",
)
@click.option("--verify", is_flag=True, help="Read each digit back and redraw illegible ones.")
@click.option("--boxes", type=FILE, help="JSON file to write the bounding boxes of the digits of --text to.")
@no_metadata_option
@artifacts_option
@device_option
@json_option
@quiet_option
def command(**given: Any) -> None:
    """Write a PNG of handwritten digits, white on black, into the current folder.

    The suffix of --out selects another format: a GIF or WebP shows one digit after another, npy and npz are NumPy
    arrays, svg is a vector image, and txt uses block characters.

    \b
    Examples:
      mnistgen-run --model cgan --digit 5            a five
      mnistgen-run --digit 0-9 --n 100 --seed 7      ten of each digit, reproducible
      mnistgen-run --model vae --n 20 --out vae.png  twenty random digits
      mnistgen-run --digit 3,1,4 --scale 1 --json    for scripts
      mnistgen-run --n 10 --out digits.gif           an animation
      mnistgen-run --text 2026-11-22 --boxes x.json  a date and its bounding boxes
      mnistgen-run --digit 5 --format txt --out -    a five in block characters
      mnistgen-run --model gan --digit 5 --verify    redrawn until it is read as a five
      mnistgen-run --digit 5 --color navy --paper none --resample smooth  blue ink on nothing
    """
    options = Options(**given)
    check_device(options.device)
    file_format = formats.format_of(options.out, options.format)
    _check_combination(options, file_format)
    source, model = _find(options)
    record, name = _plan(options, model, file_format)
    path = options.out or Path(f"{name}.{file_format}")
    check_target(path, binary=file_format not in limits.TEXTS)
    _check_boxes(options.boxes, path)
    check(record)
    generator = Generator(source, model.name, options.device)
    image = draw_picture(record, generator)
    boxes = [_boxes(options.boxes, image)] if options.boxes else []
    content = image.encode(
        metadata=not options.no_metadata, color=options.color, paper=options.paper, resample=options.resample
    )
    deliver(content, path, *boxes)
    _report(options, path, image)


def _check_combination(options: Options, file_format: str) -> None:
    """Raise InputError for options that the format ignores, or that contradict each other."""
    for name in ("scale", "columns", "color", "paper", "resample"):
        if getattr(options, name) is not None and name not in LAYOUT[file_format]:
            raise InputError(
                f"--{name} has no effect on a {file_format}",
                code="option-conflict",
                remedy="Leave it out, or use another --format",
            )
    for name, value in (("digit", options.digits), ("n", options.n), ("columns", options.columns)):
        if options.text is not None and value is not None:
            raise InputError(
                f"--{name} cannot be combined with --text", code="option-conflict", remedy=f"Leave out --{name}"
            )
    if options.text is None and options.boxes is not None:
        raise InputError("--boxes needs --text", code="option-conflict", remedy="Add --text, or leave out --boxes")


def _find(options: Options) -> tuple[ModelSource, Model]:
    if options.name is not None and options.model_path is not None:
        raise InputError(
            "--model and --model-path both name a model", code="option-conflict", remedy="Leave out one of them"
        )
    return find_model(options.name or "cgan", options.model_path, options.timeout)


def _plan(options: Options, model: Model, file_format: str) -> tuple[Record, str]:
    """Return the record of the file, without the provider, and the file's default name without suffix."""
    digits = _digits(options, model)
    n = options.n or len(digits or [0])
    record = Record(
        mnistgen=__version__,
        model=model.name,
        sha256=model.sha256,
        provider="",  # known once the model is open
        seed=secrets.randbits(32) if options.seed is None else options.seed,
        start=options.start,
        n=n,
        digits=tuple(digits[i % len(digits)] for i in range(n)) if digits else None,
        text=options.text,
        format=file_format,
        scale=options.scale or limits.SCALE if "scale" in LAYOUT[file_format] else 1,
        columns=options.columns or images.COLUMNS,
        invert=options.invert,
        verified=options.verify,
    )
    return record, _file_name(record, digits)


def _digits(options: Options, model: Model) -> list[int] | None:
    """Return the digits to cycle through; None if the model is unconditional and none were requested."""
    digits = options.digits
    if options.text is not None:
        from mnistgen.text import digits_of

        digits = digits_of(options.text)
    if digits and not model.classes and not options.verify:
        raise InputError(
            f"The {model.name} is unconditional",
            code="model-unconditional",
            remedy="Use --model cgan to choose a digit, or add --verify",
        )
    if digits is None and model.classes:
        indices = range(options.start, options.start + min(options.n or 1, model.classes))
        return [index % model.classes for index in indices]  # the default of Generator.generate
    return digits


def _check_boxes(boxes: Path | None, out: Path) -> None:
    if boxes is None:
        return
    if boxes.suffix.lower() != ".json":
        raise InputError(f"--boxes is {boxes}; expected a name that ends in .json", code="unknown-format")
    check_folder(boxes, "--boxes")
    if os.path.realpath(boxes) == os.path.realpath(out):
        raise InputError(
            f"--boxes and --out both name {boxes}", code="option-conflict", remedy="Name two different files"
        )


def _file_name(record: Record, digits: list[int] | None) -> str:
    """Return a name such as cgan-digit5-seed7, cgan-digits314-n30-seed7 or gan-n20-seed7-verified."""
    parts = [record.model]
    if record.text is not None:
        shown = record.text[:40] + ("etc" if len(record.text) > 40 else "")
        parts.append(f"text{re.sub('[^0-9.,+-]', '_', shown)}")
    elif digits:
        shown = "".join(map(str, digits[:10])) + ("etc" if len(digits) > 10 else "")
        parts.append(f"digit{'s' if len(digits) > 1 else ''}{shown}")
    if record.n != len(digits or [0]):
        parts.append(f"n{record.n}")
    parts.append(f"seed{record.seed}")
    if record.start:
        parts.append(f"start{record.start}")
    if record.verified:
        parts.append("verified")
    return "-".join(parts)


def _boxes(path: Path, image: Image) -> File:
    from mnistgen.text import ground_truth

    truth = ground_truth(str(image.record.text), image.boxes, image.record.scale)
    return File(path, f"{json.dumps(truth)}\n".encode(), "--boxes")


def _report(options: Options, path: Path, image: Image) -> None:
    """Print the results: to stdout, or to stderr if stdout carries the file."""
    to_stderr, record, attempts = path == STDOUT, image.record, image.attempts
    if options.as_json:
        facts = {key: getattr(record, key) for key in ("model", "n", "digits", "seed", "provider")}
        if attempts:
            facts["attempts"] = attempts
        click.echo(json.dumps({"path": str(path), **facts}), err=to_stderr)
    elif not options.quiet:
        if not to_stderr and sys.stdout and sys.stdout.isatty():
            click.echo(images.preview(image.frames))
        verified = f"  {record.n} verified in {sum(attempts)} attempts" if attempts else ""
        click.echo(f"{path}  seed {record.seed}{verified}  {record.provider}", err=to_stderr)
