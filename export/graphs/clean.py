"""Clean an exported graph so that many runtimes can read it, without changing what it computes.

The result has an old opset, no attributes that equal their defaults, readable names, and the shape of every value.
"""

import onnx
from onnx import ModelProto, NodeProto, helper, numpy_helper, shape_inference

OPSET = 13
"""The oldest opset in which all models have the same bits; per-channel quantization needs it."""
IR_VERSION = 7
"""The oldest version that supports the opset, so that old runtimes can open the file."""
DESCRIPTIONS = {
    "z": "Latents: independent standard normals.",
    "label": "Digits: one-hot, or a mixture whose weights sum to 1.",
    "image": "Images with values in [0, 1]; ink is 1.",
    "probabilities": "Probability of each digit.",
}
"""What inputs and outputs hold."""
_FILL = {"strides": 1, "dilations": 1, "pads": 0, "output_padding": 0}
"""Attributes whose default is this number for each axis, which ONNX's schemas do not state."""
_ROLES = {
    "Conv": {"W": "weight", "B": "bias"},
    "ConvTranspose": {"W": "weight", "B": "bias"},
    "Gemm": {"B": "weight", "C": "bias"},
    "DequantizeLinear": {"x": "quantized", "x_scale": "scale", "x_zero_point": "zero_point"},
    "QuantizeLinear": {"y_scale": "scale", "y_zero_point": "zero_point"},
    "Cast": {"input": "stored"},
}
"""Names of operators' inputs, where the letters in ONNX's schemas say little."""
_SIZES = (1009, 1013)
"""Two batch sizes that are primes and no size of a layer, to find the dimensions that depend on N."""


def clean(model: ModelProto) -> None:
    """Clean the graph in place; cleaning it again changes nothing."""
    _lower(model)
    _drop_defaults(model)
    _keep_batch(model)
    _rename(model)
    _add_shapes(model)
    for value in (*model.graph.input, *model.graph.output):
        value.doc_string = DESCRIPTIONS.get(value.name, "")


def _lower(model: ModelProto) -> None:
    """Declare the old opset; of the operators in use, three need a change."""
    constants = _constants(model)
    for node in model.graph.node:
        if node.op_type == "ReduceMean" and len(node.input) == 2:
            axes = constants[node.input.pop()]
            node.attribute.append(helper.make_attribute("axes", axes.tolist()))
            _drop_attributes(node, {"noop_with_empty_axes"})
        if node.op_type == "Split":
            _drop_attributes(node, {"num_outputs"})  # the number of outputs says the same
        if node.op_type == "DequantizeLinear" and len(node.input) == 3:
            quantized, zero = constants.get(node.input[0]), constants.get(node.input[2])
            if quantized is not None and quantized.dtype == "int32" and not zero.any():
                node.input.pop()  # ONNX forbids zero points of int32
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("", OPSET))
    model.ir_version = IR_VERSION


def _drop_defaults(model: ModelProto) -> None:
    """Remove attributes that equal their defaults, and `allowzero` where no shape has a zero."""
    constants = _constants(model)
    for node in model.graph.node:
        schema = onnx.defs.get_schema(node.op_type, OPSET)
        names = set()
        for attribute in node.attribute:
            value = helper.get_attribute_value(attribute)
            if attribute.name == "allowzero":
                equal = all(constants[node.input[1]])
            elif attribute.name in _FILL:
                equal = set(value) == {_FILL[attribute.name]}
            else:
                default = schema.attributes[attribute.name].default_value
                equal = default.type == attribute.type and helper.get_attribute_value(default) == value
            if equal:
                names.add(attribute.name)
        _drop_attributes(node, names)
        kept = sorted(node.attribute, key=lambda each: each.name)
        del node.attribute[:]
        node.attribute.extend(kept)


def _drop_attributes(node: NodeProto, names: set[str]) -> None:
    kept = [attribute for attribute in node.attribute if attribute.name not in names]
    del node.attribute[:]
    node.attribute.extend(kept)


def _keep_batch(model: ModelProto) -> None:
    """Give each `Reshape` a shape of its own, which copies N from its input where both begin with it."""
    shapes, constants = _shapes(model), _constants(model)
    for node in model.graph.node:
        if node.op_type != "Reshape":
            continue
        shape = constants[node.input[1]].copy()
        if shape[0] == -1 and shapes[node.input[0]][0] == shapes[node.output[0]][0] == "N":
            shape[0] = 0
        node.input[1] = f"{node.output[0]}.shape"
        if node.input[1] not in constants:
            model.graph.initializer.append(numpy_helper.from_array(shape, node.input[1]))
    _drop_unused(model)


