"""A training step over virtual shards of the batch. Its result does not depend on the number of processes.

A batch is split into equal shards. Each process computes the losses and gradients of its own shards, one after the
other, as if each was the whole batch: with its own random numbers and its own batch-norm statistics. `mean_of_shards`
is the only place where shards meet. So every process takes the same optimizer steps, with the same bits.

PyTorch's DistributedDataParallel is not used: it synchronizes gradients in hooks of a backward pass, and a gradient
penalty differentiates twice (pytorch#47562).
"""

from collections.abc import Generator
from contextlib import nullcontext
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from training import processes
from training.shard_state import ShardState, batch_norms, shard_seed

if TYPE_CHECKING:
    from training.trainer import Trainer


class Minimize(NamedTuple):
    """A part of a training step: one step of an optimizer on a loss, averaged over the shards."""

    optimizer: torch.optim.Optimizer
    loss: Tensor
    """Scalar. Gradients are computed for the optimizer's own parameters only."""
    retain_graph: bool = False
    """Whether the next loss needs the same graph."""


Losses = Generator[Minimize, None, dict[str, Tensor]]
"""Yields what to minimize, in order; returns scalar metrics."""


def take_step(trainer: "Trainer", images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Take all optimizer steps of one batch; return its metrics.

    Args:
        trainer: Its `losses` are minimized.
        images: (B, 1, 28, 28) in [0, 1]; B is a multiple of the number of shards.
        labels: (B,).

    Raises:
        LostProcessError: If another process has ended or does not answer.
    """
    count = trainer.config.shards
    if count == 1:  # the whole batch, with the global state
        shards = [Shard(trainer.losses(images, labels))]
    else:
        batches = list(zip(images.chunk(count), labels.chunk(count), strict=True))
        seeds = [shard_seed(trainer.config.seed, trainer.steps_done, index, count) for index in range(count)]
        shards = [
            Shard(trainer.losses(*batches[index]), ShardState(seeds[index], trainer.networks, trainer.device))
            for index in own_shards(count)
        ]
    while _minimize_next(shards):
        pass
    return shards[0].metrics if count == 1 else _mean_metrics(trainer, shards)


def own_shards(count: int) -> range:
    """Return the indices of this process's shards, of `count`."""
    each = count // processes.size()
    return range(processes.rank() * each, (processes.rank() + 1) * each)


def mean_of_shards(rows: Tensor) -> Tensor:
    """Return the mean (n,) of the rows of all shards, from the rows (k, n) of this process's shards.

    The rows are added in the order of the shards, because floating-point sums depend on the order.
    """
    rows = processes.gather(rows)  # (shards, n)
    total = rows[0].clone()  # (n,)
    for row in rows[1:]:
        total += row
    return total / len(rows)


class Shard:
    """A part of a batch: its losses, of which some are computed, and its state; without one, the global state."""

    def __init__(self, losses: Losses, state: ShardState | None = None):
        self.losses = losses
        self.state = state
        self.metrics: dict[str, Tensor] = {}

    def next(self) -> Minimize | None:
        """Compute what to minimize next; None at the end, when the metrics are known."""
        with self.state or nullcontext():
            try:
                return next(self.losses)
            except StopIteration as end:
                self.metrics = end.value
                return None


def _minimize_next(shards: list[Shard]) -> bool:
    """Take the optimizer step that the shards yield next; return False at their end."""
    gradients = []
    for shard in shards:  # one after the other, so that only one of their graphs is in memory
        part = shard.next()
        if part is None:
            continue
        parameters = [parameter for group in part.optimizer.param_groups for parameter in group["params"]]
        part.optimizer.zero_grad()
        part.loss.backward(inputs=parameters, retain_graph=part.retain_graph)
        if shard.state:
            gradients.append(torch.cat([parameter.grad.flatten() for parameter in parameters]))
    if part is None:
        return False
    if gradients:
        _write([parameter.grad for parameter in parameters], mean_of_shards(torch.stack(gradients)))
    part.optimizer.step()
    return True


def _mean_metrics(trainer: "Trainer", shards: list[Shard]) -> dict[str, Tensor]:
    """Return the mean of each metric over all shards, and set the batch-norm statistics to their means."""
    names = list(shards[0].metrics)
    rows = []
    for shard in shards:
        metrics = [shard.metrics[name].detach().double().to(trainer.device) for name in names]
        rows.append(torch.cat([torch.stack(metrics), shard.state.statistics()]))
    metrics, statistics = mean_of_shards(torch.stack(rows)).tensor_split([len(names)])
    _write([buffer for norm in batch_norms(trainer.networks) for buffer in norm.buffers()], statistics)
    return dict(zip(names, metrics, strict=True))


def _write(tensors: list[Tensor], values: Tensor) -> None:
    """Write the vector `values` into `tensors`, one after the other."""
    for tensor, part in zip(tensors, values.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(part.view(tensor.shape))
