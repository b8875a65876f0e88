"""The one form of every benchmark: rows, targets, versions and machine, as a table and as JSON."""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

PACKAGES = (
    *("numpy", "scipy", "opencv-python-headless", "opencv-python", "transforms3d"),
    *("trackers", "norfair", "aniposelib", "torch", "triton", "ncps", "flashrnn"),
    *("torchdiffeq", "onnxruntime", "aeon", "sktime", "filterpy"),
)


@dataclass(frozen=True)
class Target:
    """A bar and what was reached.

    Attributes:
        name: Metric, ending in its unit.
        value: What was measured.
        target: The bar.
        at_most: Whether less is better.
    """

    name: str
    value: float
    target: float
    at_most: bool = True

    @property
    def met(self) -> bool:
        """Whether the bar is reached; an unknown value reaches none."""
        if math.isnan(self.value):
            return False
        return self.value <= self.target if self.at_most else self.value >= self.target


@dataclass(frozen=True)
class Report:
    """What a benchmark found; the keys of the rows end in their unit."""

    bench: str
    rows: Sequence[Mapping[str, Any]]
    targets: Sequence[Target] = field(default_factory=tuple)

    def document(self, command: str = "") -> dict[str, Any]:
        """Return what the JSON file holds; ``command`` prints it again."""
        return {
            "bench": self.bench,
            "command": command or f"liquid-mono3d bench {self.bench}",
            "versions": versions(),
            "machine": machine(),
            "rows": list(self.rows),
            "targets": [
                {"name": t.name, "value": t.value, "target": t.target, "met": t.met}
                for t in self.targets
            ],
        }

    def write(self, path: str | Path, command: str = "") -> None:
        """Write the JSON."""
        text = json.dumps(_strict(self.document(command)), indent=1, allow_nan=False)
        Path(path).write_text(text + "\n", encoding="utf-8")


def tables(document: Mapping[str, Any]) -> str:
    """Return a report's rows and targets as Markdown; rows of different keys in tables apart."""
    rows = [list(same) for _, same in groupby(document["rows"], key=lambda row: tuple(row))]
    return "\n\n".join(table(part) for part in (*rows, document["targets"]) if part)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as a Markdown table; the columns are all keys, in order of appearance.

    Example:
        >>> print(table([{"method": "dlt", "error_mm": 1.23456}]))
        | method | error_mm |
        |--------|----------|
        | dlt    | 1.23     |
    """
    columns = list(dict.fromkeys(key for row in rows for key in row))
    cells = [columns, *([_cell(row.get(column, "")) for column in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    lines = [
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in cells
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *lines[1:]])


def versions() -> dict[str, str]:
    """Return the versions of what was measured."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    if distribution := os.environ.get("ROS_DISTRO"):
        found["ros"] = distribution
    return found


def machine() -> dict[str, Any]:
    """Return what the numbers were measured on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        model = names[0] if names else model
    return {"processor": model, "cores": os.cpu_count(), "system": platform.platform()}


def _strict(value: Any) -> Any:
    """Return what strict JSON can hold: what is not finite becomes null."""
    if isinstance(value, dict):
        return {key: _strict(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " ".join(map(str, value))
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.3g}"
    return str(value)
