"""`mnistgen dataset`: write a labeled dataset."""

import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, TextIO, cast

import click

from mnistgen.cli.shared import (
    SETTINGS,
    artifacts_option,
    device_option,
    json_option,
    manifest,
    own_folder,
    parse_digits,
)
from mnistgen.dataset import Workers, write, write_shards
from mnistgen.dataset.kinds import KINDS
from mnistgen.dataset.plan import MOST
from mnistgen.dataset.shards.formats import FORMATS
from mnistgen.dataset.shards.places import is_address
from mnistgen.dataset.shards.workers import ENGINES
from mnistgen.generator import Generator
from mnistgen.inference.session import check_device
from mnistgen.latents import SEED_END


class _Folder(click.Path):
    """A folder, or an address such as s3://bucket/digits, which stays a string."""

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        if isinstance(value, str) and is_address(value):
            return value
        return super().convert(value, parameter, context)


_FOLDER = _Folder(path_type=Path, file_okay=False)


class Options(NamedTuple):
    """The command's arguments and options as given; None where an option is missing."""

    out: Path | str
    n: int
    test: int | float | None
    digits: list[int] | None
    shares: list[float] | None
    seed: int
    kind: str
    name: str
    overwrite: bool
    shards: int | None
    engine: str | None
    workers: int | None
    address: str | None
    device: str
    as_json: bool


def _parse_test(context: click.Context, option: click.Parameter, text: str | None) -> int | float | None:
    """Parse a count, or a share with a decimal point."""
    if text is None:
        return None
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
@click.option(
    "--kind", default="idx", show_default=True, help=f"Format: {', '.join(KINDS)}; for shards {', '.join(FORMATS)}."
)
@click.option("--model", "name", default="cgan", show_default=True, help="Model to use: cgan or cgan-int8.")
@click.option("--overwrite", is_flag=True, help="Replace the dataset in OUT once the new one is complete.")
@click.option("--shards", type=int, help="Write one set in this number of shards, with several processes.")
@click.option("--engine", help=f"What runs the processes of --shards: {' or '.join(ENGINES)}.  [default: local]")
@click.option("--workers", type=int, help="Number of processes of --shards.  [default: the number of cores]")
@click.option("--address", help="Address of a Ray cluster.  [default: RAY_ADDRESS, or started on this computer]")
@artifacts_option
@device_option
@json_option
@click.pass_context
def command(context: click.Context, /, **given: Any) -> None:
    """Write labeled digits into the folder OUT, as a training set and a test set.

    idx are MNIST's own files, which torchvision.datasets.MNIST(OUT) reads; npz is Keras' mnist.npz; png are files such
    as train/5/000123.png; parquet is a table of images and labels. OUT/dataset.json records how to write the same
    dataset again. Repeat an interrupted command to resume it.

    With --shards, several processes write one set of images, on this computer or on a Ray cluster. OUT may then be an
    address such as s3://bucket/digits. The result does not depend on the number of processes.

    \b
    Examples:
      mnistgen dataset digits                          50,000 training and 10,000 test images
      mnistgen dataset more --n 70000 --test 10000     as many as MNIST
      mnistgen dataset ones --n 500 --digits 1,7 --kind png
      mnistgen dataset few5 --shares 1,1,1,1,1,0.1,1,1,1,1 --kind npz --model cgan-int8
      mnistgen dataset large --n 100000 --shards 10 --kind webdataset --workers 2
    """
    options = Options(**given)
    check_device(options.device)
    try:
        (_write if options.shards is None else _write_shards)(options)
    except KeyboardInterrupt:
        click.echo(f"{context.find_root().info_name}: Interrupted. Repeat the command to resume.", err=True)
        context.exit(130)


def _write(options: Options) -> None:
    """Write a training set and a test set."""
    if isinstance(options.out, str):
        raise click.UsageError(f"{options.out} is an address; expected a folder. Use --shards for an address.")
    for name in ("engine", "workers", "address"):
        if getattr(options, name) is not None:
            raise click.UsageError(f"--{name} has no effect without --shards. Leave it out.")
    generator = Generator(manifest(), options.name, options.device)
    with _Bars() as bars:
        facts = write(
            generator,
            options.out,
            options.n,
            test=1 / 6 if options.test is None else options.test,
            shares=_shares(options),
            seed=options.seed,
            kind=options.kind,
            overwrite=options.overwrite,
            progress=bars,
        )
    train, test = (facts["splits"][split]["n"] for split in ("train", "test"))
    _report(options, facts, f"{train} training, {test} test images")


def _write_shards(options: Options) -> None:
    """Write one set in shards."""
    if options.test is not None:
        raise click.UsageError("--test has no effect with --shards. Write a test set with another --seed.")
    workers = Workers(
        engine=options.engine or ENGINES[0],
        count=options.workers,
        address=options.address,
        device=options.device,
        artifacts=own_folder(),
        on_loss=_report_loss,
    )
    with _Bars() as bars:
        facts = write_shards(
            options.out,
            options.n,
            cast(int, options.shards),
            shares=_shares(options),
            seed=options.seed,
            kind=options.kind,
            model=options.name,
            workers=workers,
            overwrite=options.overwrite,
            progress=bars,
        )
    images = f"{facts['n']} images in {facts['shards']} shards  sha256 {facts['sha256'][:16]}"
    _report(options, facts, images)


def _report_loss(k: int) -> None:
    context = click.get_current_context()
    name = context.find_root().info_name
    click.echo(f"{name}: The worker of shard {k} died. Another one makes the shard again.", err=True)


def _report(options: Options, facts: dict[str, Any], images: str) -> None:
    if options.as_json:
        click.echo(json.dumps({"path": str(options.out), **facts}))
    else:
        click.echo(f"{options.out}  {images}  seed {options.seed}  {facts['provider']}")


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
