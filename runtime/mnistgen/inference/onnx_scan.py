"""Check that an ONNX file is self-contained before ONNX Runtime sees it.

A tensor in an ONNX file can name another file that holds its values. Versions of ONNX Runtime differ in which paths
they refuse; some read any file of the system into the model's output. Contract C2 allows none. ONNX files are protocol
buffers: messages of fields, each with a number, a type and a value. This module walks through all messages that can
hold a tensor. It needs no package, and copies nothing.
"""

from collections.abc import Iterator
from typing import NamedTuple

from mnistgen.errors import ArtifactError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
"""Wire types; 3 and 4, groups, do not occur in ONNX."""
_MOST_DEPTH = 100
"""The limit of protocol buffers' own parsers."""

# Numbers of the fields that hold messages, from onnx.proto.
_CHILDREN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "tensor": {},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14


class _Field(NamedTuple):
    number: int
    type: int
    value: int
    """Of a varint; else the position of the first byte."""
    end: int
    """Position after the field."""


def check_self_contained(model: bytes) -> None:
    """Raise ArtifactError if an ONNX file uses external data or sparse tensors, or is not a valid protocol buffer."""
    view = memoryview(model)
    pending = [("model", 0, len(model), 0)]
    while pending:
        kind, start, end, depth = pending.pop()
        if depth > _MOST_DEPTH:
            raise _damaged()
        for field in _fields(view, start, end):
            if kind == "tensor":
                _check_tensor(field)
                continue
            child = _CHILDREN[kind].get(field.number)
            if child == "sparse":
                raise _not_self_contained("a sparse tensor")
            if child:
                if field.type != _BYTES:
                    raise _damaged()
                pending.append((child, field.value, field.end, depth + 1))


def _check_tensor(field: _Field) -> None:
    is_inside = field.type == _VARINT and field.value == 0
    if field.number == _EXTERNAL_DATA or (field.number == _DATA_LOCATION and not is_inside):
        raise _not_self_contained("external data")


def _fields(view: memoryview, position: int, end: int) -> Iterator[_Field]:
    """Yield the fields of the message in `view` from `position` to `end`."""
    while position < end:
        tag, position = _varint(view, position, end)
        number, kind, value = tag >> 3, tag & 7, position
        if kind == _VARINT:
            value, position = _varint(view, position, end)
        elif kind == _BYTES:
            size, value = _varint(view, position, end)
            position = value + size
        elif kind in (_FIXED64, _FIXED32):
            position += 8 if kind == _FIXED64 else 4
        else:
            raise _damaged()
        if position > end or not 0 < number < 2**29:
            raise _damaged()
        yield _Field(number, kind, value, position)


def _varint(view: memoryview, position: int, end: int) -> tuple[int, int]:
    """Return the integer at `position`, seven bits per byte, lowest first, and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= end:
            break
        byte = view[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & (2**64 - 1), position
    raise _damaged()


def _not_self_contained(what: str) -> ArtifactError:
    return ArtifactError(
        f"The model uses {what}; expected all values inside the file",
        code="model-not-self-contained",
        remedy="Save the model as one file with dense tensors",
    )


def _damaged() -> ArtifactError:
    return ArtifactError("The model cannot be opened: it is damaged, or not an ONNX file", code="model-refused")
