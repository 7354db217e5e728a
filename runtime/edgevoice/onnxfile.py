"""What an ONNX file says of itself, read from its fields: protobuf, of which only lengths and numbers are needed."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping

from edgevoice.errors import ModelFilesError

Data = bytes | memoryview | mmap.mmap

# Fields of onnx.proto that lead to tensors, by kind of message: number of the field -> kind of message in it.
_FIELDS: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
}
_EXTERNAL_DATA, _DATA_LOCATION, _EXTERNAL = 13, 14, 1  # of a tensor
_DEEPEST = 64


def has_external_data(model: Data) -> bool:
    """Whether a tensor of the model keeps its numbers in another file.

    Raises:
        ModelFilesError: it is no protobuf message, or nested too deeply.
    """
    reason = ""
    # Slices of it must be gone before the file that it may be is closed.
    with memoryview(model) as content:
        try:
            found = _is_external(content, "model", 0)
        except ValueError as error:
            reason = str(error)
    if reason:
        raise ModelFilesError(reason)
    return found


def _is_external(message: memoryview, kind: str, depth: int) -> bool:
    if depth > _DEEPEST:
        raise ValueError(f"its graph is nested more than {_DEEPEST} times")
    inner = _FIELDS.get(kind, {})
    return any(
        _is_external(value, inner[number], depth + 1)
        if number in inner and isinstance(value, memoryview)
        else kind == "tensor" and (number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value == _EXTERNAL))
        for number, value in _fields(message)
    )


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a message: their numbers, and a number or the bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        wire = key & 7
        if wire == 0:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        length, at = _varint(message, at) if wire == 2 else ({1: 8, 5: 4}.get(wire, -1), at)
        if length < 0 or at + length > len(message):
            raise ValueError("is no ONNX file: its fields do not fit")
        if wire == 2:
            yield key >> 3, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, lowest first, and the place after it."""
    result = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            break
        byte = message[at]
        at += 1
        result |= (byte & 127) << shift
        if byte < 128:
            return result, at
    raise ValueError("is no ONNX file: a number in it does not end")
