"""The networks as they ship: latents (and labels) in, digits (N, 1, 28, 28) in [0, 1] out, ink 1 (contract C2).

Each stands here twice: as it was trained, and in the form that ONNX Runtime runs fastest, which is what ships.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from export.errors import ExportError
from export.graphs.rewrites import Couplings, Phases, PhasesTransposed, WinogradConvTranspose2d, Woven, transposed
from export.weights import Weights
from training import cgan, gan, vae
from training.flow import Flow


class VaeGraph(nn.Module):
    """The VAE's decoder, its logits made pixels: z (N, 2) → image.

    A density, where one was fitted, first sends the unit normal's z to where the encoder puts digits.
    """

    def __init__(self, decoder: vae.Decoder, density: Flow | None = None):
        super().__init__()
        self.decoder = decoder
        self.density = density or nn.Identity()

    def forward(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.decoder(self.density(z)))


class GanGraph(nn.Module):
    """The GAN's generator, its tanh rescaled from [-1, 1] to [0, 1]: z (N, 100) → image.

    A prior, where the generator was trained with one, first moves the unit normal's z into clusters.
    """

    def __init__(self, generator: gan.Generator, prior: gan.Prior | None = None):
        super().__init__()
        self.generator = generator
        self.prior = prior or nn.Identity()

    def forward(self, z: Tensor) -> Tensor:
        image = self.generator(self.prior(z)) * 0.5 + 0.5  # (N, 1, 28, 28)
        return image.clamp(0, 1)  # ONNX Runtime's tanh is an approximation that can pass -1 by a rounding


class CganGraph(nn.Module):
    """The conditional GAN's generator as it is: z (N, 128), label (N, 10) → image."""

    def __init__(self, generator: cgan.Generator):
        super().__init__()
        self.generator = generator

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        return self.generator(z, label)


class FastVae(nn.Module):
    """What VaeGraph computes, its convolutions by phases, its density in fewer steps."""

    def __init__(self, graph: VaeGraph):
        super().__init__()
        *head, first, activation, second, _, last = graph.decoder
        self.density = Couplings(graph.density) if isinstance(graph.density, Flow) else graph.density
        self.layers = nn.Sequential(
            *head, Phases(first, activation), Woven(), Phases(second, activation), PhasesTransposed(last)
        )

    def forward(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.layers(self.density(z)))


class FastGan(nn.Module):
    """What GanGraph computes: batch norms merged, the deep 5×5 layer by Winograd, the last two by phases."""

    def __init__(self, graph: GanGraph):
        super().__init__()
        dense, norm, self.activation, unflatten, deep, deep_norm, _, upsample, up_norm, _, last = graph.generator.layers
        self.channels, size, _ = unflatten.unflattened_size
        self.prior = graph.prior
        self.dense = _pixels_first(fuse_linear_bn_eval(dense, norm), self.channels)
        self.deep = WinogradConvTranspose2d(fuse_conv_bn_eval(deep, deep_norm, transpose=True), size)
        self.map = deep.out_channels, size, size
        self.tail = nn.Sequential(
            Phases(fuse_conv_bn_eval(upsample, up_norm, transpose=True), self.activation), PhasesTransposed(last)
        )

    def forward(self, z: Tensor) -> Tensor:
        x = self.dense(self.prior(z)).unflatten(1, (-1, self.channels))  # (N, 49, 256)
        x = self.deep(self.activation(x.transpose(0, 1)))  # (49, N, 128)
        x = self.activation(x).flatten(1).T.reshape(-1, *self.map)  # (N, 128, 7, 7)
        image = torch.tanh(self.tail(x)) * 0.5 + 0.5  # (N, 1, 28, 28)
        return image.clamp(0, 1)


class FastCgan(nn.Module):
    """What CganGraph computes, its last two layers by phases."""

    def __init__(self, graph: CganGraph):
        super().__init__()
        *head, first, activation, second, _, last = graph.generator.layers
        self.layers = nn.Sequential(
            *head, *self.upsampled(first, activation), Phases(second, activation), PhasesTransposed(transposed(last))
        )

    def upsampled(self, layer: nn.ConvTranspose2d, activation: nn.Module) -> list[nn.Module]:
        """The first of the transposed convolutions, which is wide enough to be fast as it is."""
        return [layer, activation]

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        return torch.sigmoid(self.layers(torch.cat([z, label], 1)))


class EightBitCgan(FastCgan):
    """The same, the first by phases, too: in eight bits ONNX Runtime computes convolutions, and no transposed ones."""

    def upsampled(self, layer: nn.ConvTranspose2d, activation: nn.Module) -> list[nn.Module]:
        return [Phases(layer, activation), Woven()]


def _pixels_first(dense: nn.Linear, channels: int) -> nn.Linear:
    """`dense` with its outputs in the order (pixel, channel) in place of (channel, pixel)."""
    order = torch.arange(dense.out_features).view(channels, -1).T.flatten()
    dense.weight, dense.bias = nn.Parameter(dense.weight[order]), nn.Parameter(dense.bias[order])
    return dense


@dataclass(frozen=True)
class Graph:
    """How one model becomes a graph."""

    wrapper: type[nn.Module]
    """As trained."""
    fast: type[nn.Module]
    """The same, made from the former, as it ships."""
    networks: dict[str, type[nn.Module]]
    """Of the training, by their names in the weights file; the first's `input_shapes` are the graph's."""
    optional: frozenset[str] = frozenset()
    """Names of those that not every recipe trains."""
    eight_bit: type[nn.Module] | None = None
    """The form whose convolutions are best quantized, where that is not the fast one."""

    @property
    def inputs(self) -> dict[str, int]:
        """Width of each input, by name."""
        first, *_ = self.networks.values()
        return {name: width for name, (width,) in zip(("z", "label"), first.input_shapes, strict=False)}

    def build(self, weights: Weights) -> nn.Module:
        """The graph as trained, with these weights, ready to evaluate; raises ExportError where they do not fit."""
        names = [name for name in self.networks if name not in self.optional or weights.network(name)]
        return self.wrapper(*(load(self.networks[name](), name, weights) for name in names)).eval()


GRAPHS = {
    "vae": Graph(VaeGraph, FastVae, {"decoder": vae.Decoder, "density": Flow}, frozenset({"density"})),
    "gan": Graph(GanGraph, FastGan, {"generator": gan.Generator, "prior": gan.Prior}, frozenset({"prior"})),
    "cgan": Graph(CganGraph, FastCgan, {"generator": cgan.Generator}, eight_bit=EightBitCgan),
}
INT8 = "-int8"
"""What the name of a model's eight-bit form ends in."""
SHIPPED = (*GRAPHS, f"cgan{INT8}")
"""The models that ship: of the eight-bit forms only the one that is worth it."""


def original(name: str) -> str:
    """The model that `name` is a form of, such as cgan for cgan-int8: they share weights and inputs."""
    return name.removesuffix(INT8)


def load(network: nn.Module, name: str, weights: Weights) -> nn.Module:
    """`network` with the weights called `name`, ready to evaluate; raises ExportError where they do not fit."""
    try:
        network.load_state_dict(_without_counters(network, weights.network(name)))
    except RuntimeError as error:
        raise ExportError(f"{weights.path} does not fit the network of this version: train it anew.") from error
    return network.eval()


def _without_counters(network: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """`state` with the network's own batch-norm counters, which do nothing after training and are not saved."""
    counters = {key: value for key, value in network.state_dict().items() if key.endswith("num_batches_tracked")}
    return {**counters, **state}
