"""The networks as they ship (contract C2): latents and labels → images (N, 1, 28, 28) in [0, 1], ink 1.

Each has two forms: the reference, as it was trained, and the optimized form that ships.
"""

import copy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from export.errors import ExportError
from export.graphs.rewrites import (
    FusedPrior,
    Interleave,
    PolyphaseConvTranspose2d,
    PolyphaseInputConvTranspose2d,
    WinogradConvTranspose2d,
    conv_as_transposed,
)
from export.weights import Weights
from training import cgan, gan, vae
from training.prior import Prior


class VaeGraph(nn.Module):
    """The VAE's decoder with a sigmoid: z (N, 2) → image.

    If a prior was fitted, it first maps the unit normal z to the distribution of the encoder's latents.
    """

    def __init__(self, decoder: vae.Decoder, prior: Prior | None = None):
        super().__init__()
        self.decoder = decoder
        self.prior = prior or nn.Identity()

    def forward(self, z: Tensor) -> Tensor:
        """Decode latents."""
        return torch.sigmoid(self.decoder(self.prior(z)))


class GanGraph(nn.Module):
    """The GAN's generator, rescaled from [-1, 1] to [0, 1]: z (N, 100) → image.

    If the generator was trained with a prior, it first maps the unit normal z to clusters.
    """

    def __init__(self, generator: gan.Generator, prior: gan.Prior | None = None):
        super().__init__()
        self.generator = generator
        self.prior = prior or nn.Identity()

    def forward(self, z: Tensor) -> Tensor:
        """Generate images from latents."""
        image = self.generator(self.prior(z)) * 0.5 + 0.5  # (N, 1, 28, 28)
        return image.clamp(0, 1)  # ONNX Runtime's tanh is an approximation that can exceed 1 by a rounding


class CganGraph(nn.Module):
    """The conditional GAN's generator: z (N, 128), label (N, 10) → image."""

    def __init__(self, generator: cgan.Generator):
        super().__init__()
        self.generator = generator

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        """Generate images from latents and labels."""
        return self.generator(z, label)


class OptimizedVae(nn.Module):
    """VaeGraph with polyphase convolutions and a fused prior."""

    def __init__(self, graph: VaeGraph):
        super().__init__()
        *head, first, activation, second, _, last = graph.decoder
        self.prior = FusedPrior(graph.prior) if isinstance(graph.prior, Prior) else graph.prior
        self.layers = nn.Sequential(
            *head,
            PolyphaseConvTranspose2d(first, activation),
            Interleave(),
            PolyphaseConvTranspose2d(second, activation),
            PolyphaseInputConvTranspose2d(last),
        )

    def forward(self, z: Tensor) -> Tensor:
        """Decode latents."""
        return torch.sigmoid(self.layers(self.prior(z)))


class OptimizedGan(nn.Module):
    """GanGraph with folded batch norms, the deep 5×5 layer by Winograd, and polyphase convolutions."""

    def __init__(self, graph: GanGraph):
        super().__init__()
        dense, norm, self.activation, unflatten, deep, deep_norm, _, upsample, up_norm, _, last = graph.generator.layers
        self.prior = graph.prior
        self.size = unflatten.unflattened_size[-1]
        self.dense = _columns_first(fuse_linear_bn_eval(dense, norm), unflatten.unflattened_size)
        self.deep = WinogradConvTranspose2d(fuse_conv_bn_eval(deep, deep_norm, transpose=True), self.size)
        self.tail = nn.Sequential(
            PolyphaseConvTranspose2d(fuse_conv_bn_eval(upsample, up_norm, transpose=True), self.activation),
            PolyphaseInputConvTranspose2d(last),
        )

    def forward(self, z: Tensor) -> Tensor:
        """Generate images from latents."""
        columns = self.activation(self.dense(self.prior(z))).unflatten(1, (self.size, -1))  # (N, 7, 256·7)
        x = self.activation(self.deep(columns))  # (N, 128, 7, 7)
        image = torch.tanh(self.tail(x)) * 0.5 + 0.5  # (N, 1, 28, 28)
        return image.clamp(0, 1)


class OptimizedCgan(nn.Module):
    """CganGraph with its last two layers as polyphase convolutions."""

    def __init__(self, graph: CganGraph):
        super().__init__()
        *head, first, activation, second, _, last = graph.generator.layers
        self.layers = nn.Sequential(
            *head,
            *self.first_upsampling(first, activation),
            PolyphaseConvTranspose2d(second, activation),
            PolyphaseInputConvTranspose2d(conv_as_transposed(last)),
        )

    def first_upsampling(self, layer: nn.ConvTranspose2d, activation: nn.Module) -> list[nn.Module]:
        """Return the first upsampling layer unchanged: it has enough channels to be fast."""
        return [layer, activation]

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        """Generate images from latents and labels."""
        return torch.sigmoid(self.layers(torch.cat([z, label], 1)))