def _drop_unused(model: ModelProto) -> None:
    used = {name for node in model.graph.node for name in node.input}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


def _rename(model: ModelProto) -> None:
    """Name nodes by operator and number, values after the nodes that make them, and constants after their readers.

    A constant that several nodes read has the name of the first and the number of the last: conv_1_4.bias.
    """
    graph = model.graph
    fixed = {value.name for value in (*graph.input, *graph.output)}
    names = {name: name for name in fixed}
    constants = {tensor.name for tensor in graph.initializer}
    constants |= {node.output[0] for node in graph.node if node.op_type == "Cast" and node.input[0] in constants}
    made_of_constants = [node for node in graph.node if all(name in constants for name in node.input)]
    counts: dict[str, int] = {}
    for node in graph.node:
        if node in made_of_constants:
            continue
        kind = node.op_type.lower()
        counts[kind] = counts.get(kind, 0) + 1
        node.name = f"{kind}_{counts[kind]}"
        for index, output in enumerate(node.output):
            suffix = f".{index + 1}" if len(node.output) > 1 else ""
            names.setdefault(output, node.name + suffix)
    for node in reversed(made_of_constants):  # the readers first
        node.name = names[node.output[0]] = _constant_name(graph, node.output[0])
    for tensor in graph.initializer:
        names[tensor.name] = _constant_name(graph, tensor.name)
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names[name] for name in node.output]
    for tensor in graph.initializer:
        tensor.name = names[tensor.name]
    if len({*names.values()}) != len(names):
        raise ValueError("two values have one name")
    _sort_constants(model)


def _constant_name(graph: onnx.GraphProto, name: str) -> str:
    """Return a name for a constant that says which nodes read it, and as what."""
    readers = [node for node in graph.node if name in node.input]
    first, last = readers[0], readers[-1]
    index = list(first.input).index(name)
    formal = onnx.defs.get_schema(first.op_type, OPSET).inputs
    letter = formal[min(index, len(formal) - 1)].name
    role = _ROLES.get(first.op_type, {}).get(letter, letter)
    if last is first:
        return f"{first.name}.{role}"
    number = last.name.removeprefix(first.op_type.lower() + "_")
    return f"{first.name}_{number}.{role}"


def _sort_constants(model: ModelProto) -> None:
    """Sort the constants by the nodes that read them."""
    order = list(dict.fromkeys(name for node in model.graph.node for name in node.input))
    tensors = sorted(model.graph.initializer, key=lambda tensor: order.index(tensor.name))
    tensors = [onnx.TensorProto.FromString(tensor.SerializeToString()) for tensor in tensors]
    del model.graph.initializer[:]
    model.graph.initializer.extend(tensors)


def _add_shapes(model: ModelProto) -> None:
    """Store the type and shape of every value between the inputs and the outputs."""
    shapes, types = _shapes(model), _types(model)
    outputs = {value.name for value in model.graph.output}
    del model.graph.value_info[:]
    for node in model.graph.node:
        for name in node.output:
            if name not in outputs:
                model.graph.value_info.append(helper.make_tensor_value_info(name, types[name], shapes[name]))


def _shapes(model: ModelProto) -> dict[str, list[int | str]]:
    """Return the shape of each value: numbers, N, or products such as 256*N."""
    first, second = (_static(model, size) for size in _SIZES)
    shapes: dict[str, list[int | str]] = {}
    for name, value in first.items():
        pairs = zip(value.shape.dim, second[name].shape.dim, strict=True)
        shapes[name] = [_dimension(one.dim_value, other.dim_value) for one, other in pairs]
    return shapes


def _dimension(one: int, other: int) -> int | str:
    if one == other:
        return one
    factor = one // _SIZES[0]
    return "N" if factor == 1 else f"{factor}*N"


def _types(model: ModelProto) -> dict[str, int]:
    return {name: value.elem_type for name, value in _static(model, _SIZES[0]).items()}


def _static(model: ModelProto, size: int) -> dict[str, onnx.TypeProto.Tensor]:
    """Infer the type of each value for one batch size."""
    fixed = ModelProto()
    fixed.CopyFrom(model)
    del fixed.graph.value_info[:]
    for value in (*fixed.graph.input, *fixed.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = size
    inferred = shape_inference.infer_shapes(fixed, strict_mode=True, data_prop=True).graph
    values = (*inferred.input, *inferred.value_info, *inferred.output)
    return {value.name: value.type.tensor_type for value in values}


def _constants(model: ModelProto) -> dict:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
