"""Command line shared by all trainings."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path

import click
import torch

from training import checkpoint, data, hints, processes
from training.changes import Change, checked
from training.devices import choose_device, count_devices, describe
from training.errors import InterruptedTrainingError, LostProcessError, TrainingError
from training.launch import train_on
from training.live import PAGE, train_live
from training.settings import check_shards, resumed_config
from training.summary import summary
from training.trainer import Config, Trainer, train

Recipes = Mapping[str, tuple[type[Trainer], type[Config]]]
"""Trainer and configuration of each recipe of a model, by name. The first recipe is the default."""

_HELP = """Train the {title} on MNIST.

After each epoch, the folder --out holds a checkpoint to resume from, the metrics so far and sample images. After the
last epoch, it also holds the weights. {next_step} MNIST is downloaded to the folder --data if it is missing.

\b
Examples:
  {examples}
"""
_FOLDER = click.Path(path_type=Path, file_okay=False)


def command(recipes: Recipes, next_step: str | None = None) -> click.Command:
    """Return the command that trains one model.

    Args:
        recipes: The model's recipes.
        next_step: Sentence that says how to use the weights; None for generators, which `export.onnx` exports.
    """
    configs = {recipe: config() for recipe, (_, config) in recipes.items()}
    model = next(iter(configs.values())).model

    @click.command(help=_help(model, list(recipes), next_step or "Export them with `python -m export.onnx`."))
    @_options(configs)
    def main(
        mnist: Path,
        out: Path,
        device: str,
        devices: int | str | None,
        resume: bool,
        live: bool,
        print_summary: bool,
        changes: tuple[tuple[str, int | float], ...],
        **options: str | int | None,
    ):
        given = {name: value for name, value in options.items() if value is not None}
        defaults = configs[given.get("recipe", next(iter(configs)))]
        numbers = {} if resume else checked(defaults, dict(changes))
        if print_summary:
            networks = recipes[defaults.recipe][0](defaults).networks
            click.echo("\n\n".join(summary(f"{model.upper()} {name}", network) for name, network in networks.items()))
            return
        here, count = processes.place(), count_devices(devices, device)
        if count > here.size:
            with _resumable(model, out):
                sys.exit(train_on(count))
        lock = checkpoint.locked_folder(out) if here.rank == 0 else nullcontext()
        with processes.joined(here), lock, _resumable(model, out):
            state = checkpoint.load(out) if resume else None
            if resume:
                config = resumed_config(configs, given, dict(changes), state, out)
            else:
                config = replace(defaults, **{"shards": here.size, **given, **numbers})
            check_shards(config, here.size)
            trainer = recipes[config.recipe][0](config)
            _train(trainer, mnist, out, choose_device(device, here.local_rank), state, live)
            _echo(next_step or hints.how_to_export(model, out))

    return main


def _options(configs: Mapping[str, Config]) -> Callable:
    """Return a decorator that adds the options of a training; None stands for the recipe's default."""

    def default(name: str) -> str:
        values = {recipe: _shown(getattr(config, name)) for recipe, config in configs.items()}
        if len(set(values.values())) == 1:
            return f"  [default: {next(iter(values.values()))}]"
        return f"  [default: {', '.join(f'{value} ({recipe})' for recipe, value in values.items())}]"

    first = next(iter(configs))
    out = f"checkpoints/{configs[first].model}"
    options = [
        click.option("--recipe", type=click.Choice(list(configs)), help=f"Training recipe.  [default: {first}]"),
        click.option("--epochs", type=click.IntRange(1), help=f"Passes over the training set.{default('epochs')}"),
        click.option("--batch-size", type=click.IntRange(2), help=f"Images per step.{default('batch_size')}"),
        click.option("--seed", type=click.IntRange(0, 2**63 - 1), help=f"Random seed.{default('seed')}"),
        click.option(
            "--limit",
            type=click.IntRange(2, 60_000),
            help=f"Train on the first LIMIT images only.{default('limit')}",
        ),
        click.option(
            "--shards",
            type=click.IntRange(1, 1024),
            help="Equal parts of a batch that devices share.  [default: number of processes]",
        ),
        click.option(
            "--set",
            "changes",
            multiple=True,
            type=Change(),
            help="Change a number of the recipe, such as learning_rate=0.001; repeatable.",
        ),
        click.option("--data", "mnist", type=_FOLDER, default="data", show_default=True, help="Folder of MNIST."),
        click.option("--out", type=_FOLDER, default=out, show_default=True, help="Output folder."),
        click.option(
            "--device",
            type=click.Choice(["auto", "cpu", "cuda"]),
            default="auto",
            show_default=True,
            help="Device to train on; auto prefers CUDA.",
        ),
        click.option(
            "--devices",
            type=_Count(1, 1024),
            help="Number of devices, one process each; auto for all GPUs.  [default: 1]",
        ),
        click.option("--resume", is_flag=True, help="Continue after the last finished epoch in --out."),
        click.option("--live", is_flag=True, help=f"Write a page to watch the training in a browser, OUT/{PAGE}."),
        click.option("--summary", "print_summary", is_flag=True, help="Print the networks' layers and exit."),
    ]

    def decorate(function: Callable) -> Callable:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


