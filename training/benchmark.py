"""Time of a training step with and without each optimization: `python -m training.benchmark`.

The variants take turns, so that changes of the machine's speed affect all of them equally. Prints medians and their
ratio to the training as it is.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial

import click
import torch
from torch import nn

from training import cgan, gan, vae
from training.speed import FastDropout, LateBiasConv2d, LateBiasConvTranspose2d, TransposedConv2d
from training.trainer import Trainer


def _keep_all(trainer: Trainer) -> None:
    pass


def _without_bfloat16(trainer: Trainer) -> None:
    trainer.autocast = lambda: torch.autocast(trainer.device.type, enabled=False)


def _without_channels_last(trainer: Trainer) -> None:
    for network in trainer.networks.values():
        network.to(memory_format=torch.contiguous_format)


def _without(trainer: Trainer, *variants: type[nn.Module]) -> None:
    """Replace these variants of `training.speed` by the plain layers that they derive from."""
    for network in trainer.networks.values():
        for layer in network.modules():
            if type(layer) in variants:
                layer.__class__ = type(layer).__base__


VARIANTS: dict[str, Callable[[Trainer], None]] = {
    "as trained": _keep_all,
    "without bfloat16": _without_bfloat16,
    "without channels last": _without_channels_last,
    "without late bias": lambda trainer: _without(trainer, LateBiasConv2d, LateBiasConvTranspose2d),
}
MODELS = {
    vae: VARIANTS,
    gan: {**VARIANTS, "without fast dropout": lambda trainer: _without(trainer, FastDropout)},
    cgan: {**VARIANTS, "without transposed last layer": lambda trainer: _without(trainer, TransposedConv2d)},
}


@click.command()
@click.option("--rounds", type=click.IntRange(1), default=15, show_default=True, help="Steps timed per variant.")
@click.option("--batch-size", type=click.IntRange(2), help="Images per step.  [default: the seed recipe's]")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True, help="Device to use.")
def main(rounds: int, batch_size: int | None, device: str) -> None:
    """Time a training step of each model as it is, and without each optimization."""
    click.echo(f"{torch.get_num_threads()} threads, PyTorch {torch.__version__}, median of {rounds}")
    for module, variants in MODELS.items():
        size = batch_size or module.Config.batch_size
        steps = {name: _prepare(module, size, change, torch.device(device)) for name, change in variants.items()}
        seconds = {name: [] for name in steps}
        for _ in range(rounds):
            for name, step in steps.items():
                seconds[name].append(step())
        baseline = statistics.median(seconds["as trained"])
        for name, times in seconds.items():
            median = statistics.median(times)
            click.echo(f"{module.Config.model:<5} {name:<30} {median * 1e3:7.1f} ms  {median / baseline:5.2f}")


def _prepare(module, size: int, change: Callable[[Trainer], None], device: torch.device) -> Callable[[], float]:
    """Return a function that takes one step on random images and returns its duration in seconds."""
    trainer = module.Trainer(module.Config())
    trainer.to(device)
    change(trainer)
    images = torch.rand(size, 1, 28, 28, device=device)  # (B, 1, 28, 28)
    labels = torch.randint(10, (size,), device=device)  # (B,)
    _time_step(trainer, images, labels)  # warm-up
    return partial(_time_step, trainer, images, labels)


def _time_step(trainer: Trainer, images: torch.Tensor, labels: torch.Tensor) -> float:
    start = time.perf_counter()
    metrics = trainer.step(images, labels)
    sum(metrics.values()).item()  # waits for the device
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
