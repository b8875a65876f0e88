"""What a bank of filters believes of its tracks."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import cached_property, lru_cache
from math import prod

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.liquid.motion import STATE
from liquid_mono3d_ros.liquid.rows import ALL, Chosen, Rows


def _unsaid() -> Array:
    return np.zeros(0)


@dataclass(frozen=True)
class Belief(Rows):
    """What the bank believes of N tracks; what is left out is as at birth.

    Attributes:
        x: (N, M, 9): m, m/s, m/s².
        P: Covariance of ``x``, (N, M, 9, 9).
        log_mu: Logarithm of each model's probability within its expert, (N, M).
        C: Covariance of ``x`` with the bias of unit covariance, (N, M, 9, 3); (N, M, 9, 0) as
            long as no measurement had a slow error.
        root: Symmetric root of the slow error's covariance in the newest measurement that had
            one, (N, 3, 3) m; (N, 0, 0) as long as none had.
        log_w: Logarithm of each expert's weight, (N, E).
        hidden: State of the liquid cell, (N, H) float32; (N, 0) without one.
        memory: Last innovation and leaky mean of them, as the network keeps them, (N, 6) m.
        log_q: Logarithm of what the network scales the process noise by, (N,).
        log_r: Logarithm of what it scaled the last measurement's noise by, (N,).
        log_scale: Logarithm of what it scales the output's covariance by, (N, 2).
        shift: How far it moves the output of its expert, (N, 6) m and m/s; zero once time goes on.
        tilt: What it adds to the logarithms of its models' probabilities in the output alone,
            (N, 5); it stays till the next measurement.
        lead: ``shift`` as it was last advised, (N, 6).
        tau: Mean time constant of its cell when it last ran, (N,) s; NaN while nobody asks.
        since: Time since it last ran, (N,) s.
    """

    x: Array
    P: Array
    log_mu: Array
    C: Array = field(default_factory=_unsaid)
    root: Array = field(default_factory=_unsaid)
    log_w: Array = field(default_factory=_unsaid)
    hidden: Array = field(default_factory=_unsaid)
    memory: Array = field(default_factory=_unsaid)
    log_q: Array = field(default_factory=_unsaid)
    log_r: Array = field(default_factory=_unsaid)
    log_scale: Array = field(default_factory=_unsaid)
    shift: Array = field(default_factory=_unsaid)
    tilt: Array = field(default_factory=_unsaid)
    lead: Array = field(default_factory=_unsaid)
    tau: Array = field(default_factory=_unsaid)
    since: Array = field(default_factory=_unsaid)

    def __post_init__(self) -> None:
        if self.memory.ndim == 2:
            return
        n, m = self.log_mu.shape
        unsaid = {
            "C": np.zeros((n, m, STATE, 0)),
            "root": np.zeros((n, 0, 0)),
            "log_w": np.zeros((n, 1)),
            "hidden": np.zeros((n, 0), dtype=np.float32),
            "memory": np.zeros((n, 6)),
            "log_q": np.zeros(n),
            "log_r": np.zeros(n),
            "log_scale": np.zeros((n, 2)),
            "shift": np.zeros((n, 6)),
            "tilt": np.zeros((n, 5)),
            "lead": np.zeros((n, 6)),
            "tau": np.full(n, np.nan),
            "since": np.zeros(n),
        }
        for name, value in unsaid.items():
            if getattr(self, name).shape == (0,):
                object.__setattr__(self, name, value)

    @property
    def knows_bias(self) -> bool:
        """Whether a measurement had a slow error."""
        return bool(self.C.shape[-1])

    def join(self, other: Belief) -> Belief:
        """Return these rows followed by the rows of ``other``."""
        if self.knows_bias != other.knows_bias:
            return super(Belief, widen(self)).join(widen(other))
        return super().join(other)

    def put(self, rows: Chosen, other: Belief) -> Belief:
        """Return these rows with the chosen ones replaced by those of ``other``."""
        if self.knows_bias != other.knows_bias:
            return super(Belief, widen(self)).put(rows, widen(other))
        return super().put(rows, other)


@dataclass(frozen=True)
class Layout:
    """Where a track's row of numbers keeps what.

    Attributes:
        shapes: Name → shape, in the order of the row; ``hidden`` is float32, two a number.
    """

    shapes: tuple[tuple[str, tuple[int, ...]], ...]

    @cached_property
    def first(self) -> dict[str, int]:
        """Name → place of its first number."""
        ends = np.cumsum([0, *(_length(name, shape) for name, shape in self.shapes)]).tolist()
        return {name: end for (name, _), end in zip(self.shapes, ends[:-1], strict=True)}

    @cached_property
    def width(self) -> int:
        """How many numbers a row has."""
        return sum(_length(name, shape) for name, shape in self.shapes)

    @cached_property
    def knows_bias(self) -> bool:
        """Whether there is room for a bias."""
        return "C" in self.first

    def view(self, rows: Array, name: str) -> Array:
        """Return one of the arrays in N rows, without copying it."""
        shape = dict(self.shapes)[name]
        first = self.first[name]
        part = rows[:, first : first + _length(name, shape)]
        if name == "hidden":
            return part.view(np.float32)[:, : shape[0]]
        return part.reshape(len(rows), *shape)


def _length(name: str, shape: tuple[int, ...]) -> int:
    return (shape[0] + 1) // 2 if name == "hidden" else prod(shape)


@lru_cache
def belief_layout(models: int, experts: int, units: int, *, knows_bias: bool) -> Layout:
    """Return the layout of a belief's rows; what only a network changes comes last."""
    slow = (("C", (models, STATE, 3)), ("root", (3, 3))) if knows_bias else ()
    return Layout(
        (
            ("x", (models, STATE)),
            ("P", (models, STATE, STATE)),
            ("log_mu", (models,)),
            *slow,
            ("log_w", (experts,)),
            ("memory", (6,)),
            ("log_q", ()),
            ("log_r", ()),
            ("log_scale", (2,)),
            ("shift", (6,)),
            ("tilt", (5,)),
            ("lead", (6,)),
            ("tau", ()),
            ("since", ()),
            ("hidden", (units,)),
        )
    )


