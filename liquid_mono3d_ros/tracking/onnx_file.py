"""What an ONNX file says of its input, read without any package: path → OnnxInput."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from liquid_mono3d_ros.checks import complain

FLOAT, FLOAT16 = 1, 10
"""Element types, values of ``TensorProto.DataType``."""

Field = tuple[int, int | memoryview]
"""Of a message: its number and its value, which is a number or the bytes of a text or message."""


@dataclass(frozen=True)
class OnnxInput:
    """The input of a network, and the words for what it knows.

    Attributes:
        name: Of the input.
        element: Its element type, a value of ``TensorProto.DataType``.
        shape: Its lengths; 0 where the file leaves one open.
        classes: One word per class; empty when the file holds none.
    """

    name: str
    element: int
    shape: tuple[int, ...]
    classes: tuple[str, ...] = ()


def read_onnx_input(path: str) -> OnnxInput:
    """Return what a file says of its first input and of its classes.

    Source: onnx.proto3 of the ONNX project for the numbers of the fields; Protocol Buffers,
    Encoding. The classes are read from the metadata that Ultralytics writes.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not an ONNX file.
    """
    argument = f"onnx.path {path!r}"
    if not Path(path).is_file():
        cure = "Check the path; a relative one begins where the program was started."
        raise FileNotFoundError(complain(argument, "an ONNX file", "no such file", cure))
    try:
        return _read_model(memoryview(Path(path).read_bytes()))
    except (ValueError, LookupError, StopIteration):
        got, cure = "a file of another kind", "Export the network to ONNX first."
        raise ValueError(complain(argument, "an ONNX file", got, cure)) from None


def _read_model(data: memoryview) -> OnnxInput:
    model = list(_fields(data))
    graph = list(_fields(_messages(model, 7)[0]))
    weights = {_text(_fields(tensor), 8) for tensor in _messages(graph, 5)}
    inputs = [list(_fields(message)) for message in _messages(graph, 11)]
    first = next(fields for fields in inputs if _text(fields, 1) not in weights)
    tensor = list(_fields(_messages(_fields(_messages(first, 2)[0]), 1)[0]))
    shape = [_fields(part) for part in _messages(tensor, 2)]
    lengths = [_number(_fields(part), 1) for fields in shape for part in _messages(fields, 1)]
    return OnnxInput(
        _text(first, 1), _number(tensor, 1), tuple(lengths), _read_classes(_messages(model, 14))
    )


def _read_classes(metadata: list[memoryview]) -> tuple[str, ...]:
    """Return the words of ``names``, which is written as a Python dict or list."""
    pairs = [list(_fields(entry)) for entry in metadata]
    written = {_text(pair, 1): _text(pair, 2) for pair in pairs}
    try:
        names = ast.literal_eval(written.get("names", "()"))
    except (ValueError, SyntaxError):
        return ()
    words = [names[key] for key in sorted(names)] if isinstance(names, dict) else names
    return tuple(map(str, words))


def _fields(data: memoryview) -> Iterator[Field]:
    """Yield number and value of each field of a message."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        value: int | memoryview
        if kind == 0:
            value, at = _varint(data, at)
        else:
            length, at = (8 if kind == 1 else 4, at) if kind in (1, 5) else _varint(data, at)
            if kind not in (1, 2, 5) or at + length > len(data):
                raise ValueError("not a message")
            value, at = data[at : at + length], at + length
        yield key >> 3, value


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """Return a number of any length and where the next field begins."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _messages(fields: Iterable[Field], number: int) -> list[memoryview]:
    return [value for key, value in fields if key == number and isinstance(value, memoryview)]


def _text(fields: Iterable[Field], number: int) -> str:
    return "".join(str(value, "utf-8") for value in _messages(fields, number)[:1])


def _number(fields: Iterable[Field], number: int) -> int:
    return next((v for key, v in fields if key == number and isinstance(v, int)), 0)
