"""Random numbers and batch-norm statistics of one shard, in place of the global ones while its losses are computed."""

from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn


class ShardState(AbstractContextManager[None]):
    """Context with the random generators and batch-norm statistics of one shard. It can be entered several times.

    Args:
        seed: Seed of the shard's generators.
        networks: Networks whose running statistics are kept. Those of the shard start from the current ones.
        device: Device of the networks.
    """

    def __init__(self, seed: int, networks: dict[str, nn.Module], device: torch.device):
        self.device = device
        generators = [torch.Generator(each).manual_seed(seed) for each in _devices(device)]
        self.random = [generator.get_state() for generator in generators]
        self.norms = batch_norms(networks)
        self.buffers = [{name: buffer.clone() for name, buffer in norm.named_buffers()} for norm in self.norms]

    def __enter__(self) -> None:
        self._swap()

    def __exit__(self, *exception: object) -> None:
        self._swap()

    def statistics(self) -> Tensor:
        """Return the running statistics of the shard, float64 (n,)."""
        buffers = [buffer for norm in self.buffers for buffer in norm.values()]
        return torch.cat([torch.empty(0, device=self.device), *(buffer.flatten().double() for buffer in buffers)])

    def _swap(self) -> None:
        """Exchange the shard's state for the global one, or back."""
        random = _random(self.device)
        _set_random(self.device, self.random)
        self.random = random
        for norm, buffers in zip(self.norms, self.buffers, strict=True):
            for name, buffer in list(buffers.items()):
                buffers[name] = getattr(norm, name)
                setattr(norm, name, buffer)  # not copied: autograd refuses buffers that were changed after it saw them


def batch_norms(networks: dict[str, nn.Module]) -> list[nn.Module]:
    """Return all batch-norm layers of the networks."""
    layers = [layer for network in networks.values() for layer in network.modules()]
    return [layer for layer in layers if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)]


def shard_seed(seed: int, step: int, shard: int, shards: int) -> int:
    """Return the seed of a shard's generators, a different one for each shard of each step of a training.

    PyTorch's generator for CPUs uses 32 bits of a seed. Multiplication by an odd number keeps them different.
    """
    return (seed + 0x9E3779B1 * (step * shards + shard + 1)) % 2**32


def _devices(device: torch.device) -> list[torch.device]:
    """Return the devices whose generators are used: the CPU's, and that of `device`."""
    return [torch.device("cpu"), *([device] if device.type == "cuda" else [])]


def _random(device: torch.device) -> list[Tensor]:
    """Return the states of the global generators."""
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state(device)] if device.type == "cuda" else [])]


def _set_random(device: torch.device, states: list[Tensor]) -> None:
    """Set the states of the global generators."""
    torch.set_rng_state(states[0])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states[1], device)
