"""Commands that a training prints or records: to repeat it, to resume it, to export its weights."""

import os
import shlex
import sys
from pathlib import Path

from training import checkpoint, processes
from training.changes import as_options
from training.trainer import Config

_ARTIFACTS = Path(__file__).parents[1] / "artifacts"
"""Folder of the shipped models, which hints must not replace."""


def command_line(config: Config) -> str:
    """Return the command that repeats the training."""
    recipe = "" if config.recipe == Config.recipe else f"--recipe {config.recipe} "
    limit = f" --limit {config.limit}" if config.limit else ""
    shards = f" --shards {config.shards}" if config.shards > 1 else ""
    options = f"{recipe}--epochs {config.epochs} --batch-size {config.batch_size} --seed {config.seed}{limit}{shards}"
    return " ".join([f"python -m training.{config.model} {options}", *as_options(config)])


def how_to_resume(model: str, out: Path) -> str:
    """Return a sentence with the command that resumes the training in `out`."""
    if not (out / checkpoint.STATE).exists():
        return "No epoch was finished, so nothing was saved. Run the same command to start again."
    words = [word for word in sys.argv[1:] if word != "--resume"]
    by_torchrun = processes.size() > 1 and processes.LAUNCHED not in os.environ
    start = ["torchrun", "--nproc-per-node", str(processes.size())] if by_torchrun else ["python"]
    return f"To resume, run: {shlex.join([*start, '-m', f'training.{model}', *words, '--resume'])}"


def how_to_export(model: str, out: Path) -> str:
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
