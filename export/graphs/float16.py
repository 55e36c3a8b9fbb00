"""Store a model's weights as float16, which halves its file; all computing stays in float32."""

import math

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from export.errors import ExportError
from export.graphs import convert

TOLERANCE = 1 / 255
"""Largest accepted difference of a pixel from PyTorch: one gray level."""
SMALL = 1024
"""Constants with fewer values stay in float32.

They are less than a hundredth of a file, but the GAN's prior and Winograd matrices are among them: with all
constants in float16, pixels of 6,000 digits changed by up to ten gray levels. The large ones alone change them by
up to 0.56 (GAN, 20,000 digits) and 0.65 (CGAN, 6,000 digits).
"""
FEW = 16
"""A matrix with fewer rows or columns also stays in float32.

The first layer of the VAE's decoder adds two products only, so that their rounding errors do not average out. In
float16, it changed 48 of 157 million pixels by two gray levels. In float32, no pixel changed by more than one.
"""


def store_as_float16(content: bytes) -> bytes:
    """Store the large float32 constants of an ONNX file as float16.

    A `Cast` converts each back to float32 where it is read. Runtimes that fold constants do this once, when they open
    the file.

    Args:
        content: The float32 ONNX file.

    Returns:
        The same model with float16 constants.

    Raises:
        ExportError: A weight is not a number, or too large for float16.
    """
    model = onnx.load_from_string(content)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    casts = [_shorten(tensor) for tensor in model.graph.initializer if _is_large(tensor)]
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.ClearField("metadata_props")
    return convert.finished(model, metadata)


def _is_large(tensor: TensorProto) -> bool:
    is_narrow = len(tensor.dims) == 2 and min(tensor.dims) < FEW
    return tensor.data_type == TensorProto.FLOAT and math.prod(tensor.dims) >= SMALL and not is_narrow


def _shorten(tensor: TensorProto) -> onnx.NodeProto:
    """Round a constant to float16 in place, under another name; return the node that restores float32."""
    name, stored = tensor.name, f"{tensor.name}.stored"
    with np.errstate(over="ignore"):
        values = numpy_helper.to_array(tensor).astype(np.float16)
    if not np.isfinite(values).all():
        raise ExportError(f"{name} holds a weight that float16 cannot store; expected numbers up to 65504.")
    tensor.CopyFrom(numpy_helper.from_array(values, stored))
    return helper.make_node("Cast", [stored], [name], to=TensorProto.FLOAT)
