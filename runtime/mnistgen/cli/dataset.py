"""`mnistgen dataset`: a folder of labelled digits."""

import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO, cast

import click

from mnistgen.cli.shared import SETTINGS, device_option, json_option, manifest, parse_digits
from mnistgen.dataset import write
from mnistgen.dataset.kinds import KINDS
from mnistgen.dataset.plan import MOST
from mnistgen.generator import Generator
from mnistgen.inference.session import check_device
from mnistgen.latents import SEED_END

_FOLDER = click.Path(path_type=Path, file_okay=False)


def _parse_test(context: click.Context, option: click.Parameter, text: str | None) -> int | float:
    """A count, or a share with a decimal point."""
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


@click.command(context_settings=SETTINGS, short_help="Write labelled digits, to use in MNIST's place.")
@click.argument("out", type=_FOLDER)
@click.option("--n", type=click.IntRange(1, MOST), default=60_000, show_default=True, help="How many, in both sets.")
@click.option("--test", callback=_parse_test, help="How many of them to test with: 500, or 0.1.  [default: a sixth]")
@click.option("--digits", callback=parse_digits, help="Which, as often each: 0,1 or 5-9.  [default: 0-9]")
@click.option("--shares", callback=_parse_shares, help="How often each of 0 to 9: ten numbers, of any sum.")
@click.option(
    "--seed", type=click.IntRange(0, SEED_END - 1), default=0, show_default=True, help="Same seed, same bytes."
)
@click.option("--kind", default="idx", show_default=True, help=f"What to write: {', '.join(KINDS)}.")
@click.option("--model", "name", default="cgan", show_default=True, help="What draws: cgan or cgan-int8.")
@click.option("--overwrite", is_flag=True, help="Replace the dataset that is in OUT, once the new one is whole.")
@device_option
@json_option
@click.pass_context
def command(
    context: click.Context,
    out: Path,
    n: int,
    test: int | float,
    digits: list[int] | None,
    shares: list[float] | None,
    seed: int,
    kind: str,
    name: str,
    overwrite: bool,
    device: str,
    as_json: bool,
) -> None:
    """Write labelled digits into the folder OUT, to train and to test with in MNIST's place.

    The kinds are idx, MNIST's own files, which torchvision.datasets.MNIST(OUT) reads; npz, the arrays of Keras'
    mnist.npz; png, files such as train/5/000123.png; and parquet, a table of pictures and labels. OUT/dataset.json says
    how to make the same again. The same command goes on with a dataset that was interrupted.

    \b
    Examples:
      mnistgen dataset digits                          50,000 to train and 10,000 to test with
      mnistgen dataset more --n 70000 --test 10000     as many as MNIST has
      mnistgen dataset ones --n 500 --digits 1,7 --kind png
      mnistgen dataset few5 --shares 1,1,1,1,1,0.1,1,1,1,1 --kind npz --model cgan-int8
    """
    check_device(device)
    if digits:
        if shares:
            raise click.UsageError("--digits and --shares say the same in two ways: give one of them.")
        shares = [digits.count(digit) for digit in range(10)]
    generator = Generator(manifest(), name, device)
    try:
        with _Bars() as bars:
            facts = write(
                generator, out, n, test=test, shares=shares, seed=seed, kind=kind, overwrite=overwrite, progress=bars
            )
    except KeyboardInterrupt:
        click.echo(f"{context.find_root().info_name}: Interrupted: the same command goes on from here.", err=True)
        context.exit(130)
    if as_json:
        click.echo(json.dumps({"path": str(out), **facts}))
    else:
        of_train, of_test = (facts["splits"][split]["n"] for split in ("train", "test"))
        click.echo(f"{out}  {of_train} to train and {of_test} to test with  seed {seed}  {generator.provider}")


class _Stderr:
    """The standard error, which under NO_COLOR gets none of the escapes that click moves and hides the cursor with."""

    def write(self, text: str) -> None:
        sys.stderr.write(click.unstyle(text) if os.environ.get("NO_COLOR") else text)

    def flush(self) -> None:
        sys.stderr.flush()

    def isatty(self) -> bool:
        return sys.stderr is not None and sys.stderr.isatty()


class _Bars(ExitStack):
    """Progress on stderr, where that is a terminal: one bar after the other."""

    _what = ""

    def __call__(self, what: str, done: int, n: int) -> None:
        if what != self._what:
            self.close()
            stderr = _Stderr()
            label = f"{what} {'the other ' if done else ''}{n - done:,}"
            self._bar = self.enter_context(
                click.progressbar(length=n - done, label=label, file=cast(TextIO, stderr), hidden=not stderr.isatty())
            )
            self._what, self._done = what, done
        self._bar.update(done - self._done)
        self._done = done
