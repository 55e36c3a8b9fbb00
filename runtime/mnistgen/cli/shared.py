"""What the commands share: options, model lookup, output, and how errors are reported (contract C6)."""

import contextlib
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from mnistgen import __version__
from mnistgen.cli.failures import fail, fail_as_json, report
from mnistgen.errors import DeviceWarning, InputError, MnistgenError, OutputError, sentences
from mnistgen.inference.session import MOST_RUN_SECONDS, RUN_SECONDS
from mnistgen.manifest import Manifest, Model, ModelSource, artifacts_folder
from mnistgen.output.files import File, check_folder, written_together

SETTINGS = {"help_option_names": ["-h", "--help"]}

STDOUT = Path("-")
"""The name that stands for stdout, if the command accepts it."""


class _OutputFile(click.Path):
    """The path of a file to write; STDOUT if it is another name of stdout, such as /dev/stdout."""

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        path = Path(os.fsdecode(super().convert(value, parameter, context)))
        try:
            is_stdout = os.path.samestat(path.stat(), os.fstat(sys.stdout.fileno()))
        except (OSError, ValueError, AttributeError):  # no such file, or no stdout
            return path
        return STDOUT if is_stdout and path != Path(os.devnull) else path


FILE = _OutputFile(path_type=Path, dir_okay=False, readable=False)
"""A file to write."""
EXISTING_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)

device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    help="Device to run on: auto, cpu, gpu (cuda is a synonym), or a plugin: webgpu, openvino.",
)
timeout_option = click.option(
    "--timeout",
    type=click.FloatRange(0, MOST_RUN_SECONDS, min_open=True),
    help=f"Seconds that a run of the file of --model-path may take.  [default: {RUN_SECONDS:g}]",
)


def _set_artifacts(context: click.Context, option: click.Parameter, folder: Path | None) -> None:
    if folder is not None:
        context.meta[_ARTIFACTS] = folder


_ARTIFACTS = "mnistgen.artifacts"
"""Key of the folder of models in click's context."""
artifacts_option = click.option(
    "--artifacts",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    expose_value=False,
    callback=_set_artifacts,
    help="Folder with a manifest and models of your own.  [default: the models of mnistgen]",
)
version_option = click.version_option(__version__, prog_name="mnistgen")
json_option = click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
no_metadata_option = click.option("--no-metadata", is_flag=True, help="Do not store how the file was drawn.")
quiet_option = click.option("--quiet", is_flag=True, help="Print nothing but errors.")


def folder() -> Path:
    """Return the folder of the models: that of the option --artifacts, or that of the package."""
    return own_folder() or artifacts_folder()


def own_folder() -> Path | None:
    """Return the folder of the option --artifacts, if it was given."""
    context = click.get_current_context(silent=True)
    return context.meta.get(_ARTIFACTS) if context else None


def manifest() -> Manifest:
    """Return the manifest; raise ArtifactError if it is missing or damaged."""
    return Manifest(folder())


def find_model(name: str, path: Path | None, timeout: float | None) -> tuple[ModelSource, Model]:
    """Return the model in the ONNX file `path`, or without a path the one called `name`, and its source.

    Args:
        name: Name of a model in the manifest.
        path: An ONNX file.
        timeout: Seconds that a run of the file may take; None for the default.

    Raises:
        InputError: There is a timeout, but no path; or a path and a folder of models.
        ArtifactError: The file or the manifest is missing, damaged or invalid.
        UnknownModelError: The manifest lists no such model.
    """
    if path is None:
        if timeout is not None:
            raise InputError(
                "--timeout has no effect without --model-path", code="option-conflict", remedy="Leave out --timeout"
            )
        listed = manifest()
        return listed, listed.model(name)
    if own_folder():
        raise InputError(
            "--artifacts has no effect with --model-path", code="option-conflict", remedy="Leave out one of them"
        )
    from mnistgen.model_file import ModelFile  # lazy: shipped models do not need it

    file = ModelFile(path) if timeout is None else ModelFile(path, timeout)
    return file, file.only


