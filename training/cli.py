"""Command line shared by all trainings: options, resuming, choice of device."""

import math
import os
import platform
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

import click
import torch

from training import checkpoint, data
from training.errors import TrainingError
from training.live import PAGE, train_live
from training.summary import summary
from training.trainer import Config, Trainer, has_bfloat16, train

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
_ARTIFACTS = Path(__file__).parents[1] / "artifacts"
"""Folder of the shipped models, which hints must not replace."""


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
        mnist: Path, out: Path, device: str, resume: bool, live: bool, print_summary: bool, **options: str | int | None
    ):
        given = {name: value for name, value in options.items() if value is not None}
        defaults = configs[given.get("recipe", next(iter(configs)))]
        if print_summary:
            networks = recipes[defaults.recipe][0](defaults).networks
            click.echo("\n\n".join(summary(f"{model.upper()} {name}", network) for name, network in networks.items()))
            return
        click.get_current_context().with_resource(checkpoint.locked_folder(out))
        state = checkpoint.load(out) if resume else None
        config = _resumed_config(configs, given, state, out) if resume else replace(defaults, **given)
        try:
            _train(recipes[config.recipe][0](config), mnist, out, _device(device), state, live)
        except KeyboardInterrupt:
            click.echo(f"\nInterrupted. {_how_to_resume(model, out)}", err=True)
            sys.exit(130)
        click.echo(next_step or _how_to_export(model, out))

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
        click.option("--data", "mnist", type=_FOLDER, default="data", show_default=True, help="Folder of MNIST."),
        click.option("--out", type=_FOLDER, default=out, show_default=True, help="Output folder."),
        click.option(
            "--device",
            type=click.Choice(["auto", "cpu", "cuda"]),
            default="auto",
            show_default=True,
            help="Device to train on; auto prefers CUDA.",
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
    machine = _machine(device)
    click.echo(f"Training the {_title(config.model)} on {machine}: {len(digits):,} images, {config.epochs} epochs")
    (train_live if live else train)(trainer, digits, test_images, out, log)
    path = checkpoint.save_weights(out, trainer.exported_weights(), _facts(config, log, machine))
    click.echo(f"Saved the weights to {path}")


def _facts(config: Config, log: checkpoint.Log, machine: str) -> dict:
    """Return the metadata of the weights file."""
    return {
        **asdict(config),
        "recipe": "custom" if config.is_custom else config.recipe,
        "command": _command_line(config),
        "training_data": "MNIST, training set" + (f", first {config.limit} images" if config.limit else ""),
        "device": machine,
        "git_revision": log.git_revision,
        "final_metrics": {name: value for name, value in log.epochs[-1].items() if name != "seconds"},
    }


def _resumed_config(configs: Mapping[str, Config], given: dict, state: dict, out: Path) -> Config:
    """Return the configuration of the training to resume, of which only the number of epochs may change."""
    model = next(iter(configs.values())).model
    done = len(checkpoint.read_log(state, out).epochs)
    try:
        found = str(state["config"]["model"])
        defaults = None if found != model else configs[state["config"]["recipe"]]
        saved = None if defaults is None else replace(defaults, **state["config"])
    except (AttributeError, KeyError, TypeError) as error:
        raise checkpoint.invalid_state(out) from error
    if defaults is None and found.isidentifier():
        raise TrainingError(
            f"The training in {out} is of model {found[:40]}; expected {model}. Name the folder of the {model} with "
            f"--out."
        )
    if defaults is None or not _is_valid(saved, defaults):
        raise checkpoint.invalid_state(out)
    for name, value in given.items():
        if name != "epochs" and getattr(saved, name) != value:
            raise TrainingError(
                f"--{name.replace('_', '-')} is {value}; expected {getattr(saved, name)}, as in the training to "
                f"resume. Leave this option out, or start a new training in another folder with --out."
            )
    config = replace(saved, epochs=given.get("epochs", saved.epochs))
    if config.epochs < done:
        raise TrainingError(
            f"--epochs is {config.epochs}; expected at least {done}, the number of finished epochs. Leave this option "
            f"out, or give a larger number."
        )
    return config


def _is_valid(config: Config, defaults: Config) -> bool:
    """Return whether the values of a configuration from a file have the types of `defaults`, and are possible."""
    for name, default in asdict(defaults).items():
        value = getattr(config, name)
        if name == "limit":
            valid = value is None or (type(value) is int and value >= 2)
        elif isinstance(default, float):
            valid = type(value) in (int, float) and math.isfinite(value)
        else:
            valid = type(value) is type(default)
        if not valid:
            return False
    return config.epochs >= 1 and config.batch_size >= 2 and 0 <= config.seed < 2**63


def _command_line(config: Config) -> str:
    """Return the command that repeats the training."""
    recipe = "" if config.recipe == Config.recipe else f"--recipe {config.recipe} "
    limit = f" --limit {config.limit}" if config.limit else ""
    options = f"{recipe}--epochs {config.epochs} --batch-size {config.batch_size} --seed {config.seed}{limit}"
    return f"python -m training.{config.model} {options}"


def _how_to_resume(model: str, out: Path) -> str:
    if not (out / checkpoint.STATE).exists():
        return "No epoch was finished, so nothing was saved. Run the same command to start again."
    words = [word for word in sys.argv[1:] if word != "--resume"]
    return f"To resume, run: {shlex.join(['python', '-m', f'training.{model}', *words, '--resume'])}"


def _how_to_export(model: str, out: Path) -> str:
    """Return the commands that export the weights in `out` into a folder of their own, and draw digits with them."""
    folder = out.parent / "onnx"
    if out.name != model or _ARTIFACTS in folder.resolve().parents:
        return (
            f"To export the weights, move them to a folder {model}/ outside of artifacts/. Then run python -m "
            f"export.onnx with --model {model}, the folder that contains {model}/ as --checkpoints, and a new folder "
            f"as --artifacts."
        )
    options = ["--model", model, "--checkpoints", str(out.parent), "--artifacts", str(folder)]
    what = ["--digit", "5"] if model == "cgan" else ["--model", model, "--n", "10"]
    lines = (
        ["python", "-m", "export.onnx", *options],
        ["mnistgen-run", "--artifacts", str(folder), *what],
    )
    return "To export the weights and draw digits with them, run:\n" + "\n".join(
        f"  {shlex.join(line)}" for line in lines
    )


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise TrainingError(
            "--device is cuda; expected cpu, as PyTorch finds no CUDA device. Train with --device cpu, or install "
            "PyTorch's CUDA build."
        )
    device = torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")
    if device.type == "cuda":  # so that a seed gives the same weights at every run
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False
    return device


def _machine(device: torch.device) -> str:
    """Return a description of the hardware, the precision and PyTorch's version."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    else:
        processor = torch.cpu.get_capabilities().get("cpu_name") or platform.machine()
        name = f"{processor}, threads: {torch.get_num_threads()}"
    precision = "bfloat16 autocast" if has_bfloat16(device) else "float32"
    return f"{device.type} ({name}, {precision}, PyTorch {torch.__version__})"
