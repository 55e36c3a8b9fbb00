"""Quantize a model's convolutions to int8, which processors multiply faster."""

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType
from onnxruntime.quantization.calibrate import CalibrationMethod, TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from export.graphs import convert
from export.graphs.models import Graph
from mnistgen.inference.session import CPU

TOLERANCE = 0.9
"""Largest accepted difference of a pixel from PyTorch. Single ones at edges may; the certificate decides."""
QUANTIZED = ["Conv"]
"""Operators that ONNX Runtime computes in int8; transposed convolutions are not among them."""
CALIBRATION_IMAGES = 256
"""Images from which the ranges of activations are taken."""
CLIPPED_INPUTS, CLIPPED_OUTPUTS = 0.001, 0.003
"""Share of the activations that is clipped at either end of a range, for inputs and outputs of quantized operators.

A few activations are several times as large as all others. Without them, the others are rounded in smaller steps.
"""


def quantize(graph: Graph, content: bytes) -> bytes:
    """Quantize the convolutions of an ONNX file, per output channel.

    Weights have seven bits. Older x86 processors add two products in 16 bits, which overflow with eight-bit weights, so
    that each kind of processor would draw different digits.

    Args:
        graph: The model's inputs.
        content: The float32 ONNX file.

    Returns:
        The quantized ONNX file.
    """
    model = onnx.load_from_string(content)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    quantizer = QDQQuantizer(
        onnx.shape_inference.infer_shapes(model),
        per_channel=True,
        reduce_range=True,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8,
        tensors_range=_ranges(graph, model),
        nodes_to_quantize=None,
        nodes_to_exclude=[node.name for node in model.graph.node if not _is_quantized(node)],
        op_types_to_quantize=QUANTIZED,
        extra_options={},
    )
    quantizer.quantize_model()
    quantizer.model.topological_sort()
    quantized = quantizer.model.model
    quantized.ClearField("metadata_props")
    return convert.finished(quantized, metadata)


def _is_quantized(node: onnx.NodeProto) -> bool:
    """Return whether the operator is quantized: not a Winograd convolution (in groups), whose sums magnify rounding."""
    return node.op_type in QUANTIZED and all(each.name != "group" or each.i == 1 for each in node.attribute)


def _ranges(graph: Graph, model: onnx.ModelProto) -> TensorsData:
    """Return the range of each tensor that a quantized operator reads or writes."""
    nodes = [node for node in model.graph.node if _is_quantized(node)]
    clipped = {node.input[0]: CLIPPED_INPUTS for node in nodes} | {node.output[0]: CLIPPED_OUTPUTS for node in nodes}
    names = list(clipped)
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    session = onnxruntime.InferenceSession(watched.SerializeToString(), providers=[CPU])
    tensors = session.run(names, convert.example_inputs(graph, CALIBRATION_IMAGES, seed=1))
    ranges = {name: _range(each, clipped[name]) for name, each in zip(names, tensors, strict=True)}
    return TensorsData(CalibrationMethod.MinMax, ranges)


def _range(values: NDArray[np.float32], clipped: float) -> tuple[np.ndarray, ...]:
    """Return both ends of a range that leaves out the share `clipped` at either end.

    They are rounded to eleven bits: the last bits of a sum differ between processors and must not change the file.
    """
    return tuple(end.astype(np.float16).astype(np.float32) for end in np.quantile(values, [clipped, 1 - clipped]))
