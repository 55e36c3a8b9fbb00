"""The command line that `python -m training.vae`, `.gan` and `.cgan` share."""

import os
import platform
import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import click
import torch

from training import checkpoint, data, trainer
from training.errors import TrainingError
from training.summary import summary
from training.trainer import Config, Trainer, has_bfloat16

Recipes = Mapping[str, tuple[type[Trainer], type[Config]]]
"""The trainings of one model, each with the configuration whose defaults are the recipe."""


def command(recipes: Recipes, purpose: str = "`python -m export.onnx` turns into an ONNX file") -> click.Command:
    """The command that trains one model by one of `recipes`, the first unless another is asked for.

    `purpose` says what becomes of the weights, as a sentence's end that follows "which".
    """
    usual = next(iter(recipes))
    configs = {name: config() for name, (_, config) in recipes.items()}
    model = configs[usual].model
    folder = click.Path(path_type=Path, file_okay=False)

    def default(name: str) -> str:
        values = {recipe: str(getattr(config, name)) for recipe, config in configs.items()}
        if len(set(values.values())) == 1:
            return f"  [default: {values[usual]}]"
        return f"  [default: {', '.join(f'{value} ({recipe})' for recipe, value in values.items())}]"

    @click.command(help=_help(model, list(recipes), purpose))
    @click.option("--recipe", type=click.Choice(list(recipes)), help=f"How to train.  [default: {usual}]")
    @click.option("--epochs", type=click.IntRange(1), help=f"Passes over the digits.{default('epochs')}")
    @click.option("--batch-size", type=click.IntRange(2), help=f"Digits a step.{default('batch_size')}")
    @click.option("--seed", type=click.IntRange(0, 2**63 - 1), help=f"Of all draws.{default('seed')}")
    @click.option("--limit", type=click.IntRange(2, 60_000), help="Train with the first so many digits only.")
    @click.option("--data", "mnist", type=folder, default="data", show_default=True, help="Folder of MNIST.")
    @click.option("--out", type=folder, default=f"checkpoints/{model}", show_default=True, help="Folder of results.")
    @click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
    @click.option("--resume", is_flag=True, help="Go on after the last whole epoch in --out.")
    @click.option("--summary", "only_summary", is_flag=True, help="Print both networks' layers, and train nothing.")
    def main(mnist: Path, out: Path, device: str, resume: bool, only_summary: bool, **asked: str | int | None) -> None:
        given = {name: value for name, value in asked.items() if value is not None}
        state = checkpoint.load(out) if resume and not only_summary else None
        recipe = _recipe(state, recipes, out) if state else given.get("recipe", usual)
        training, defaults = recipes[recipe][0], configs[recipe]
        if only_summary:
            networks = training(defaults).networks.items()
            click.echo("\n\n".join(summary(f"{model.upper()} {name}", network) for name, network in networks))
            return
        chosen = _resumed(defaults, given, state, out) if state else replace(defaults, **given)
        try:
            _train(training(chosen), mnist, out, _device(device), state)
        except KeyboardInterrupt:
            click.echo(f"\nStopped. {_how_to_go_on(model, out)}", err=True)
            sys.exit(130)

    return main


_HELP = """Train the {name} on MNIST.

After each epoch the folder --out holds the whole state, the metrics so far and pictures of samples; after the last
one also the weights, which {purpose}. MNIST is downloaded into the folder --data if it is not there.

\b
Examples:
  {examples}
"""


def _help(model: str, recipes: list[str], purpose: str) -> str:
    examples = {
        "": f"the {recipes[0]} recipe",
        **{f" --recipe {name}": f"the {name} recipe" for name in recipes[1:]},
        " --limit 2000 --epochs 1 --out /tmp/try": "a quick try",
        " --resume": "go on after an interruption",
    }
    lines = (f"python -m training.{model}{options}".ljust(68) + note for options, note in examples.items())
    return _HELP.format(name=model.upper(), purpose=purpose, examples="\n  ".join(lines))