class _Count(click.IntRange):
    """Number of devices, or auto."""

    name = "number|auto"

    def convert(self, value: str, parameter: click.Parameter | None, context: click.Context | None) -> int | str:
        """Return the number, or "auto"."""
        return value if value == "auto" else super().convert(value, parameter, context)


@contextmanager
def _resumable(model: str, out: Path) -> Iterator[None]:
    """Say how to resume the training if it is interrupted or loses a process."""
    try:
        yield
    except KeyboardInterrupt:
        raise InterruptedTrainingError(hints.how_to_resume(model, out)) from None
    except LostProcessError as error:
        raise LostProcessError(f"{error.message} {hints.how_to_resume(model, out)}") from error


def _echo(text: str) -> None:
    """Print `text` in the main process."""
    if processes.is_main():
        click.echo(text)


def _shown(value: int | None) -> str:
    return "all" if value is None else str(value)


def _title(model: str) -> str:
    return model.upper() if model.endswith(("vae", "gan")) else model


def _help(model: str, recipes: list[str], next_step: str) -> str:
    examples = {
        "": f"the {recipes[0]} recipe" if len(recipes) > 1 else "a full training",
        **{f" --recipe {name}": f"the {name} recipe" for name in recipes[1:] if name != "lesson"},
        **{_quick_try(model, recipes): "a quick try"},
        " --resume": "continue an interrupted training",
    }
    width = max(map(len, examples))
    lines = (f"python -m training.{model}{options:<{width}}  {note}" for options, note in examples.items())
    return _HELP.format(title=_title(model), next_step=next_step, examples="\n  ".join(lines))


def _quick_try(model: str, recipes: list[str]) -> str:
    """Return the options of a training of a few minutes; a classifier's may be shorter, as it shows no digits."""
    if "lesson" in recipes:
        return f" --recipe lesson --out checkpoints/lesson/{model}"
    return " --limit 2000 --epochs 1 --out /tmp/try"


def _train(trainer: Trainer, mnist: Path, out: Path, device: torch.device, state: dict | None, live: bool) -> None:
    """Train from the beginning, or from `state`, to the last epoch, and save the weights."""
    config = trainer.config
    if state is None and (out / checkpoint.STATE).exists():
        raise TrainingError(
            f"{out} contains another training; expected a new folder. Continue that training with --resume, or choose "
            f"another folder with --out."
        )
    with processes.main_first():  # it downloads what is missing
        digits = data.load(mnist, "train").first(config.limit).to(device)
        test_images = data.load(mnist, "test").images[:20].to(device) / 255  # (20, 1, 28, 28)
    trainer.to(device)
    log = checkpoint.Log(checkpoint.git_revision())
    if state is not None:
        try:
            trainer.load_state(state)
        except Exception as error:  # PyTorch raises many types of exceptions for invalid states
            raise checkpoint.invalid_state(out) from error
        log = checkpoint.read_log(state, out)
    machine = describe(device)
    _echo(f"Training the {_title(config.model)} on {machine}: {len(digits):,} images, {config.epochs} epochs")
    (train_live if live and processes.is_main() else train)(trainer, digits, test_images, out, log)
    if processes.is_main():
        path = checkpoint.save_weights(out, trainer.exported_weights(), _facts(config, log, machine))
        click.echo(f"Saved the weights to {path}")


def _facts(config: Config, log: checkpoint.Log, machine: str) -> dict:
    """Return the metadata of the weights file."""
    return {
        **asdict(config),
        "recipe": "custom" if config.is_custom else config.recipe,
        "command": hints.command_line(config),
        "training_data": "MNIST, training set" + (f", first {config.limit} images" if config.limit else ""),
        "device": machine,
        "git_revision": log.git_revision,
        "final_metrics": {name: value for name, value in log.epochs[-1].items() if name != "seconds"},
    }
