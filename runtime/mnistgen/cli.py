"""The commands `mnistgen` and `mnistgen-run`."""

import json
import os
import re
import secrets
import sys
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

import click

from mnistgen import __version__, images
from mnistgen.errors import InputError, MnistgenError, OutputError
from mnistgen.generator import MOST_THREADS, Generator
from mnistgen.latents import SEED_END
from mnistgen.manifest import Manifest, Model, artifacts_folder
from mnistgen.resources import processor, usable_cores
from mnistgen.session import check_device, version

MOST_DIGITS = 1000
"""Digits in one picture at most; more belong into an array of the API."""
MOST_PIXELS = 200_000_000
"""Pixels in one picture at most, a byte each."""


def _parse_digits(context: click.Context, option: click.Parameter, text: str | None) -> list[int] | None:
    """Digits as one types them: 5, or a list 3,1,4, or a range 0-9, or both."""
    if text is None:
        return None
    digits: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*([0-9])\s*(?:-\s*([0-9])\s*)?", part)
        if not match or (match[2] and match[2] < match[1]):
            raise click.BadParameter(
                f"{text!r} is not a digit from 0 to 9, a list such as 3,1,4, or a range such as 0-9."
            )
        digits += range(int(match[1]), int(match[2] or match[1]) + 1)
    return digits


_SETTINGS = {"help_option_names": ["-h", "--help"]}
_FILE = click.Path(path_type=Path, dir_okay=False)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")


@click.group(context_settings=_SETTINGS)
@click.version_option(__version__, prog_name="mnistgen")
def mnistgen() -> None:
    """Handwritten digits from a VAE, a GAN and a conditional GAN, without PyTorch."""


