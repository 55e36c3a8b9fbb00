"""What the commands share: options, the models, and how they end (contract C6)."""

import contextlib
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from mnistgen.errors import DeviceWarning, InputError, MnistgenError, OutputError
from mnistgen.manifest import Manifest, Model, artifacts_folder
from mnistgen.output.files import check_folder, write_whole

SETTINGS = {"help_option_names": ["-h", "--help"]}
no_metadata_option = click.option("--no-metadata", is_flag=True, help="Leave out how the picture was drawn.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")
device_option = click.option(
    "--device", default="auto", show_default=True, help="What to run on: auto, cpu, or gpu (cuda is the same)."
)

FILE = click.Path(path_type=Path, dir_okay=False)
"""A file to write; STDOUT, too, where the command says so."""
EXISTING_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)
STDOUT = Path("-")


def folder() -> Path:
    """Where the models are."""
    return artifacts_folder()


def manifest() -> Manifest:
    """The models that are there; raises ArtifactError where the manifest is missing or damaged."""
    return Manifest(folder())


def find_model(name: str, path: Path | None) -> tuple[Manifest, Model]:
    """The model in the ONNX file `path`, or without one that called `name`, and the manifest that lists it.

    Raises ArtifactError, and UnknownModelError where there is none of that name.
    """
    if path is None:
        listed = manifest()
        return listed, listed.model(name)
    from mnistgen.model_file import ModelFile

    file = ModelFile(path)
    return file, file.only


def check_target(path: Path, binary: bool) -> None:
    """Refuse before the work what would be refused after it: a folder that is not there, a terminal for `binary`."""
    if path != STDOUT:
        check_folder(path)
    elif not sys.stdout:
        raise OutputError("The standard output is closed: name a file with --out.")
    elif binary and sys.stdout.isatty():
        raise InputError(
            "A terminal cannot show this kind of file: send it into a pipe or a file, or take --format txt."
        )


def deliver(content: bytes, path: Path) -> None:
    """Write the content to the file, or to the standard output."""
    if path == STDOUT:
        sys.stdout.buffer.write(content)
        sys.stdout.flush()  # so that what fails is told in the place of the facts
    else:
        write_whole(path, content)


Parser = Callable[[click.Context, click.Parameter, str | None], list[int] | None]
"""Of an option's text, as click wants it."""


def numbers(what: str, end: int, most: int | None = None) -> Parser:
    """Reads numbers below `end`, as many stops as `most`, as one types them: 5, or a list 3,1,4, or a range 0-9."""

    def parse(context: click.Context, option: click.Parameter, text: str | None) -> list[int] | None:
        if text is None:
            return None
        listed: list[int] = []
        for part in text.split(","):
            match = re.fullmatch(r"\s*([0-9]{1,20})\s*(?:-\s*([0-9]{1,20})\s*)?", part)
            first, last = (int(match[1]), int(match[2] or match[1])) if match else (end, end)
            if not first <= last < end:
                raise click.BadParameter(
                    f"{part!r} is not {what} from 0 to {end - 1}, a list such as 3,1,4, or a range such as 0-9."
                )
            if most is not None and len(listed) + last - first >= most:
                raise click.BadParameter(f"{part!r} is too far to go: name {most} stops at most.")
            listed += range(first, last + 1)
        return listed

    return parse


parse_digits = numbers("a digit", 10)


def call(command: click.Command, name: str, arguments: list[str] | None = None) -> int:
    """Run `command` as `name`; the exit code. What fails is told in one line on stderr (contract C6)."""
    try:
        with _told_fallback(name):
            code = command.main(arguments, name, standalone_mode=False)
        if sys.stdout:  # None where the caller has closed it
            sys.stdout.flush()
        return int(code or 0)
    except click.UsageError as error:
        asked = error.ctx.command_path if error.ctx else name
        return _fail(name, f"{error.format_message()} See {asked} --help.", 2)
    except InputError as error:
        return _fail(name, str(error), 2)
    except (MnistgenError, click.ClickException) as error:
        return _fail(name, str(error), 1)
    except (KeyboardInterrupt, click.Abort):
        return _fail(name, "Interrupted.", 130)
    except OSError as error:  # a closed pipe, or a full disk behind the standard output
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that Python's exit can flush
        return _fail(name, f"{error.filename or 'The output'} cannot be written ({error.strerror}).", 1)


@contextlib.contextmanager
def _told_fallback(name: str) -> Iterator[None]:
    """Tell each DeviceWarning once, in one line on stderr; not where the command was called with --quiet."""
    told: set[str] = set()
    ordinary = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        context = click.get_current_context(silent=True)
        if not issubclass(category, DeviceWarning):
            ordinary(message, category, *place, **more)
        elif str(message) not in told and not (context and context.params.get("quiet")):
            told.add(str(message))
            click.echo(f"{name}: {message}", err=True)

    with warnings.catch_warnings():
        warnings.simplefilter("always", DeviceWarning)
        warnings.showwarning = show
        yield


def _fail(name: str, sentence: str, code: int) -> int:
    click.echo(f"{name}: {' '.join(sentence.split())}", err=True)
    return code
