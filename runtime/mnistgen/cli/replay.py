"""`mnistgen replay`: a picture drawn again."""

import json
from pathlib import Path

import click

from mnistgen import provenance
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
)
from mnistgen.errors import InputError, UnknownModelError
from mnistgen.generator import Generator
from mnistgen.inference.session import check_device
from mnistgen.manifest import Manifest, Model
from mnistgen.output import formats
from mnistgen.provenance import AnyRecord
from mnistgen.provenance.replay import replay


@click.command(context_settings=SETTINGS, short_help="Draw a picture again and compare the two.")
@click.argument("file", type=EXISTING_FILE)
@click.option("--out", type=FILE, help="File to write, or - for a pipe.  [default: FILE-replay, beside FILE]")
@click.option("--model-path", type=EXISTING_FILE, help="The ONNX file that drew it, where that was one of your own.")
@device_option
@json_option
def command(file: Path, out: Path | None, model_path: Path | None, device: str, as_json: bool) -> None:
    """Draw a picture of mnistgen again and compare the two; fail where the model, the version or pixels differ.

    \b
    Examples:
      mnistgen replay cgan-digit5-seed7.png
      mnistgen replay digits.gif --out again.gif --device cpu --json
    """
    check_device(device)
    record = provenance.read(file)
    path = out or file.with_name(f"{file.stem}-replay.{record.format}")
    formats.kind_of(path, record.format)
    if path != STDOUT and path.exists() and path.samefile(file):
        raise InputError(f"{path} is the original: name another file with --out.")
    check_target(path, binary=True)
    listed, model = _model(record, model_path)
    again = replay(file, record, Generator(listed, model.name, device))
    deliver(again.content, path)
    to_stderr = path == STDOUT
    if as_json:
        facts = {"path": str(path), "same": not again.differences, "levels": again.levels}
        click.echo(json.dumps({**facts, "differences": again.differences}), err=to_stderr)
    else:
        pixels = "the same pixels" if again.levels == 0 else "other pixels"
        click.echo(f"{path}  {pixels}  {again.record.provider}", err=to_stderr)
    if again.differences:
        raise click.ClickException(f"{file} and its replay differ: {'; '.join(again.differences)}.")


def _model(record: AnyRecord, path: Path | None) -> tuple[Manifest, Model]:
    try:
        return find_model(record.model, path)
    except UnknownModelError as error:
        raise InputError(
            f"The model {record.model} does not come with mnistgen: name its ONNX file with --model-path."
        ) from error