def _train(trained: Trainer, mnist: Path, out: Path, device: torch.device, state: dict | None) -> None:
    """Train to the end, from the beginning or from `state`, and write the weights."""
    config = trained.config
    if state is None and (out / checkpoint.STATE).exists():
        raise TrainingError(f"{out} already holds a training: go on with --resume, or start anew elsewhere with --out.")
    digits = data.load(mnist, "train").first(config.limit).to(device)
    held_out = data.load(mnist, "test").images[:20].to(device) / 255  # (20, 1, 28, 28)
    checkpoint.make_folder(out)
    trained.to(device)
    log = checkpoint.Log(checkpoint.git_revision())
    if state:
        try:
            trained.load_state(state)
            log = checkpoint.Log(**state["log"])
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise checkpoint.foreign(out) from error
    machine = _machine(device)
    click.echo(f"{config.model.upper()} on {machine}, {len(digits):,} digits, to epoch {config.epochs}")
    trainer.fit(trained, digits, held_out, out, log)
    click.echo(f"Weights: {checkpoint.save_weights(out, trained, log, _command(config), machine)}")


def _recipe(state: dict, recipes: Recipes, out: Path) -> str:
    """The recipe of the training to resume."""
    try:
        recipe = state["config"]["recipe"]
        _ = recipes[recipe]
    except (KeyError, TypeError) as error:
        raise checkpoint.foreign(out) from error
    return recipe


def _resumed(defaults: Config, given: dict, state: dict, out: Path) -> Config:
    """The interrupted training's configuration; only the number of epochs may be asked for anew."""
    try:
        saved, done = asdict(replace(defaults, **state["config"])), len(state["log"]["epochs"])
    except (KeyError, TypeError) as error:
        raise checkpoint.foreign(out) from error
    fixed = {"model": defaults.model, **given}
    epochs = fixed.pop("epochs", saved["epochs"])
    for name, value in fixed.items():
        if saved[name] != value:
            option = name.replace("_", "-")
            raise TrainingError(
                f"The training to resume has {option} {saved[name]}, not {value}: go on with that, or start anew "
                f"elsewhere with --out."
            )
    if epochs < done:
        raise TrainingError(f"The training to resume has {done} epochs already: ask for --epochs {done} or more.")
    return replace(defaults, **{**saved, "epochs": epochs})


def _command(config: Config) -> str:
    """What to type for the training that `config` describes."""
    recipe = "" if config.recipe == trainer.Config.recipe else f"--recipe {config.recipe} "
    limit = f" --limit {config.limit}" if config.limit else ""
    options = f"{recipe}--epochs {config.epochs} --batch-size {config.batch_size} --seed {config.seed}{limit}"
    return f"python -m training.{config.model} {options}"


def _how_to_go_on(model: str, out: Path) -> str:
    """What to type after an interruption, in a sentence."""
    if not (out / checkpoint.STATE).exists():
        return "No epoch was finished, so nothing was saved: start again with the same command."
    words = [word for word in sys.argv[1:] if word != "--resume"]
    command = shlex.join(["python", "-m", f"training.{model}", *words, "--resume"])
    return f"Go on after the last whole epoch with: {command}"


def _device(asked: str) -> torch.device:
    if asked == "cuda" and not torch.cuda.is_available():
        raise TrainingError("PyTorch finds no CUDA device: train with --device cpu, or install PyTorch's CUDA build.")
    device = torch.device("cuda" if asked != "cpu" and torch.cuda.is_available() else "cpu")
    if device.type == "cuda":  # the same seed shall give the same weights there, too
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False
    return device


def _machine(device: torch.device) -> str:
    """What the training runs on, in words."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    else:
        processor = torch.cpu.get_capabilities().get("cpu_name") or platform.machine()
        name = f"{processor}, threads: {torch.get_num_threads()}"
    precision = "bfloat16 autocast" if has_bfloat16(device) else "float32"
    return f"{device.type} ({name}, {precision}, PyTorch {torch.__version__})"
