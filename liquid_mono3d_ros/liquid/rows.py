"""Structure of arrays: records whose arrays share their first axis, one row a track."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from liquid_mono3d_ros.checks import Array

R = TypeVar("R", bound="Rows")

Chosen = Array | slice
"""Rows of N: their numbers, a mask, or a slice."""

ALL = slice(None)


@dataclass(frozen=True)
class Rows:
    """Base of the records with one row a track; every field is an array of N rows."""

    def __len__(self) -> int:
        return len(next(self._arrays()))

    def but(self: R, **arrays: Array) -> R:
        """Return the same with other arrays; ``dataclasses.replace`` without its checks."""
        changed = object.__new__(type(self))
        changed.__dict__.update(self.__dict__, **arrays)
        return changed

    def take(self: R, rows: Chosen) -> R:
        """Return the chosen rows."""
        if rows is ALL:
            return self
        return type(self)(*[a[rows] for a in self._arrays()])

    def join(self: R, other: R) -> R:
        """Return these rows followed by the rows of ``other``."""
        pairs = zip(self._arrays(), other._arrays(), strict=True)
        return type(self)(*map(np.concatenate, pairs))

    def put(self: R, rows: Chosen, other: R) -> R:
        """Return these rows with the chosen ones replaced by those of ``other``."""
        if rows is ALL:
            return other
        arrays = [a.copy() for a in self._arrays()]
        for a, new in zip(arrays, other._arrays(), strict=True):
            a[rows] = new
        return type(self)(*arrays)

    def _arrays(self) -> Iterator[Array]:
        return (getattr(self, name) for name in self.__dataclass_fields__)


def choose(rows: Array, n: int) -> Chosen:
    """Return row numbers in the cheapest form: ``ALL`` when they are 0, 1, …, n − 1."""
    return ALL if len(rows) == n and (rows == np.arange(n)).all() else rows