def check_target(path: Path, binary: bool) -> None:
    """Check before the work that the result can be delivered: the folder exists, or stdout can take it.

    Raises:
        OutputError: The folder does not exist, or stdout is closed.
        InputError: The file is `binary` and stdout is a terminal.
    """
    if path != STDOUT:
        check_folder(path)
    elif not sys.stdout:
        raise OutputError("stdout is closed", code="output-not-writable", remedy="Name a file with --out")
    elif binary and sys.stdout.isatty():
        raise InputError(
            "stdout is a terminal, which cannot show this format",
            code="binary-to-terminal",
            remedy="Send it to a pipe or a file, or use --format txt",
        )


def deliver(content: bytes, path: Path, *others: File) -> None:
    """Write the content to the file, or to stdout, and other files with it: all or none."""
    files = others if path == STDOUT else (*others, File(path, content))
    with written_together(*files):
        if path == STDOUT:
            sys.stdout.buffer.write(content)
            sys.stdout.flush()  # so that a failure is reported instead of the results


Parser = Callable[[click.Context, click.Parameter, str | None], list[int] | None]
"""A click callback for an option's text."""


def integers(what: str, end: int, most: int | None = None) -> Parser:
    """Return a parser of integers below `end`: one (5), a list (3,1,4) or a range (0-9).

    Args:
        what: Name of a value in errors, such as "a digit".
        end: First integer that is too large.
        most: Maximum number of values.
    """

    def parse(context: click.Context, option: click.Parameter, text: str | None) -> list[int] | None:
        if text is None:
            return None
        values: list[int] = []
        for part in text.split(","):
            match = re.fullmatch(r"\s*([0-9]{1,20})\s*(?:-\s*([0-9]{1,20})\s*)?", part)
            first, last = (int(match[1]), int(match[2] or match[1])) if match else (end, end)
            if not first <= last < end:
                raise click.BadParameter(
                    f"{part!r} is not {what}; expected an integer from 0 to {end - 1}, a list such as 3,1,4, "
                    "or a range such as 0-9."
                )
            if most is not None and len(values) + last - first >= most:
                raise click.BadParameter(f"{text!r} has too many values; expected at most {most}.")
            values += range(first, last + 1)
        return values

    return parse


parse_digits = integers("a digit", 10)


def call(command: click.Command, name: str, arguments: list[str] | None = None) -> int:
    """Run `command` as `name` and return the exit code (contract C6).

    A failure is reported in one line on stderr: a sentence, or JSON if the arguments ask for it.
    """
    as_json = "--json" in (sys.argv[1:] if arguments is None else arguments)
    try:
        with _fallback_reported(name):
            code = command.main(arguments, name, standalone_mode=False)
        if sys.stdout:  # None if the caller has closed it
            sys.stdout.flush()
        return int(code or 0)
    except click.UsageError as error:
        command_path = error.ctx.command_path if error.ctx else name
        return _fail(name, error.format_message(), 2, "usage", f"See {command_path} --help.", as_json)
    except MnistgenError as error:
        exit_code = 2 if isinstance(error, InputError) else 1
        return _fail(name, error.problem, exit_code, error.code, error.remedy, as_json)
    except click.ClickException as error:
        return _fail(name, error.format_message(), 1, "failed", "", as_json)
    except click.Abort:
        return report(name, KeyboardInterrupt(), as_json)
    except (KeyboardInterrupt, Exception) as error:
        return report(name, error, as_json)


def _fail(name: str, problem: str, exit_code: int, code: str, remedy: str, as_json: bool) -> int:
    if as_json:
        return fail_as_json(problem, exit_code, code, remedy)
    return fail(name, sentences(problem, remedy), exit_code)


@contextlib.contextmanager
def _fallback_reported(name: str) -> Iterator[None]:
    """Report each DeviceWarning once, in one line on stderr, unless the command was called with --quiet."""
    reported: set[str] = set()
    default = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        context = click.get_current_context(silent=True)
        if not issubclass(category, DeviceWarning):
            default(message, category, *place, **more)
        elif str(message) not in reported and not (context and context.params.get("quiet")):
            reported.add(str(message))
            fail(name, str(message), 0)

    with warnings.catch_warnings():
        warnings.simplefilter("always", DeviceWarning)
        warnings.showwarning = show
        yield