@mnistgen.command(context_settings=_SETTINGS)
@click.option("--model", "name", default="cgan", show_default=True, help="What draws: vae, gan or cgan.")
@click.option("--digit", "digits", callback=_parse_digits, help="What to draw (cgan only): 5, or 3,1,4, or 0-9.")
@click.option("--n", type=click.IntRange(1, MOST_DIGITS), help="How many, the digits in turn.  [default: one each]")
@click.option("--seed", type=click.IntRange(0, SEED_END - 1), help="Same seed, same digits.  [default: a new one]")
@click.option("--out", type=_FILE, help="PNG file to write.  [default: named after what is drawn]")
@click.option("--scale", type=click.IntRange(1, 64), default=8, show_default=True, help="Enlargement; 1 gives 28×28.")
@click.option("--device", default="auto", show_default=True, help="What to run on: auto, cpu or gpu.")
@json_option
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def run(
    name: str,
    digits: list[int] | None,
    n: int | None,
    seed: int | None,
    out: Path | None,
    scale: int,
    device: str,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write a PNG of handwritten digits, white on black, into the current folder.

    \b
    Examples:
      mnistgen-run --model cgan --digit 5            a five
      mnistgen-run --digit 0-9 --n 100 --seed 7      ten of each, always the same
      mnistgen-run --model vae --n 20 --out vae.png  twenty of whatever comes
      mnistgen-run --digit 3,1,4 --scale 1 --json    for scripts
    """
    check_device(device)
    manifest = Manifest(artifacts_folder())
    model = manifest.model(name)
    _check_digits(manifest, model, digits)
    if digits is None and model.classes:
        digits = list(range(min(n or 1, model.classes)))
    n = n or len(digits or [0])
    _check_size(n, scale)
    seed = secrets.randbits(32) if seed is None else seed
    path = out or Path(_file_name(name, digits, n, seed))
    _check_path(path)
    asked = [digits[i % len(digits)] for i in range(n)] if digits else None
    generator = Generator(manifest, name, device)
    drawn = generator.generate(n, digit=asked, seed=seed)  # (n, 28, 28)
    images.write_png(images.grid(drawn, scale), path)
    facts = {"path": str(path), "model": name, "n": n, "digits": asked, "seed": seed, "provider": generator.provider}
    if as_json:
        click.echo(json.dumps(facts))
    elif not quiet:
        if sys.stdout and sys.stdout.isatty():
            click.echo(images.preview(drawn))
        click.echo("{path}  seed {seed}  {provider}".format(**facts))


@mnistgen.command()
@json_option
def models(as_json: bool) -> None:
    """List the models that are there."""
    manifest = Manifest(artifacts_folder())
    if as_json:
        click.echo(json.dumps({name: asdict(model) for name, model in manifest.models.items()}))
        return
    for model in manifest.models.values():
        asked = f"digits 0 to {model.classes - 1}" if model.classes else "no choice"
        click.echo(
            f"{model.name:<5} {model.bytes / 1e6:5.2f} MB  latent {model.latent_size:>3}  {asked:<13}  "
            f"{model.recipe} recipe, {model.epochs} epochs"
        )


@mnistgen.command("bench", context_settings=_SETTINGS)
@click.option("--model", "names", multiple=True, help="Only this one; repeatable.  [default: all]")
@click.option("--batch", "batches", multiple=True, type=click.IntRange(1, 100_000), help="[default: 1 and 256]")
@click.option("--threads", type=click.IntRange(1, MOST_THREADS), help="On a CPU.  [default: all that may be used]")
@click.option("--device", default="auto", show_default=True, help="What to run on: auto, cpu or gpu.")
@click.option("--seconds", type=click.FloatRange(0, 600), default=2.0, show_default=True, help="For each figure.")
@json_option
def measure(
    names: tuple[str, ...],
    batches: tuple[int, ...],
    threads: int | None,
    device: str,
    seconds: float,
    as_json: bool,
) -> None:
    """Measure how many digits a second each model draws on this machine, and how long a request takes.

    \b
    Examples:
      mnistgen bench
      mnistgen bench --model cgan --batch 1 --batch 64 --threads 1 --json
    """
    from mnistgen import bench  # here, since the other commands start faster without

    check_device(device)
    manifest = Manifest(artifacts_folder())
    generators = [Generator(manifest, name, device, threads) for name in dict.fromkeys(names) or manifest.models]
    used = {
        "processor": processor(),
        "provider": generators[0].provider,
        "threads": threads or usable_cores(),
        "onnxruntime": version(),
    }
    timings = []
    if not as_json:
        click.echo("{processor}, {provider}, {threads} threads, ONNX Runtime {onnxruntime}".format(**used))
        click.echo("model  batch  images/s  median ms  1 in 20 over ms")
    for generator in generators:
        for batch in dict.fromkeys(batches) or (1, 256):
            timings.append(asdict(bench.measure(generator, batch, seconds)))
            if not as_json:
                row = "{model:<5} {batch:>6} {images_per_second:>9,.0f} {median_ms:>10.2f} {slowest_ms:>16.2f}"
                click.echo(row.format(**timings[-1]))
    if as_json:
        click.echo(json.dumps({**used, "timings": timings}))


def _check_digits(manifest: Manifest, model: Model, digits: list[int] | None) -> None:
    if digits and not model.classes:
        able = ", ".join(other.name for other in manifest.models.values() if other.classes)
        raise InputError(f"The {model.name} draws whatever comes: for a digit of your choice take --model {able}.")


def _check_size(n: int, scale: int) -> None:
    if n > MOST_DIGITS:
        raise InputError(f"{n} digits are too many for one picture: ask for {MOST_DIGITS} at most.")
    if n * (28 * scale) ** 2 > MOST_PIXELS:
        raise InputError(f"{n} digits at scale {scale} are too large a picture: ask for fewer, or a smaller --scale.")


def _check_path(path: Path) -> None:
    """Refuse what would be refused after the work, too."""
    if path.suffix.lower() != ".png":
        raise InputError(f"{path} is no PNG file: give --out a name that ends in .png.")
    try:
        is_folder = path.parent.is_dir()
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror}): name another file with --out.") from error
    if not is_folder:
        raise OutputError(f"There is no folder {path.parent} to write to: make it, or name another file with --out.")


def _file_name(model: str, digits: list[int] | None, n: int, seed: int) -> str:
    """Such as cgan-digit5-seed7.png, cgan-digits314-n30-seed7.png, gan-n20-seed7.png."""
    parts = [model]
    if digits:
        first = "".join(map(str, digits[:10])) + ("etc" if len(digits) > 10 else "")
        parts.append(f"digit{'s' if len(digits) > 1 else ''}{first}")
    if n != len(digits or [0]):
        parts.append(f"n{n}")
    return "-".join([*parts, f"seed{seed}.png"])


def call(command: click.Command, name: str, arguments: list[str] | None = None) -> int:
    """Run `command` as `name`; the exit code. What fails is told in one line on stderr (contract C6)."""
    try:
        code = command.main(arguments, name, standalone_mode=False)
        if sys.stdout:  # None where the caller has closed it
            sys.stdout.flush()
        return int(code or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 0
    except click.UsageError as error:
        return _fail(name, f"{error.format_message()} See {name} --help.", 2)
    except InputError as error:
        return _fail(name, str(error), 2)
    except (MnistgenError, click.ClickException) as error:
        return _fail(name, str(error), 1)
    except (KeyboardInterrupt, click.Abort):
        return _fail(name, "Interrupted.", 130)
    except OSError as error:  # a closed pipe, or a full disk behind the standard output
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that Python's exit can flush
        return _fail(name, f"{error.filename or 'The output'} cannot be written ({error.strerror}).", 1)


def _fail(name: str, sentence: str, code: int) -> int:
    click.echo(f"{name}: {' '.join(sentence.split())}", err=True)
    return code


def main() -> None:
    """The console script `mnistgen`."""
    _end(call(mnistgen, "mnistgen"))


def main_run() -> None:
    """The console script `mnistgen-run`, the same as `mnistgen run`."""
    _end(call(run, "mnistgen-run"))


def _end(code: int) -> NoReturn:
    """End at once: all is written, and to take ONNX Runtime down in order takes longer than to draw a digit."""
    if sys.stderr:
        sys.stderr.flush()
    os._exit(code)
