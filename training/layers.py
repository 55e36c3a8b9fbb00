"""Layers that the networks share, as Keras has them or faster than PyTorch's, and what is done to them."""

from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def glorot(network: nn.Module) -> None:
    """Draw every weight as Keras does: Glorot-uniform (Glorot & Bengio 2010), biases zero."""
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def batch_norm(features: int, dimensions: int) -> nn.Module:
    """Keras' batch norm over `features` of vectors (`dimensions` 1) or images (2).

    Keras' momentum of 0.99 is the share that stays; PyTorch's is the share that comes in.
    """
    kind = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d}[dimensions]
    return kind(features, eps=1e-3, momentum=0.01)


@torch.inference_mode()
def estimate_batch_norm(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Set the statistics of the network's batch norms to the means over `batches` of inputs."""
    layers = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)]
    modes = [(layer, layer.training, layer.momentum) for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.train()
        layer.momentum = None  # a plain mean
    for batch in batches:
        network(batch)
    for layer, training, momentum in modes:
        layer.train(training)
        layer.momentum = momentum


class Dropout(nn.Module):
    """Inverted dropout (Srivastava et al. 2014) whose mask costs 16 random bits an element.

    `nn.Dropout` draws a whole float for each; `python -m training.benchmark` shows what that
    costs. The share dropped is `share` to within 2⁻¹⁶.
    """

    def __init__(self, share: float):
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        words = torch.empty((x.numel() + 3) // 4, dtype=torch.int64, device=x.device).random_(-(2**63), None)
        bits = words.view(torch.int16)[: x.numel()].as_strided(x.shape, x.stride())  # as x lies in memory
        first_kept = round(self.share * 2**16) - 2**15
        kept = bits.clamp_(first_kept - 1, first_kept).sub_(first_kept - 1)  # 0 or 1; vectorises, unlike a comparison
        return x * kept.to(x.dtype).div_(1 - self.share)


def _late_bias(layer: nn.Conv2d | nn.ConvTranspose2d, convolve: Callable[[Tensor | None], Tensor]) -> Tensor:
    """`convolve(bias)` for the layer's bias, which is added in a step of its own while training.

    On one thread of a CPU, PyTorch 2.13 spends more on a bias's gradient in bfloat16 than on all else of a
    convolution's, unless the bias is no part of it; `python -m training.benchmark` compares both.
    """
    if not layer.training or layer.bias is None:
        return convolve(layer.bias)
    y = convolve(None)
    return y + layer.bias.to(y.dtype)[:, None, None]


class Conv2d(nn.Conv2d):
    """`nn.Conv2d` of which the bias's gradient is cheap."""

    def forward(self, x: Tensor) -> Tensor:
        return _late_bias(self, lambda bias: F.conv2d(x, self.weight, bias, self.stride, self.padding))


class ConvTranspose2d(nn.ConvTranspose2d):
    """`nn.ConvTranspose2d` of which the bias's gradient is cheap."""

    def forward(self, x: Tensor) -> Tensor:
        steps = self.stride, self.padding, self.output_padding
        return _late_bias(self, lambda bias: F.conv_transpose2d(x, self.weight, bias, *steps))


class WideKernelConv2d(nn.Conv2d):
    """A stride-1 convolution to few channels, computed as the transposed convolution that equals it.

    On a CPU, oneDNN spends as much on one output channel of a convolution as on sixteen, and not so on one of a
    transposed convolution; `python -m training.benchmark` compares both.
    """

    def forward(self, x: Tensor) -> Tensor:
        flipped = self.weight.flip(2, 3).transpose(0, 1)  # (in, out, k, k)
        padding = [size - 1 - padding for size, padding in zip(self.kernel_size, self.padding, strict=True)]
        return _late_bias(self, lambda bias: F.conv_transpose2d(x, flipped, bias, padding=padding))
