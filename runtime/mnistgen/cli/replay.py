"""`mnistgen replay`: draw a file again and compare."""

import json
from pathlib import Path

import click

from mnistgen import provenance
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
    timeout_option,
)
from mnistgen.errors import InputError, UnknownModelError
from mnistgen.generator import Generator
from mnistgen.inference.session import check_device
from mnistgen.manifest import Model, ModelSource
from mnistgen.output import formats
from mnistgen.provenance import AnyRecord
from mnistgen.provenance.replay import Replay, replay


@click.command(context_settings=SETTINGS, short_help="Draw a file again and compare.")
@click.argument("file", type=EXISTING_FILE)
@click.option("--out", type=FILE, help="File to write, or - for stdout.  [default: FILE-replay, next to FILE]")
@click.option("--model-path", type=EXISTING_FILE, help="The ONNX file that drew it, if it was one of your own.")
@timeout_option
@artifacts_option
@device_option
@json_option
def command(
    file: Path, out: Path | None, model_path: Path | None, timeout: float | None, device: str, as_json: bool
) -> None:
    """Draw a file of mnistgen again and compare; fail if the model, the version or a pixel differs.

    \b
    Examples:
      mnistgen replay cgan-digit5-seed7.png
      mnistgen replay digits.gif --out again.gif --device cpu --json
    """
    check_device(device)
    record = provenance.read(file)
    path = out or file.with_name(f"{file.stem}-replay.{record.format}")
    formats.format_of(path, record.format)
    if path != STDOUT and path.exists() and path.samefile(file):
        raise InputError(f"--out is {path}; expected another file than the original", code="output-is-input")
    check_target(path, binary=True)
    source, model = _find(record, model_path, timeout)
    again = replay(file, record, Generator(source, model.name, device))
    deliver(again.content, path)
    _report(path, again, as_json)
    if again.differences:
        raise click.ClickException(f"{file} and its replay differ: {'; '.join(again.differences)}.")


def _find(record: AnyRecord, path: Path | None, timeout: float | None) -> tuple[ModelSource, Model]:
    try:
        return find_model(record.model, path, timeout)
    except UnknownModelError as error:
        raise UnknownModelError(
            f"The model {record.model} does not ship with mnistgen",
            code=error.code,
            remedy="Name its ONNX file with --model-path",
        ) from error


def _report(path: Path, again: Replay, as_json: bool) -> None:
    """Print the results: to stdout, or to stderr if stdout carries the file."""
    to_stderr = path == STDOUT
    if as_json:
        facts = {"path": str(path), "same": not again.differences, "levels": again.levels}
        click.echo(json.dumps({**facts, "differences": again.differences}), err=to_stderr)
    else:
        pixels = "the same pixels" if again.levels == 0 else "different pixels"
        click.echo(f"{path}  {pixels}  {again.record.provider}", err=to_stderr)
