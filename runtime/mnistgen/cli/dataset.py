"""`mnistgen dataset`: write a labeled dataset."""

import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, TextIO, cast

import click

from mnistgen.cli.shared import SETTINGS, artifacts_option, device_option, json_option, manifest, parse_digits
from mnistgen.dataset import write
from mnistgen.dataset.kinds import KINDS
from mnistgen.dataset.plan import MOST
from mnistgen.generator import Generator
from mnistgen.inference.session import check_device
from mnistgen.latents import SEED_END

_FOLDER = click.Path(path_type=Path, file_okay=False)


class Options(NamedTuple):
    """The command's arguments and options as given; None where an option is missing."""

    out: Path
    n: int
    test: int | float
    digits: list[int] | None
    shares: list[float] | None
    seed: int
    kind: str
    name: str
    overwrite: bool
    device: str
    as_json: bool


def _parse_test(context: click.Context, option: click.Parameter, text: str | None) -> int | float:
    """Parse a count, or a share with a decimal point."""
    if text is None:
        return 1 / 6
    try:
        return int(text) if text.strip().isdecimal() else float(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is neither a count such as 10000 nor a share such as 0.1.") from error


def _parse_shares(context: click.Context, option: click.Parameter, text: str | None) -> list[float] | None:
    try:
        return None if text is None else [float(share) for share in text.split(",")]
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not a list of ten numbers such as 2,1,1,1,1,1,1,1,1,0.") from error


@click.command(context_settings=SETTINGS, short_help="Write a labeled dataset that can replace MNIST.")
@click.argument("out", type=_FOLDER)
@click.option(
    "--n", type=click.IntRange(1, MOST), default=60_000, show_default=True, help="Number of images in both sets."
)
@click.option(
    "--test", callback=_parse_test, help="Size of the test set: a count (500) or a share (0.1).  [default: a sixth]"
)
@click.option("--digits", callback=parse_digits, help="Digits to include, equally often: 0,1 or 5-9.  [default: 0-9]")
@click.option("--shares", callback=_parse_shares, help="Relative frequency of each digit: ten numbers.")
@click.option(
    "--seed",
    type=click.IntRange(0, SEED_END - 1),
    default=0,
    show_default=True,
    help="Seed; the same seed gives the same bytes.",
)
@click.option("--kind", default="idx", show_default=True, help=f"Format: {', '.join(KINDS)}.")
@click.option("--model", "name", default="cgan", show_default=True, help="Model to use: cgan or cgan-int8.")
@click.option("--overwrite", is_flag=True, help="Replace the dataset in OUT once the new one is complete.")
@artifacts_option
@device_option
@json_option
@click.pass_context
def command(context: click.Context, /, **given: Any) -> None:
    """Write labeled digits into the folder OUT, as a training set and a test set.

    idx are MNIST's own files, which torchvision.datasets.MNIST(OUT) reads; npz is Keras' mnist.npz; png are files such
    as train/5/000123.png; parquet is a table of images and labels. OUT/dataset.json records how to write the same
    dataset again. Repeat an interrupted command to resume it.

    \b
    Examples:
      mnistgen dataset digits                          50,000 training and 10,000 test images
      mnistgen dataset more --n 70000 --test 10000     as many as MNIST
      mnistgen dataset ones --n 500 --digits 1,7 --kind png
      mnistgen dataset few5 --shares 1,1,1,1,1,0.1,1,1,1,1 --kind npz --model cgan-int8
    """
    options = Options(**given)
    check_device(options.device)
    generator = Generator(manifest(), options.name, options.device)
    try:
        with _Bars() as bars:
            facts = write(
                generator,
                options.out,
                options.n,
                test=options.test,
                shares=_shares(options),
                seed=options.seed,
                kind=options.kind,
                overwrite=options.overwrite,
                progress=bars,
            )
    except KeyboardInterrupt:
        click.echo(f"{context.find_root().info_name}: Interrupted. Repeat the command to resume.", err=True)
        context.exit(130)
    if options.as_json:
        click.echo(json.dumps({"path": str(options.out), **facts}))
    else:
        train, test = (facts["splits"][split]["n"] for split in ("train", "test"))
        click.echo(f"{options.out}  {train} training, {test} test images  seed {options.seed}  {generator.provider}")


def _shares(options: Options) -> list[float] | None:
    if not options.digits:
        return options.shares
    if options.shares:
        raise click.UsageError("--digits and --shares cannot be combined. Leave out one of them.")
    return [options.digits.count(digit) for digit in range(10)]


class _Stderr:
    """A wrapper of stderr that removes click's cursor escapes if NO_COLOR is set."""

    def write(self, text: str) -> None:
        sys.stderr.write(click.unstyle(text) if os.environ.get("NO_COLOR") else text)

    def flush(self) -> None:
        sys.stderr.flush()

    def isatty(self) -> bool:
        return sys.stderr is not None and sys.stderr.isatty()


class _Bars(ExitStack):
    """Progress bars on stderr, one after another, if it is a terminal."""

    _step = ""

    def __call__(self, step: str, done: int, n: int) -> None:
        if step != self._step:
            self.close()
            stderr = _Stderr()
            label = f"{step} {'the remaining ' if done else ''}{n - done:,}"
            self._bar = self.enter_context(
                click.progressbar(length=n - done, label=label, file=cast(TextIO, stderr), hidden=not stderr.isatty())
            )
            self._step, self._done = step, done
        self._bar.update(done - self._done)
        self._done = done
