"""The eight-bit form of a model: its convolutions in integers, which processors multiply faster."""

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import QuantType
from onnxruntime.quantization.calibrate import CalibrationMethod, TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from export.graphs import convert
from export.graphs.models import Graph
from mnistgen.inference.session import CPU

TOLERANCE = 0.5
"""Largest difference of a pixel from PyTorch's. Edges differ by more than eyes see; what tells is the certificate."""
QUANTIZED = ["Conv"]
"""Operators that ONNX Runtime computes in eight bits; transposed convolutions it does not."""
IMAGES = 256
"""That the ranges of activations are taken from."""


def quantized(graph: Graph, content: bytes) -> bytes:
    """The ONNX file `content` with its convolutions quantized by output channel.

    Weights have seven bits: older x86 processors add two products in sixteen bits, which those of eight overflow, so
    that each kind of processor would draw other digits.
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
        nodes_to_exclude=None,
        op_types_to_quantize=QUANTIZED,
        extra_options={},
    )
    quantizer.quantize_model()
    quantizer.model.topological_sort()
    reduced = quantizer.model.model
    reduced.ClearField("metadata_props")
    return convert.finished(reduced, metadata)


def _ranges(graph: Graph, model: onnx.ModelProto) -> TensorsData:
    """The least and the greatest value of each tensor that a quantized operator reads or writes."""
    nodes = [node for node in model.graph.node if node.op_type in QUANTIZED]
    names = list(dict.fromkeys(name for node in nodes for name in (node.input[0], node.output[0])))
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    session = onnxruntime.InferenceSession(watched.SerializeToString(), providers=[CPU])
    tensors = session.run(names, convert.example_inputs(graph, IMAGES, seed=1))
    ranges = {name: (_rounded(each.min()), _rounded(each.max())) for name, each in zip(names, tensors, strict=True)}
    return TensorsData(CalibrationMethod.MinMax, ranges)


def _rounded(value: np.float32) -> np.ndarray:
    """To eleven bits: the last bits of a sum, in which processors differ, shall not change the file."""
    return np.asarray(value, dtype=np.float16).astype(np.float32)
