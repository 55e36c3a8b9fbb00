"""Exact rewrites of layers into forms that ONNX Runtime computes faster on a CPU, equal up to rounding.

Each export compares the result with the trained network; `python -m export.benchmark` measures the gain.

**Polyphase convolution.** ONNX Runtime computes a transposed convolution as a matrix product followed by a slow sum of
overlapping patches. But of the output of a stride-2 transposed convolution, the pixels at even rows and even columns
are an ordinary convolution of the input with every second row and column of the kernel. The same holds for the three
other combinations of even and odd. So the layer becomes four small convolutions, for which ONNX Runtime has a fast
blocked kernel.

**Winograd convolution** computes small tiles of a convolution with fewer multiplications, see
`WinogradConvTranspose2d`.
"""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from training.prior import Prior

PHASES = ((0, 0), (0, 1), (1, 0), (1, 1))
"""Phase (a, b) of a map holds its pixels (2i + a, 2j + b)."""
MAX_CHANNELS = 128
"""Channels that ONNX Runtime sums in one go. How it splits more depends on the threads, and so do the last bits."""


class PolyphaseConvTranspose2d(nn.Module):
    """A stride-2 transposed convolution and its activation: x (N, C, H, W) → four phases (N, out, H, W)."""

    def __init__(self, layer: nn.ConvTranspose2d, activation: nn.Module):
        super().__init__()
        self.activation = activation
        self.paddings: list[tuple[int, int, int, int]] = []
        self.convolutions = nn.ModuleList()
        for a, b in PHASES:
            (rows, top, bottom), (columns, left, right) = _taps(layer, a), _taps(layer, b)
            convolution = nn.Conv2d(layer.in_channels, layer.out_channels, (len(rows), len(columns)))
            weight = layer.weight[:, :, rows][:, :, :, columns].transpose(0, 1)  # (out, C, rows, columns)
            convolution.weight = nn.Parameter(weight.contiguous())
            convolution.bias = layer.bias
            self.convolutions.append(convolution)
            self.paddings.append((left, right, top, bottom))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Compute the four phases of the output."""
        padded = zip(self.convolutions, self.paddings, strict=True)
        return [self.activation(convolution(F.pad(x, padding))) for convolution, padding in padded]


def _taps(layer: nn.ConvTranspose2d, phase: int) -> tuple[list[int], int, int]:
    """Return the kernel rows that contribute to a phase, in the order of the inputs they read, and the padding.

    Output 2i + a of a transposed convolution is the sum over k of x[i + (a + padding - k) / 2] · w[k].
    """
    reach = phase + layer.padding[0]
    taps = [k for k in reversed(range(layer.kernel_size[0])) if (reach - k) % 2 == 0]
    return taps, (taps[0] - reach) // 2, (reach - taps[-1]) // 2


class Interleave(nn.Module):
    """Four phases (N, C, H, W) → the map (N, C, 2H, 2W).

    Concatenating two rows in memory gives a row of the wider map, so only columns are moved one by one.
    """

    def forward(self, phases: list[Tensor]) -> Tensor:
        """Interleave the phases."""
        upper_left, upper_right, lower_left, lower_right = phases
        left = torch.cat([upper_left, lower_left], 3)  # (N, C, H, 2W), in memory as (N, C, 2H, W)
        right = torch.cat([upper_right, lower_right], 3)
        _, channels, height, double = left.shape
        return torch.stack([left, right], 4).reshape(-1, channels, 2 * height, double)


class PolyphaseInputConvTranspose2d(nn.Module):
    """A transposed convolution to one channel of a map given by its four phases (N, C, H, W).

    The pixels of a phase are twice as far apart, so its stride doubles, and its output is shifted by the phase. All
    kernels are padded to one size that holds the shift, because PyTorch pads both sides of a convolution alike. As
    channels of one kernel they are faster, if they are at most MAX_CHANNELS.
    """

    def __init__(self, layer: nn.ConvTranspose2d):
        super().__init__()
        stride, _ = layer.stride
        self.stride, self.padding, self.output_padding = 2 * stride, layer.padding, layer.output_padding
        self.bias = layer.bias
        frames = [(stride * b, stride * (1 - b), stride * a, stride * (1 - a)) for a, b in PHASES]
        kernels = [F.pad(layer.weight, frame) for frame in frames]  # (C, 1, kernel + stride, kernel + stride) each
        self.together = len(PHASES) * layer.in_channels <= MAX_CHANNELS
        self.kernels = nn.ParameterList([torch.cat(kernels)] if self.together else kernels)

    def forward(self, phases: list[Tensor]) -> Tensor:
        """Compute the image (N, 1, H, W)."""
        parts = [torch.cat(phases, 1)] if self.together else phases
        biases = (self.bias, None, None, None)
        outputs = (
            F.conv_transpose2d(part, kernel, bias, self.stride, self.padding, self.output_padding)
            for part, kernel, bias in zip(parts, self.kernels, biases, strict=False)
        )
        return sum(outputs)


def conv_as_transposed(layer: nn.Conv2d) -> nn.ConvTranspose2d:
    """Return the transposed convolution that equals a stride-1 convolution; it is cheaper for few output channels."""
    (size, _), (padding, _) = layer.kernel_size, layer.padding
    transposed = nn.ConvTranspose2d(layer.in_channels, layer.out_channels, size, padding=size - 1 - padding)
    transposed.weight = nn.Parameter(layer.weight.flip(2, 3).transpose(0, 1).contiguous())
    transposed.bias = layer.bias
    return transposed


class FusedPrior(nn.Module):
    """A prior that transforms both coordinates at once: points (N, 2) → latents (N, 2).

    Matrix products replace splitting and joining the coordinates. For a single image, starting such small operators
    takes longer than their arithmetic.
    """

    def __init__(self, prior: Prior):
        super().__init__()
        self.prior = prior
        self.repeat = nn.Linear(2, 6)  # a point (x, y) → (x, x, y, y, 1, 1)
        self.repeat.weight = nn.Parameter(torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1], [0, 0], [0, 0]]))
        self.repeat.bias = nn.Parameter(torch.tensor([0.0, 0, 0, 0, 1, 1]))
        self.sum = nn.Linear(6, 2, bias=False)  # of every second number
        self.sum.weight = nn.Parameter(torch.eye(2).repeat(1, 3))

    def forward(self, points: Tensor) -> Tensor:
        """Transform the points."""
        maps = self.prior.maps(self.prior.weights(points))  # (N, 6)
        return self.sum(maps * self.repeat(points))  # (N, 2)


class WinogradConvTranspose2d(nn.Module):
    """A stride-1 transposed convolution of small, deep maps by Winograd's minimal filtering.

    Evaluating two polynomials at enough points and multiplying the values gives their product with fewer
    multiplications than multiplying all coefficients. A convolution is a product of polynomials, so four columns of the
    output of a kernel with five columns take 8 multiplications for each of its rows instead of 20 (Winograd 1980;
    Lavin & Gray 2016). Each point becomes a group of channels of an ordinary convolution, whose kernel has one column.
    Evaluating rows and columns in tiles of 2×2 takes as many multiplications for a map of 7×7, and was slower.
    """

    TILE = 4

    def __init__(self, layer: nn.ConvTranspose2d, size: int):
        super().__init__()
        (kernel, _), (padding, _) = layer.kernel_size, layer.padding
        backward, of_kernel, forward = toom_cook(self.TILE, kernel)
        self.points, self.tiles, self.size = len(forward), -(-size // self.TILE), size
        self.channels, self.out, self.margin = layer.in_channels, layer.out_channels, kernel - 1 - padding
        self.forward_transform = _constant(self._of_tiles(forward))  # (points·tiles, map)
        self.backward_transform = _constant(backward)  # (tile, points)
        weight = layer.weight.flip(2, 3).permute(3, 1, 0, 2)  # (kernel columns, out, C, kernel rows)
        kernels = torch.from_numpy(of_kernel).float() @ weight.reshape(kernel, -1)  # (points, out·C·kernel rows)
        self.weight = nn.Parameter(kernels.reshape(-1, self.channels, kernel, 1))  # (points·out, C, kernel rows, 1)
        bias = torch.zeros(self.points, self.out)
        bias[POINTS.index(1)] = layer.bias  # the value at 1 is added once to each column
        self.bias = nn.Parameter(bias.flatten())

    def _of_tiles(self, forward: NDArray) -> NDArray:
        """Return the transform (points·tiles, map) of all tiles of a row; pixels outside the map are 0."""
        points, reach = forward.shape
        rows = np.zeros((points, self.tiles, self.margin + self.size + reach))
        for tile in range(self.tiles):
            first = tile * self.TILE
            rows[:, tile, first : first + reach] = forward
        return rows[:, :, self.margin : self.margin + self.size].reshape(-1, self.size)

    def forward(self, columns: Tensor) -> Tensor:
        """Compute the map (N, out, map, map) from the columns (N, map, C·map) of a map."""
        x = self.forward_transform @ columns  # (N, points·tiles, C·map)
        x = x.reshape(-1, self.points, self.tiles, self.channels * self.size).transpose(2, 3)
        x = x.reshape(-1, self.points * self.channels, self.size, self.tiles)
        padding = (self.margin, 0)
        x = F.conv2d(x, self.weight, self.bias, padding=padding, groups=self.points)  # (N, points·out, map, tiles)
        x = self.backward_transform @ x.reshape(-1, self.points, self.out * self.size * self.tiles)
        x = x.transpose(1, 2).reshape(-1, self.out, self.size, self.tiles * self.TILE)
        return x[..., : self.size]


POINTS = (0, 1, -1, 0.5, -0.5, 2, -2)
"""Where the polynomials are evaluated, besides infinity: of the sets tried, this one rounds least."""


def toom_cook(outputs: int, taps: int) -> tuple[NDArray, NDArray, NDArray]:
    """Return the matrices of the transposed Toom-Cook algorithm (Winograd 1980).

    Args:
        outputs: Outputs of a tile.
        taps: Size of the kernel; outputs + taps - 1 = R is one more than the number of POINTS.

    Returns:
        Matrices A (outputs, R), B (R, taps) and C (R, R), so that the correlation of x with w is A((B w)·(C x)).
    """

    def evaluation(size: int) -> NDArray:
        """Return the values (R, size) of a polynomial's terms at all points, the last one infinity."""
        return np.vstack([np.vander(POINTS, size, increasing=True), np.eye(size)[-1]])

    forward = np.linalg.inv(evaluation(outputs + taps - 1)).T
    scale = np.abs(forward).max(1, keepdims=True)  # moved to the kernel's side, which is computed once
    return evaluation(outputs).T, evaluation(taps) * scale, forward / scale


def _constant(matrix: NDArray) -> nn.Buffer:
    return nn.Buffer(torch.from_numpy(matrix).float())
