"""The training loop that all models share: epochs, metrics, exponential moving averages (EMA), sample grids."""

import copy
import hashlib
import io
import json
import math
import time
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from training import checkpoint, processes
from training.checkpoint import Log
from training.data import Digits
from training.errors import TrainingError
from training.layers import glorot_uniform_
from training.preview import terminal_preview
from training.progress import Progress
from training.shards import Losses, take_step
from training.speed import speed_up

SAMPLES = 100
"""Number of generated images in a sample grid, a multiple of ten."""


@dataclass(frozen=True)
class Config:
    """Everything that determines the trained weights, except the machine. Each model sets its own defaults."""

    model: str
    epochs: int
    batch_size: int
    learning_rate: float
    seed: int = 0
    limit: int | None = None
    """Train on the first `limit` images only; None for all 60,000."""
    recipe: str = "seed"
    """Name of the recipe, whose settings are the defaults of the other fields."""
    shards: int = 1
    """Number of equal parts of a batch that devices can share (`training.shards`)."""

    @property
    def is_custom(self) -> bool:
        """Whether any field except the seed differs from the recipe."""
        defaults = type(self)()
        return replace(self, seed=defaults.seed) != defaults


class Trainer(ABC):
    """Networks, their optimizers and one training step. Each model has a subclass."""

    exported_networks: ClassVar[tuple[str, ...]]
    """Names of the networks whose weights are saved at the end."""
    optimizers: dict[str, torch.optim.Optimizer]
    progress: float = 0.0
    """Fraction of all training steps done, for schedules."""
    steps_done: int = 0
    """Number of all training steps done."""

    def __init__(self, config: Config, **networks: nn.Module):
        self.config = config
        self.device = torch.device("cpu")
        self.networks = networks
        self.ema: dict[str, nn.Module] = {}
        torch.manual_seed(config.seed)
        for network in networks.values():
            self.initialize(network)

    def initialize(self, network: nn.Module) -> None:
        """Set the initial weights of `network`."""
        glorot_uniform_(network)

    def step(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Train on images (B, 1, 28, 28) in [0, 1] and labels (B,); return scalar metrics."""
        self.before_step()
        metrics = take_step(self, images, labels)
        self.after_step()
        return metrics

    @abstractmethod
    def losses(self, images: Tensor, labels: Tensor) -> Losses:
        """Yield what to minimize on images (B, 1, 28, 28) in [0, 1] and labels (B,); return scalar metrics.

        A step runs this once for each shard of its batch. After each `yield`, the optimizer step has been taken.
        """

    def before_step(self) -> None:  # noqa: B027 (optional)
        """Set the learning rates for `progress`."""

    def after_step(self) -> None:  # noqa: B027 (optional)
        """Update the averages of the weights."""

    @abstractmethod
    def sample_grids(self, test_images: Tensor) -> dict[str, Tensor]:
        """Return images (N, 1, 28, 28) in [0, 1] to show after each epoch, by file name.

        Args:
            test_images: (20, 1, 28, 28) in [0, 1], from MNIST's test set.
        """

    def end_epoch(self, digits: Digits) -> None:  # noqa: B027 (most trainers do nothing)
        """Run after each epoch, before the checkpoint is saved. `digits` is the training set."""

    def track_ema(self, name: str) -> None:
        """Keep an exponential moving average of the weights of network `name`, which is exported in its place."""
        self.ema[name] = copy.deepcopy(self.networks[name]).eval().requires_grad_(False)

    @torch.no_grad()
    def update_ema(self, decay: float) -> None:
        """Update every EMA: ema = decay · ema + (1 - decay) · weights."""
        for name, ema in self.ema.items():
            for average, weight in zip(ema.parameters(), self.networks[name].parameters(), strict=True):
                average.lerp_(weight, 1 - decay)

    def exported(self, name: str) -> nn.Module:
        """Return the EMA of network `name` if there is one, else the network."""
        return self.ema.get(name, self.networks[name])

    def exported_weights(self) -> dict[str, Tensor]:
        """Return the weights of the exported networks, float32, by "network.parameter"."""
        return {
            f"{name}.{key}": value.float().cpu().contiguous()
            for name in self.exported_networks
            for key, value in self.exported(name).state_dict().items()
            if not key.endswith("num_batches_tracked")
        }

    def to(self, device: torch.device) -> None:
        """Move all networks to `device` with the fastest layers and memory layout for convolutions."""
        self.device = device
        for network in [*self.networks.values(), *self.ema.values()]:
            speed_up(network).to(device, memory_format=torch.channels_last)

    def autocast(self) -> torch.autocast:
        """Return a context that computes convolutions and matrix products in bfloat16 if the hardware supports it."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=has_bfloat16(self.device))

    def fixed_latents(self, n: int, size: int) -> Tensor:
        """Return latents (n, size), the same at every call, without using the global random generator."""
        return torch.randn(n, size, generator=torch.Generator().manual_seed(0)).to(self.device)

    def state(self) -> dict:
        """Return everything that the next epoch depends on."""
        return {
            "config": asdict(self.config),
            "networks": {name: network.state_dict() for name, network in self.networks.items()},
            "ema": {name: network.state_dict() for name, network in self.ema.items()},
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            "random": torch.get_rng_state(),
            "random_cuda": [torch.cuda.get_rng_state(self.device)] if self.device.type == "cuda" else [],
        }

    def load_state(self, state: dict) -> None:
        """Restore what `state` returned."""
        for name, network in self.networks.items():
            network.load_state_dict(state["networks"][name])
        for name, network in self.ema.items():
            network.load_state_dict(state["ema"][name])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        torch.set_rng_state(state["random"])
        if self.device.type == "cuda" and state["random_cuda"]:
            torch.cuda.set_rng_state(state["random_cuda"][0], self.device)

    def digest(self) -> bytes:
        """Return a SHA-256 of all weights and of the random generator."""
        networks = [*self.networks.values(), *self.ema.values()]
        tensors = [tensor for network in networks for tensor in network.state_dict().values()]
        digest = hashlib.sha256(torch.get_rng_state().numpy().tobytes())
        for tensor in tensors:
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
        return digest.digest()


def has_bfloat16(device: torch.device) -> bool:
    """Return whether `device` has instructions for bfloat16 matrix products."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def adam(parameters: Iterable[nn.Parameter], learning_rate: float) -> torch.optim.Optimizer:
    """Return an Adam optimizer (Kingma & Ba 2014) with Keras' epsilon."""
    return torch.optim.Adam(parameters, learning_rate, eps=1e-7, fused=True)


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Set the learning rate of all parameters of `optimizer`."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate


def discriminator_accuracy(real_logits: Tensor, fake_logits: Tensor) -> dict[str, Tensor]:
    """Return how often logits (N, 1) classify real images and fakes correctly."""
    return {
        "d_real_accuracy": (real_logits > 0).float().mean(),
        "d_fake_accuracy": (fake_logits < 0).float().mean(),
    }


def train(
    trainer: Trainer,
    digits: Digits,
    test_images: Tensor,
    out: Path,
    log: Log,
    on_checkpoint: Callable[[Log], None] = lambda log: None,
) -> None:
    """Train for the epochs that `log` does not have yet, and save a checkpoint to `out` after each.

    Args:
        trainer: Networks and training step.
        digits: Training set.
        test_images: (20, 1, 28, 28) in [0, 1], for the sample grids.
        out: Existing folder.
        log: History, to which each epoch is added.
        on_checkpoint: Function to call with the log after each checkpoint.

    Raises:
        TrainingError: If a metric is not finite or `out` is not writable. The last checkpoint stays as it is.
    """
    config = trainer.config
    size = digits.epoch_size(config.batch_size, config.shards)
    with Progress(config.epochs, size, len(log.epochs), hidden=not processes.is_main()) as bar:
        for epoch in range(len(log.epochs) + 1, config.epochs + 1):
            start = time.perf_counter()
            metrics = {"epoch": epoch, **_train_epoch(trainer, digits, epoch, bar)}
            if processes.size() > 1:
                processes.require_equal(trainer.digest(), epoch)
            trainer.end_epoch(digits)
            metrics["seconds"] = round(time.perf_counter() - start, 2)
            log.epochs.append(metrics)
            state, grids = trainer.state(), _sample_grids(trainer, test_images)
            if not processes.is_main():
                continue
            checkpoint.save(out, state, log, {name: _png(images) for name, images in grids.items()})
            on_checkpoint(log)
            bar.print(_format(metrics, config.epochs))
            if "samples" in grids and (digits_row := terminal_preview(grids["samples"])):
                bar.print(digits_row)


def _train_epoch(trainer: Trainer, digits: Digits, epoch: int, bar: Progress) -> dict[str, float]:
    """Train on every digit once; return the mean of each metric over the digits."""
    config = trainer.config
    totals: dict[str, Tensor | float] = defaultdict(float)
    seen, size = 0, digits.epoch_size(config.batch_size, config.shards)
    for network in trainer.networks.values():
        network.train()
    bar.start_epoch(epoch)
    first = (epoch - 1) * math.ceil(size / config.batch_size)
    batches = digits.batches(config.batch_size, config.shards)
    for number, (images, labels) in enumerate(batches, first):
        trainer.steps_done = number
        trainer.progress = (epoch - 1 + seen / size) / config.epochs
        step_metrics = trainer.step(images, labels)
        for name, value in step_metrics.items():
            totals[name] += value.detach() * len(images)
        seen += len(images)
        bar.update(len(images), step_metrics)
    trainer.progress = epoch / config.epochs
    metrics = {name: round(float(total) / seen, 6) for name, total in totals.items()}
    if not all(map(math.isfinite, metrics.values())):
        raise TrainingError(
            f"The metrics of epoch {epoch} are {json.dumps(metrics)}; expected finite numbers. The training has "
            f"diverged: try another --seed or --batch-size."
        )
    return metrics


@torch.inference_mode()
def _sample_grids(trainer: Trainer, test_images: Tensor) -> dict[str, Tensor]:
    """Return the trainer's sample grids, made with its networks in evaluation mode."""
    for network in trainer.networks.values():
        network.eval()
    return trainer.sample_grids(test_images)


def _png(images: Tensor) -> bytes:
    """Return images (N, 1, 28, 28) in [0, 1] as a PNG file, white ink on black, ten per row."""
    from training.vision import save_image  # slow to import; not needed by --summary and --help

    png = io.BytesIO()
    save_image(images, png, format="png", nrow=10)
    return png.getvalue()


def _format(metrics: dict[str, float], epochs: int) -> str:
    values = "  ".join(f"{name} {value:.4f}" for name, value in metrics.items() if name not in ("epoch", "seconds"))
    return f"epoch {metrics['epoch']}/{epochs}  {values}  ({metrics['seconds']:.1f} s)"
