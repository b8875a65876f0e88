"""Text of message definitions, as MCAP files and Foxglove want them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from ament_index_python.packages import get_package_share_directory

SEPARATOR = "=" * 80
FIELD = re.compile(r"^([A-Za-z]\w*(?:/[A-Za-z]\w*)?)(?:<=\d+)?(?:\[.*?\])?\s+[a-z]\w*\s*(?:#.*)?$")
PRIMITIVES = {
    "bool", "byte", "char", "float32", "float64", "string", "wstring",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
}  # fmt: skip


def definition(name: str) -> str:
    """Return the definition of ``package/msg/Type`` and of all types inside, as ros2msg."""
    package, _, own = name.split("/")
    texts = {f"{package}/{own}": _read(package, own)}
    waiting = [f"{package}/{own}"]
    while waiting:
        current = waiting.pop()
        for inner in _field_types(current.split("/")[0], texts[current]):
            if inner not in texts:
                texts[inner] = _read(*inner.split("/"))
                waiting.append(inner)
    root, *others = texts.items()
    parts = [root[1], *(f"{SEPARATOR}\nMSG: {inner}\n{text}" for inner, text in others)]
    return "\n".join(parts)


def _read(package: str, name: str) -> str:
    try:
        share = Path(get_package_share_directory(package))
    except (LookupError, OSError):  # no AMENT_PREFIX_PATH: a virtual environment with ROS wheels
        share = Path(sys.prefix) / "share" / package
    return (share / "msg" / f"{name}.msg").read_text(encoding="utf-8")


def _field_types(package: str, text: str) -> Iterator[str]:
    for line in text.splitlines():
        match = FIELD.match(line.strip())
        if match and match[1] not in PRIMITIVES:
            yield match[1] if "/" in match[1] else f"{package}/{match[1]}"
