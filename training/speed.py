"""Faster variants of PyTorch's layers for training on a CPU.

The model files use plain `nn` layers. `speed_up` replaces them before training by variants that compute the same
function. `python -m training.benchmark` measures what each variant saves.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def speed_up(network: nn.Module) -> nn.Module:
    """Replace the layers of `network` by faster variants, in place, and return it.

    Parameters, buffers, hooks and state-dict keys stay the same, since only the class of a layer changes, as in
    `torch.nn.utils.parametrize`.
    """
    for layer in network.modules():
        layer.__class__ = _fast_class(layer)
    return network


def _fast_class(layer: nn.Module) -> type[nn.Module]:
    if type(layer) is nn.Conv2d:
        return TransposedConv2d if _suits_transposed(layer) else LateBiasConv2d
    if type(layer) is nn.ConvTranspose2d:
        return LateBiasConvTranspose2d
    if type(layer) is nn.Dropout and 0 < round(layer.p * 2**16) < 2**16:
        return FastDropout
    return type(layer)


def _suits_transposed(layer: nn.Conv2d) -> bool:
    """Return whether `TransposedConv2d` computes the same as `layer`, and faster."""
    has_few_outputs = layer.out_channels < 16
    is_plain = layer.stride == layer.dilation == (1, 1) and layer.groups == 1
    is_zero_padded = layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    return has_few_outputs and is_plain and is_zero_padded


def _late_bias(layer: nn.Conv2d | nn.ConvTranspose2d, convolve: Callable[[Tensor | None], Tensor]) -> Tensor:
    """Return `convolve(layer.bias)`; in training mode, add the bias after the convolution.

    On one CPU thread in bfloat16, PyTorch 2.13 needs more time for the gradient of a bias inside a convolution than for
    the rest of the backward pass.
    """
    if not layer.training or layer.bias is None:
        return convolve(layer.bias)
    y = convolve(None)
    return y + layer.bias.to(y.dtype)[:, None, None]


class LateBiasConv2d(nn.Conv2d):
    """`nn.Conv2d` that adds its bias in a separate step while training."""

    def forward(self, x: Tensor) -> Tensor:
        """Convolve `x` (N, in, H, W)."""
        return _late_bias(self, lambda bias: self._conv_forward(x, self.weight, bias))


class LateBiasConvTranspose2d(nn.ConvTranspose2d):
    """`nn.ConvTranspose2d` that adds its bias in a separate step while training."""

    def forward(self, x: Tensor) -> Tensor:
        """Convolve `x` (N, in, H, W)."""
        options = self.stride, self.padding, self.output_padding, self.groups, self.dilation
        return _late_bias(self, lambda bias: F.conv_transpose2d(x, self.weight, bias, *options))


class TransposedConv2d(nn.Conv2d):
    """Stride-1 convolution to few channels, computed as the equivalent transposed convolution.

    On a CPU, oneDNN's convolution takes as long for 1 output channel as for 16; its transposed convolution does not.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Convolve `x` (N, in, H, W)."""
        flipped = self.weight.flip(2, 3).transpose(0, 1)  # (in, out, k, k)
        padding = [size - 1 - padding for size, padding in zip(self.kernel_size, self.padding, strict=True)]
        return _late_bias(self, lambda bias: F.conv_transpose2d(x, flipped, bias, padding=padding))


class FastDropout(nn.Dropout):
    """Inverted dropout (Srivastava et al. 2014) with a mask of 16 random bits per element.

    `nn.Dropout` draws a float per element. The dropout rate is `p` rounded to a multiple of 2⁻¹⁶.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Drop elements of `x` at random while training."""
        if not self.training:
            return x
        words = torch.empty((x.numel() + 3) // 4, dtype=torch.int64, device=x.device).random_(-(2**63), None)
        bits = words.view(torch.int16)[: x.numel()].as_strided(x.shape, x.stride())  # same memory layout as x
        threshold = round(self.p * 2**16) - 2**15
        kept = bits.clamp_(threshold - 1, threshold).sub_(threshold - 1)  # 0 or 1; unlike >=, this is vectorized
        return x * kept.to(x.dtype).div_(1 - self.p)
