"""Write small ONNX files without the onnx package, also such as it refuses to write.

An ONNX file is a protocol buffer: a message is a list of fields (number, value); integers, bytes, text and messages are
values. Field numbers are those of onnx.proto.
"""

import struct
from collections.abc import Sequence

FLOAT, INT64, BOOL, DOUBLE = 1, 7, 9, 11


def varint(value: int) -> bytes:
    value &= 2**64 - 1
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    return bytes([*encoded, value])


def message(*fields: tuple[int, int | str | bytes]) -> bytes:
    encoded = b""
    for number, value in fields:
        if isinstance(value, int):
            encoded += varint(number << 3) + varint(value)
        else:
            content = value.encode() if isinstance(value, str) else value
            encoded += varint(number << 3 | 2) + varint(len(content)) + content
    return encoded


def tensor(name: str, dims: list[int], values: list[float], kind: int = FLOAT, *more: tuple[int, int | bytes]) -> bytes:
    code = {INT64: "q", BOOL: "?"}.get(kind, "f")
    raw = struct.pack(f"<{len(values)}{code}", *values)
    return message(*((1, size) for size in dims), (2, kind), (8, name), (9, raw), *more)


def external(name: str, dims: list[int], location: str, *, length: int) -> bytes:
    """Return a tensor whose values are in another file."""
    entries = {"location": location, "offset": "0", "length": str(length)}
    data = [(13, message((1, key), (2, value))) for key, value in entries.items()]
    return message(*((1, size) for size in dims), (2, FLOAT), (8, name), *data, (14, 1))


def value_info(name: str, dims: list[int | str], kind: int = FLOAT) -> bytes:
    sizes = [(1, message((1, size) if isinstance(size, int) else (2, size))) for size in dims]
    return message((1, name), (2, message((1, message((1, kind), (2, message(*sizes)))))))


def attribute(name: str, kind: int, field: int, value: int | bytes) -> bytes:
    """Return an attribute; `kind` is its type (2 an integer, 4 a tensor, 5 a graph) and `field` that of its value."""
    return message((1, name), (field, value), (20, kind))


def node(operator: str, inputs: list[str], outputs: list[str], *attributes: bytes) -> bytes:
    names = [*((1, name) for name in inputs), *((2, name) for name in outputs)]
    return message(*names, (4, operator), *((5, each) for each in attributes))


def graph(
    nodes: list[bytes],
    inputs: list[bytes],
    outputs: list[bytes],
    tensors: Sequence[bytes] = (),
    *more: tuple[int, bytes],
) -> bytes:
    fields = [*((1, each) for each in nodes), (2, "graph"), *((5, each) for each in tensors)]
    return message(*fields, *((11, each) for each in inputs), *((12, each) for each in outputs), *more)


def model(
    nodes: list[bytes],
    inputs: list[bytes],
    outputs: list[bytes],
    tensors: list[bytes],
    metadata: dict[str, str],
    *graph_fields: tuple[int, bytes],
) -> bytes:
    """Return an ONNX file of IR version 8 and opset 18."""
    properties = [(14, message((1, key), (2, value))) for key, value in metadata.items()]
    return message(
        (1, 8), (7, graph(nodes, inputs, outputs, tensors, *graph_fields)), (8, message((1, ""), (2, 18))), *properties
    )
