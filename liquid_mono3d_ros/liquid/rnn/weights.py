"""Arrays by name in one safetensors file, read and written with numpy alone.

Source: the safetensors format: eight bytes of header length, a JSON header, the raw numbers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from liquid_mono3d_ros.checks import Array, complain

TYPES = {"F32": "<f4", "F64": "<f8", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U8": "u1"}


def write_weights(
    path: str | Path, arrays: Mapping[str, Array], notes: Mapping[str, str] | None = None
) -> None:
    """Write arrays, and notes about them as text."""
    names = {np.dtype(code): name for name, code in TYPES.items()}
    header: dict[str, object] = {"__metadata__": dict(notes or {})}
    body = b""
    for name, array in arrays.items():
        raw = np.ascontiguousarray(array).tobytes()
        span = [len(body), len(body) + len(raw)]
        shape = list(array.shape)
        header[name] = {"dtype": names[array.dtype], "shape": shape, "data_offsets": span}
        body += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    Path(path).write_bytes(len(text).to_bytes(8, "little") + text + body)


def read_weights(path: str | Path) -> tuple[dict[str, Array], dict[str, str]]:
    """Read arrays and notes.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no safetensors file, or cut short.
    """
    raw = Path(path).read_bytes()
    try:
        start = 8 + int.from_bytes(raw[:8], "little")
        header = json.loads(raw[8:start])
        notes = header.pop("__metadata__", {})
        arrays = {name: _array(raw[start:], **entry) for name, entry in header.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        cure = "Write it anew, or fetch it again."
        raise ValueError(
            complain("path", "a safetensors file", f"{path} ({error})", cure)
        ) from None
    return arrays, notes


def _array(body: bytes, dtype: str, shape: list[int], data_offsets: list[int]) -> Array:
    first, last = data_offsets
    kind = np.dtype(TYPES[dtype])
    if not 0 <= first <= last <= len(body) or last - first != math.prod(shape) * kind.itemsize:
        raise ValueError(f"{last - first} bytes at {first} for shape {shape}")
    return np.frombuffer(body[first:last], dtype=kind).reshape(shape).copy()
