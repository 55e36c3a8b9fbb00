"""What each choice for speed is worth: `python -m training.benchmark`.

Times one step of each model as it is trained and with one choice undone, in turns, so that a machine whose speed drifts
treats all alike; prints medians and their ratio.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial
from types import MethodType

import click
import torch
import torch.nn.functional as F
from torch import nn

from training import cgan, gan, vae
from training.layers import Dropout, WideKernelConv2d
from training.trainer import Trainer


def _unchanged(training: Trainer) -> None:
    pass


def _float32(training: Trainer) -> None:
    training.autocast = lambda: torch.autocast(training.device.type, enabled=False)


def _channels_first(training: Trainer) -> None:
    for network in training.networks.values():
        network.to(memory_format=torch.contiguous_format)


def _plain_dropout(training: Trainer) -> None:
    for layer in _layers(training, Dropout):
        layer.forward = partial(F.dropout, p=layer.share)


def _plain_convolution(training: Trainer) -> None:
    for layer in _layers(training, WideKernelConv2d):
        layer.forward = MethodType(nn.Conv2d.forward, layer)


def _plain_bias(training: Trainer) -> None:
    for kind in (nn.Conv2d, nn.ConvTranspose2d):
        for layer in _layers(training, kind):
            if not isinstance(layer, WideKernelConv2d):
                layer.forward = MethodType(kind.forward, layer)


def _layers(training: Trainer, kind: type[nn.Module]) -> list[nn.Module]:
    return [layer for network in training.networks.values() for layer in network.modules() if isinstance(layer, kind)]


VARIANTS: dict[str, Callable[[Trainer], None]] = {
    "as trained": _unchanged,
    "float32": _float32,
    "channels first": _channels_first,
    "bias within convolutions": _plain_bias,
}
CASES = {
    vae: VARIANTS,
    gan: {**VARIANTS, "nn.Dropout": _plain_dropout},
    cgan: {**VARIANTS, "nn.Conv2d as last layer": _plain_convolution},
}


@click.command()
@click.option("--rounds", type=click.IntRange(1), default=15, show_default=True, help="Steps timed of each variant.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
def main(rounds: int, device: str) -> None:
    """Time a step of each training as it is, and with one choice for speed undone."""
    click.echo(f"{torch.get_num_threads()} threads, PyTorch {torch.__version__}, median of {rounds}")
    for module, variants in CASES.items():
        steps = {name: _step(module, change, torch.device(device)) for name, change in variants.items()}
        seconds = {name: [] for name in steps}
        for _ in range(rounds):
            for name, step in steps.items():
                seconds[name].append(step())
        usual = statistics.median(seconds["as trained"])
        for name, measured in seconds.items():
            median = statistics.median(measured)
            click.echo(f"{module.Config.model:<5} {name:<24} {median * 1e3:7.1f} ms  {median / usual:5.2f}")


def _step(module, change: Callable[[Trainer], None], device: torch.device) -> Callable[[], float]:
    """A function that takes one step on random digits and returns its seconds."""
    training = module.Trainer(module.Config())
    training.to(device)
    change(training)
    images = torch.rand(training.config.batch_size, 1, 28, 28, device=device)  # (B, 1, 28, 28)
    labels = torch.randint(10, (len(images),), device=device)  # (B,)

    def step() -> float:
        started = time.perf_counter()
        metrics = training.step(images, labels)
        sum(metrics.values()).item()  # waits for the device
        return time.perf_counter() - started

    step()  # warm-up
    return step


if __name__ == "__main__":
    main()
