"""What the three trainings share: their state, one epoch after the other, and what is written after each."""

import copy
import io
import json
import math
import time
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn
from tqdm import tqdm

from training import checkpoint
from training.checkpoint import Log
from training.data import Digits
from training.errors import TrainingError
from training.layers import glorot


@dataclass(frozen=True)
class Config:
    """All that a training's outcome depends on, the machine left aside. Each model's own Config gives the defaults."""

    model: str
    epochs: int
    batch_size: int
    """Images a step."""
    learning_rate: float
    seed: int = 0
    limit: int | None = None
    """Train with the first so many images only; None for all 60,000."""
    recipe: str = "seed"
    """Name of the recipe: "seed" is the usual one. The other settings are the recipe's unless `is_custom`."""

    @property
    def is_custom(self) -> bool:
        """Whether anything but the seed is not as the recipe has it."""
        usual = type(self)()
        return replace(self, seed=usual.seed) != usual


class Trainer(ABC):
    """Networks, drawn from the configuration's seed, their optimizers, and one step; each model has its own."""

    ships: ClassVar[tuple[str, ...]]
    """The networks whose weights a finished training leaves."""
    optimizers: dict[str, torch.optim.Optimizer]
    progress: float = 0.0
    """Share of all steps that have been taken, for recipes that change something on the way."""

    def __init__(self, config: Config, **networks: nn.Module):
        self.config = config
        self.device = torch.device("cpu")
        self.networks = networks
        self.averages: dict[str, nn.Module] = {}
        torch.manual_seed(config.seed)
        for network in networks.values():
            self.initialise(network)

    def initialise(self, network: nn.Module) -> None:
        """Draw the network's first weights."""
        glorot(network)

    @abstractmethod
    def step(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Learn from digits (B, 1, 28, 28) in [0, 1] and labels (B,); return scalar metrics."""

    @abstractmethod
    def pictures(self, held_out: Tensor) -> dict[str, Tensor]:
        """Digits (N, 1, 28, 28) in [0, 1] to look at, by name; `held_out` (20, 1, 28, 28) are from the test set."""

    def end_epoch(self, digits: Digits) -> None:  # noqa: B027 (most have nothing to do)
        """What is left to do after an epoch with `digits`, before its results are written."""

    def keep_average(self, name: str) -> None:
        """From now on keep an average of the network `name`; it ships in the network's place."""
        self.averages[name] = copy.deepcopy(self.networks[name]).eval().requires_grad_(False)

    @torch.no_grad()
    def update_averages(self, decay: float) -> None:
        """Move the averages' weights towards the networks' by a share of 1 - `decay`."""
        for name, average in self.averages.items():
            for kept, new in zip(average.parameters(), self.networks[name].parameters(), strict=True):
                kept.lerp_(new, 1 - decay)

    def final(self, name: str) -> nn.Module:
        """The network `name` as it ships."""
        return self.averages.get(name, self.networks[name])

    def to(self, device: torch.device) -> None:
        """Move to `device`; channels last, as convolutions are fastest on CPUs and GPUs alike."""
        self.device = device
        for network in [*self.networks.values(), *self.averages.values()]:
            network.to(device, memory_format=torch.channels_last)

    def autocast(self) -> torch.autocast:
        """Convolutions and products in bfloat16 where the processor has instructions for it; float32 elsewhere."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=has_bfloat16(self.device))

    def fixed_latents(self, n: int, size: int) -> Tensor:
        """Latents (n, size) that are the same at every call, and leave the training's random numbers alone."""
        return torch.randn(n, size, generator=torch.Generator().manual_seed(0)).to(self.device)

    def state(self) -> dict:
        """All that the next epoch depends on."""
        return {
            "networks": {name: network.state_dict() for name, network in self.networks.items()},
            "averages": {name: network.state_dict() for name, network in self.averages.items()},
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all() if self.device.type == "cuda" else [],
        }

    def load_state(self, state: dict) -> None:
        """Continue from what `state` returned."""
        for name, network in self.networks.items():
            network.load_state_dict(state["networks"][name])
        for name, network in self.averages.items():
            network.load_state_dict(state["averages"][name])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        torch.set_rng_state(state["random"])
        if self.device.type == "cuda" and state["random_cuda"]:
            torch.cuda.set_rng_state_all(state["random_cuda"])


def has_bfloat16(device: torch.device) -> bool:
    """Whether `device` multiplies bfloat16 matrices in hardware."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def adam(parameters: Iterable[nn.Parameter], learning_rate: float) -> torch.optim.Optimizer:
    """Adam (Kingma & Ba 2014) with Keras' epsilon."""
    return torch.optim.Adam(parameters, learning_rate, eps=1e-7, fused=True)


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """The steps that `optimizer` takes from now on."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate


def descend(optimizer: torch.optim.Optimizer, loss: Tensor, retain_graph: bool = False) -> None:
    """One step of `optimizer` down the gradient of the scalar `loss` for its own parameters, and no others."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    optimizer.zero_grad()
    loss.backward(inputs=parameters, retain_graph=retain_graph)
    optimizer.step()


def discernment(on_real: Tensor, on_fake: Tensor) -> dict[str, Tensor]:
    """How often logits (N, 1) tell real digits and fakes rightly, as shares."""
    return {"real_right": (on_real > 0).float().mean(), "fake_right": (on_fake < 0).float().mean()}


def fit(training: Trainer, digits: Digits, held_out: Tensor, out: Path, log: Log) -> None:
    """Train from the epoch after those of `log` to the last; after each, write its results to `out`.

    Raises TrainingError when a metric is no longer finite or `out` cannot be written; the last checkpoint then stands.
    """
    epochs, size = training.config.epochs, digits.epoch_size(training.config.batch_size)
    with tqdm(total=epochs * size, initial=len(log.epochs) * size, disable=None, position=1, **_BAR) as run:
        run.set_description("run")
        for epoch in range(len(log.epochs) + 1, epochs + 1):
            started = time.perf_counter()
            with tqdm(total=size, disable=None, position=0, leave=False, **_BAR) as bar:
                bar.set_description(f"epoch {epoch}/{epochs}")
                metrics = _epoch(training, digits, epoch, [bar, run])
            training.end_epoch(digits)
            metrics = {"epoch": epoch, **metrics, "seconds": round(time.perf_counter() - started, 2)}
            log.epochs.append(metrics)
            checkpoint.save(out, training, log, _pictures(training, held_out))
            tqdm.write(_line(metrics, epochs))


_BAR = {"unit": " images", "unit_scale": True, "dynamic_ncols": True, "smoothing": 0.1}


def _epoch(training: Trainer, digits: Digits, epoch: int, bars: list[tqdm]) -> dict[str, float]:
    """Learn from every digit once, for the `epoch`-th time; the metrics' averages over the digits."""
    for network in training.networks.values():
        network.train()
    sums: dict[str, Tensor | float] = defaultdict(float)
    seen, size = 0, digits.epoch_size(training.config.batch_size)
    for images, labels in digits.batches(training.config.batch_size):
        training.progress = (epoch - 1 + seen / size) / training.config.epochs
        for name, value in training.step(images, labels).items():
            sums[name] += value.detach() * len(images)
        seen += len(images)
        for bar in bars:
            bar.update(len(images))
    training.progress = epoch / training.config.epochs
    metrics = {name: round(float(value) / seen, 6) for name, value in sums.items()}
    if not all(map(math.isfinite, metrics.values())):
        raise TrainingError(f"The training diverged ({json.dumps(metrics)}): try another --seed or --batch-size.")
    return metrics


@torch.inference_mode()
def _pictures(training: Trainer, held_out: Tensor) -> dict[str, bytes]:
    """The training's pictures as PNG files, ink black on white, ten digits a row."""
    from training.vision import save_image

    for network in training.networks.values():
        network.eval()
    files = {}
    for name, digits in training.pictures(held_out).items():
        png = io.BytesIO()
        save_image(1 - digits, png, format="png", nrow=10, pad_value=1)
        files[name] = png.getvalue()
    return files


def _line(metrics: dict, epochs: int) -> str:
    values = "  ".join(f"{name} {value:.4f}" for name, value in metrics.items() if name not in ("epoch", "seconds"))
    return f"epoch {metrics['epoch']}/{epochs}  {values}  ({metrics['seconds']:.1f} s)"
