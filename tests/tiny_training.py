"""Tiny trainings on synthetic digits, in this process or in one that is killed during a file operation."""

import multiprocessing
import os
import signal
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from training import cgan, data, gan, latents, trainer, vae
from training.prior import fit_prior

MODULES = {"vae": vae, "gan": gan, "cgan": cgan}
BATCH = 4


def digits(folder: Path = Path(), split: str = "train") -> data.Digits:
    """Return 20 rectangles, of a size per label, in place of MNIST."""
    labels = torch.arange(20) % 10
    images = torch.zeros(20, 1, 28, 28, dtype=torch.uint8)
    for image, label in zip(images, labels, strict=True):
        image[:, 4 : 10 + int(label), 6 : 8 + int(label)] = 255
    return data.Digits(images, labels)


def batch(n: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    """Return images float32 (n, 1, 28, 28) in [0, 1] and labels (n,)."""
    first = digits().first(n)
    return first.images.float() / 255, first.labels


def new_trainer(model: str, recipe: str = "seed", **settings):
    """Return a trainer with the recipe's configuration, except for `settings`."""
    module = MODULES[model]
    trainer_class, config = {
        "seed": ("Trainer", "Config"),
        "tuned": ("TunedTrainer", "TunedConfig"),
        "lesson": ("TunedTrainer", "LessonConfig"),
    }[recipe]
    return getattr(module, trainer_class)(getattr(module, config)(**settings))


def shrink(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make all trainings tiny."""
    monkeypatch.setattr(data, "load", digits)
    monkeypatch.setattr(trainer, "SAMPLES", 10)
    monkeypatch.setattr(latents, "SAMPLES", 100)
    monkeypatch.setattr(vae, "fit_prior", lambda prior, latents, steps: fit_prior(prior, latents, 2))
    monkeypatch.setattr(gan, "STATISTICS_LATENTS", 50)


def train(model: str, *options: str, out: Path) -> tuple[int, str]:
    """Call the model's command; return exit code and output."""
    done = CliRunner().invoke(MODULES[model].main, ["--batch-size", str(BATCH), "--out", str(out), *options])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def interrupt_at(monkeypatch: pytest.MonkeyPatch, trainer_class: type, step: int) -> None:
    """Make a trainer raise KeyboardInterrupt in its step of this number."""
    original, calls = trainer_class.step, []

    def interrupted(self, images, labels):
        calls.append(1)
        if len(calls) == step:
            raise KeyboardInterrupt
        return original(self, images, labels)

    monkeypatch.setattr(trainer_class, "step", interrupted)


def weights(out: Path) -> bytes:
    """Return the content of the weights file in `out`."""
    return (out / "weights.safetensors").read_bytes()


def train_in_process(model: str, *options: str, out: Path, kill_at: int | None = None) -> int:
    """Train in a new process; return its exit code.

    Args:
        model: Model to train.
        options: Options of its command.
        out: Output folder.
        kill_at: Number of the file operation, a sync or a rename, during which the process gets SIGKILL.
    """
    process = start_process(_train_and_exit, model, options, out, kill_at)
    process.join()
    return process.exitcode


def start_process(function: Callable[..., None], *arguments: object) -> multiprocessing.Process:
    """Start a new process that calls the function; it has the slow imports already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tiny_training", "torch._dynamo", "training.vision"])
    process = context.Process(target=function, args=arguments)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # for the server's imports
        process.start()
    return process


def _train_and_exit(model: str, options: tuple[str, ...], out: Path, kill_at: int | None) -> None:
    torch.set_num_threads(1)
    shrink(pytest.MonkeyPatch())
    if kill_at:
        _kill_at(kill_at)
    sys.exit(train(model, *options, out=out)[0])


def _kill_at(operation: int) -> None:
    """Kill this process in the middle of that file operation, as a power cut would."""
    done = 0
    fsync, replace = os.fsync, Path.replace

    def count() -> None:
        nonlocal done
        done += 1
        if done == operation:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted_fsync(descriptor: int) -> None:
        status = os.fstat(descriptor)
        if done + 1 == operation and stat.S_ISREG(status.st_mode):
            os.ftruncate(descriptor, status.st_size // 2)  # half of the file has been written
        count()
        fsync(descriptor)

    def counted_replace(path: Path, target: Path) -> Path:
        count()
        return replace(path, target)

    os.fsync, Path.replace = counted_fsync, counted_replace
