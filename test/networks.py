"""Tiny ONNX networks, written byte by byte: no package is needed to make them.

Source: onnx.proto3 of the ONNX project for the numbers of the fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

FLOAT, UINT8, INT64 = 1, 2, 7
INTEGER, INTEGERS = 2, 7
"""Kinds of attributes."""


def constant(path: Path, table: Any, *, shape: Sequence[int] = (1, 3, 64, 64), **more: Any) -> str:
    """Write a network that puts out ``table`` and return its path.

    The table is the bias of a convolution whose weights are 0.
    """
    table = np.asarray(table, np.float32)
    nodes = [
        _node("GlobalMaxPool", ["images"], ["top"]),
        _node("Conv", ["top", "zeros", "rows"], ["wide"], kernel_shape=[1, 1]),
        _node("Reshape", ["wide", "shape"], ["output"]),
    ]
    weights = [
        _tensor("zeros", np.zeros((table.size, 3, 1, 1), np.float32)),
        _tensor("rows", table.ravel()),
        _tensor("shape", np.array(table.shape)),
    ]
    return _write(path, nodes, weights, shape, table.shape, **more)


def spotter(path: Path, cells: int = 8, side: int = 64, **more: Any) -> str:
    """Write a network in layout v8 with a box of a cell around each of cells x cells places.

    A cell's score is the brightest of its blue (in the order of the network's input: last) values,
    so that the box of a bright spot scores best.
    """
    size = side // cells
    middles = (np.arange(cells) + 0.5) * size
    v, u = np.meshgrid(middles, middles, indexing="ij")
    boxes = np.stack([u.ravel(), v.ravel(), np.full(u.size, size), np.full(u.size, size)])[None]
    nodes = [
        _node("Slice", ["images", "from", "to", "axis"], ["blue"]),
        _node("MaxPool", ["blue"], ["cells"], kernel_shape=[size, size], strides=[size, size]),
        _node("Reshape", ["cells", "flat"], ["scores"]),
        _node("Concat", ["boxes", "scores"], ["output"], axis=1),
    ]
    weights = [
        _tensor("from", np.array([2])),
        _tensor("to", np.array([3])),
        _tensor("axis", np.array([1])),
        _tensor("flat", np.array([1, 1, cells * cells])),
        _tensor("boxes", boxes.astype(np.float32)),
    ]
    return _write(path, nodes, weights, (1, 3, side, side), (1, 5, cells * cells), **more)


def unknown(path: Path) -> str:
    """Write a network with a layer that no runtime knows."""
    node = _node("NoSuchLayer", ["images"], ["output"])
    return _write(path, [node], [], (1, 3, 64, 64), (1, 5, 64))


def _write(
    path: Path,
    nodes: list[bytes],
    weights: list[bytes],
    shape: Sequence[int],
    output: Sequence[int],
    *,
    element: int = FLOAT,
    names: str = "",
) -> str:
    graph = b"".join(_bytes(1, node) for node in nodes) + _bytes(2, b"graph")
    graph += b"".join(_bytes(5, weight) for weight in weights)
    graph += _bytes(11, _value("images", shape, element))
    graph += _bytes(12, _value("output", output, FLOAT))
    opset = _bytes(1, b"") + _integer(2, 13)
    model = _integer(1, 8) + _bytes(7, graph) + _bytes(8, opset)
    if names:
        model += _bytes(14, _bytes(1, b"names") + _bytes(2, names.encode()))
    path.write_bytes(model)
    return str(path)


def _node(kind: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> bytes:
    node = b"".join(_bytes(1, name.encode()) for name in inputs)
    node += b"".join(_bytes(2, name.encode()) for name in outputs)
    node += _bytes(3, outputs[0].encode()) + _bytes(4, kind.encode())
    for name, value in attributes.items():
        attribute = _bytes(1, name.encode())
        if isinstance(value, int):
            attribute += _integer(3, value) + _integer(20, INTEGER)
        else:
            attribute += b"".join(_integer(8, item) for item in value) + _integer(20, INTEGERS)
        node += _bytes(5, attribute)
    return node


def _tensor(name: str, value: Any) -> bytes:
    value = np.asarray(value)
    kind = FLOAT if value.dtype == np.float32 else INT64
    lengths = b"".join(_integer(1, n) for n in value.shape)
    return lengths + _integer(2, kind) + _bytes(8, name.encode()) + _bytes(9, value.tobytes())


def _value(name: str, shape: Sequence[int], element: int) -> bytes:
    """Describe an input or output; a length of 0 is left open."""
    lengths = b"".join(_bytes(1, _integer(1, n) if n else _bytes(2, b"open")) for n in shape)
    tensor = _integer(1, element) + _bytes(2, lengths)
    return _bytes(1, name.encode()) + _bytes(2, _bytes(1, tensor))


def _integer(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])
