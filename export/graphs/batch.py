"""Variants of a model for a fixed number of images, for compilers that know only fixed shapes."""

import onnx
from onnx import TensorShapeProto


def fix_batch(content: bytes, n: int) -> bytes:
    """Return the ONNX file of a clean model (see `clean`) with N replaced by `n` in all shapes."""
    model = onnx.load_from_string(content)
    graph = model.graph
    for value in (*graph.input, *graph.output, *graph.value_info):
        for dimension in value.type.tensor_type.shape.dim:
            _fix(dimension, n)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def _fix(dimension: TensorShapeProto.Dimension, n: int) -> None:
    """Replace N, or a product such as 256*N."""
    if dimension.dim_param:
        factor, _, symbol = dimension.dim_param.rpartition("*")
        assert symbol == "N", dimension.dim_param
        dimension.dim_value = int(factor or 1) * n