class QuantizableCgan(OptimizedCgan):
    """OptimizedCgan with the first upsampling layer as a polyphase convolution, too.

    ONNX Runtime quantizes convolutions, but not transposed ones. The layer's 138 channels are padded with zeros to a
    multiple of four, because ONNX Runtime's WebGPU provider computes other numbers wrongly.
    """

    def __init__(self, graph: CganGraph):
        super().__init__(_with_padded_channels(graph))

    def first_upsampling(self, layer: nn.ConvTranspose2d, activation: nn.Module) -> list[nn.Module]:
        """Return the first upsampling layer as a polyphase convolution."""
        return [PolyphaseConvTranspose2d(layer, activation), Interleave()]


def _with_padded_channels(graph: CganGraph) -> CganGraph:
    """Return a copy whose first map has a multiple of four channels; the added ones are zero."""
    graph = copy.deepcopy(graph)
    dense, _, unflatten, layer, *_ = graph.generator.layers
    channels, height, width = unflatten.unflattened_size
    added = -channels % 4
    rows = added * height * width
    dense.weight = nn.Parameter(F.pad(dense.weight, (0, 0, 0, rows)))
    dense.bias = nn.Parameter(F.pad(dense.bias, (0, rows)))
    layer.weight = nn.Parameter(F.pad(layer.weight, (0, 0, 0, 0, 0, 0, 0, added)))
    dense.out_features, layer.in_channels = dense.out_features + rows, channels + added
    unflatten.unflattened_size = (channels + added, height, width)
    return graph


def _columns_first(dense: nn.Linear, shape: tuple[int, int, int]) -> nn.Linear:
    """Reorder the outputs of `dense` from a map of this shape (channels, rows, columns) to columns first."""
    order = torch.arange(dense.out_features).view(shape).permute(2, 0, 1).flatten()
    dense.weight, dense.bias = nn.Parameter(dense.weight[order]), nn.Parameter(dense.bias[order])
    return dense


@dataclass(frozen=True)
class Graph:
    """How a trained model becomes an inference graph."""

    reference: type[nn.Module]
    """The graph as trained."""
    optimized: type[nn.Module]
    """The graph that ships; made from the reference."""
    networks: dict[str, type[nn.Module]]
    """Networks by their names in the weights file; the first one's `input_shapes` are the graph's."""
    optional: frozenset[str] = frozenset()
    """Names of networks that only some recipes train."""
    left_out: frozenset[str] = frozenset()
    """Names of networks in the weights file that the graph does not need."""
    quantizable: type[nn.Module] | None = None
    """The form to quantize, if it is not the optimized one."""

    @property
    def inputs(self) -> dict[str, int]:
        """Width of each input by name."""
        first, *_ = self.networks.values()
        return {name: width for name, (width,) in zip(("z", "label"), first.input_shapes, strict=False)}

    def build(self, weights: Weights) -> nn.Module:
        """Return the reference graph with these weights, in evaluation mode; raise ExportError if they do not fit."""
        names = [name for name in self.networks if name not in self.optional or weights.network(name)]
        if unknown := weights.networks - {*self.networks, *self.left_out}:
            raise _misfit(weights, min(unknown))
        return self.reference(*(load(self.networks[name](), name, weights) for name in names)).eval()


GRAPHS = {
    "vae": Graph(
        VaeGraph, OptimizedVae, {"decoder": vae.Decoder, "prior": Prior}, frozenset({"prior"}), frozenset({"encoder"})
    ),
    "gan": Graph(GanGraph, OptimizedGan, {"generator": gan.Generator, "prior": gan.Prior}, frozenset({"prior"})),
    "cgan": Graph(CganGraph, OptimizedCgan, {"generator": cgan.Generator}, quantizable=QuantizableCgan),
}
INT8 = "-int8"
"""Suffix of the names of quantized models."""
FP16 = "-fp16"
"""Suffix of the names of models whose weights are stored as float16."""
SHIPPED = (*GRAPHS, f"cgan{INT8}", *(f"{name}{FP16}" for name in GRAPHS))
"""The models that ship; of the quantized ones, only the cgan is worth it."""


def base_model(name: str) -> str:
    """Return the model that `name` is a variant of (cgan for cgan-int8), or `name` itself; they share weights."""
    return name.removesuffix(INT8).removesuffix(FP16)


def load(network: nn.Module, name: str, weights: Weights) -> nn.Module:
    """Load the weights of `name` into `network`, in evaluation mode; raise ExportError if they do not fit."""
    try:
        network.load_state_dict(_with_counters(network, weights.network(name)))
    except RuntimeError as error:
        raise _misfit(weights, name) from error
    return network.eval()


def _misfit(weights: Weights, name: str) -> ExportError:
    return ExportError(f"{weights.path} does not fit the network {name} of this version. Train the model again.")


def _with_counters(network: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Add the network's own batch-norm counters, which are not saved because they have no effect after training."""
    counters = {key: value for key, value in network.state_dict().items() if key.endswith("num_batches_tracked")}
    return {**counters, **state}