class PackedBelief(Belief):
    """A belief that keeps each track in one row of numbers; its arrays are views of them.

    Args:
        layout: Of the rows.
        rows: (N, width).
    """

    layout: Layout
    rows: Array

    def __init__(self, layout: Layout, rows: Array) -> None:
        self.__dict__["layout"], self.__dict__["rows"] = layout, rows

    def __getattr__(self, name: str) -> Array:
        if name not in self.__dataclass_fields__:
            raise AttributeError(name)
        known = name in self.layout.first
        view = self.layout.view(self.rows, name) if known else self._without_bias(name)
        self.__dict__[name] = view
        return view

    def _without_bias(self, name: str) -> Array:
        n, m = self.log_mu.shape
        return np.zeros((n, m, STATE, 0) if name == "C" else (n, 0, 0))

    def __len__(self) -> int:
        return len(self.rows)

    def but(self, **arrays: Array) -> Belief:  # type: ignore[override]
        """Return the same with other arrays, each by itself."""
        return unpack(self).but(**arrays)

    def take(self, rows: Chosen) -> PackedBelief:
        """Return the chosen rows."""
        return self if rows is ALL else PackedBelief(self.layout, self.rows[rows])

    def join(self, other: Belief) -> PackedBelief:
        """Return these rows followed by the rows of ``other``."""
        if self.knows_bias != other.knows_bias:
            return pack(widen(self)).join(widen(other))
        return PackedBelief(self.layout, np.concatenate((self.rows, pack(other).rows)))

    def put(self, rows: Chosen, other: Belief) -> PackedBelief:
        """Return these rows with the chosen ones replaced by those of ``other``."""
        if self.knows_bias != other.knows_bias:
            return pack(widen(self)).put(rows, widen(other))
        if rows is ALL:
            return pack(other)
        changed = self.rows.copy()
        changed[rows] = pack(other).rows
        return PackedBelief(self.layout, changed)


def pack(belief: Belief) -> PackedBelief:
    """Return the same belief with each track in one row."""
    if isinstance(belief, PackedBelief):
        return belief
    (n, models), units = belief.log_mu.shape, belief.hidden.shape[1]
    layout = belief_layout(models, belief.log_w.shape[1], units, knows_bias=belief.knows_bias)
    packed = PackedBelief(layout, np.zeros((n, layout.width)))
    for name in layout.first:
        getattr(packed, name)[...] = getattr(belief, name)
    return packed


def unpack(belief: Belief) -> Belief:
    """Return the same belief as arrays by themselves, to be changed one by one."""
    if not isinstance(belief, PackedBelief):
        return belief
    return Belief(*[getattr(belief, each.name) for each in fields(Belief)])


def widen(belief: Belief) -> Belief:
    """Make room for a bias, so far uncorrelated."""
    if belief.knows_bias:
        return belief
    n, loose = len(belief), unpack(belief)
    return replace(loose, C=np.zeros((*loose.x.shape, 3)), root=np.zeros((n, 3, 3)))
