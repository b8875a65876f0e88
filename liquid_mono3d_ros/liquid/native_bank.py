"""The filter's step in C, where the library is built: the numbers of ``guidance``, sooner.

One call takes N tracks ahead in time, compares them with the measurements, asks the network,
corrects them, and tells the result. A track is a row of numbers, before and after.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import Any

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.liquid.advice import Adviser
from liquid_mono3d_ros.liquid.belief import (
    Belief,
    Layout,
    PackedBelief,
    belief_layout,
    pack,
    widen,
)
from liquid_mono3d_ros.liquid.measurement import Measurement
from liquid_mono3d_ros.liquid.motion import STATE, MotionBank
from liquid_mono3d_ros.liquid.rnn import native as kernels

MOST_MODELS, MOST_EXPERTS = 32, 4
"""As many fit into the library's work space."""
LANES = 4
"""So many tracks go side by side."""
WIDE_ANSWERS = 32
_LINKED, _WATCHED, _MOVING = 1, 2, 4
_N, _D, _P = ctypes.c_int64, ctypes.c_double, ctypes.c_void_p


class _Layout(ctypes.Structure):
    _fields_ = tuple(
        (name, _N)
        for name in (
            *("x", "P", "log_mu", "C", "root", "log_w", "memory", "log_q", "log_r", "log_scale"),
            *("shift", "tilt", "lead", "tau", "since", "hidden", "width"),
        )
    )


class _Told(ctypes.Structure):
    _fields_ = tuple(
        (name, _N)
        for name in (
            *("x", "P", "stretch", "strain", "losses", "whole"),
            *("before", "before_P", "cross", "bias_before", "bias_after", "width"),
        )
    )


class _Filter(ctypes.Structure):
    _fields_ = (
        *[(name, _N) for name in ("models", "experts", "owners", "led", "open", "tilts")],
        *[(name, _P) for name in ("first", "last", "accelerates", "falls", "gated")],
        *[(name, _P) for name in ("noise", "share", "gravity", "prior")],
        *[(name, _D) for name in ("held", "switch_rate", "log_floor", "bias_time", "hedge_rate")],
        ("gate", _D),
        *[(name, _P) for name in ("cell", "run", "heads", "heads_bias")],
        ("row", _Layout),
        ("told", _Told),
    )


class Told:
    """What a step tells of N tracks; without a network or a link, some of it is left out.

    Attributes:
        belief: After the step.
        x: Mean of what the filter says, (N, 9).
        P: Its covariance, (N, 9, 9).
        stretch: By what the network scales its standard deviations, (N, 9).
        strain: Squared distance of the measurement over that of the gate, (N,).
        losses: Minus the log density of the measurement by each expert, (N, E).
        whole: Covariance of all models of all experts as they are, (N, 9, 9).
        before: Mean of all models before the measurement, (N, 9).
        before_P: Its covariance, (N, 9, 9).
        cross: Covariance of the state before the step with that before the measurement,
            (N, 9, 9).
        bias_before: Covariance of the state before the step with the bias, (N, 9, 3).
        bias_after: The same before the measurement.
    """

    def __init__(self, belief: Belief, layout: Layout, rows: Array) -> None:
        self.belief, self._layout, self._rows = belief, layout, rows

    @classmethod
    def of(cls, belief: Belief, **arrays: Array) -> Told:
        """Return what is known by name."""
        told = cls(belief, Layout(()), np.zeros((len(belief), 0)))
        told.__dict__.update(arrays)
        return told

    def __getattr__(self, name: str) -> Array:
        if name.startswith("__") or name not in self._layout.first:
            raise AttributeError(name)
        view = self._layout.view(self._rows, name)
        self.__dict__[name] = view
        return view


class NativeBank:
    """The filter's step in C. Keeps no state, only the filter as the library reads it.

    Args:
        library: As ``native.library("bank")`` returns it.
        bank: M models.
        gate: Squared distance of a position beyond which it is distrusted.
        adviser: Leads an expert.
        led: Number of that expert; −1 for none.
    """

    def __init__(
        self,
        library: Any,
        bank: MotionBank,
        gate: float,
        adviser: Adviser | None = None,
        led: int = -1,
    ) -> None:
        self.bank, self._step = bank, library.bank_step
        self._made_of = bank, gate, adviser, led
        self._keep: dict[str, Any] = {
            "first": np.array([own.start for own in bank.spans], dtype=np.int64),
            "last": np.array([own.stop for own in bank.spans], dtype=np.int64),
            **{n: getattr(bank, n).astype(np.uint8) for n in ("accelerates", "falls", "gated")},
            **{n: getattr(bank, n).astype(float) for n in ("noise", "share", "gravity", "prior")},
        }
        known: dict[str, Any] = {
            "models": len(bank),
            "experts": len(bank.spans),
            "owners": len(bank.owned),
            "led": led,
            "open": adviser is not None and adviser.is_open,
            "tilts": adviser is not None and adviser.tilts,
            "held": bank.acceleration_sigma**2,
            "switch_rate": bank.switch_rate,
            "log_floor": np.log(bank.floor),
            "bias_time": bank.bias_time,
            "hedge_rate": bank.hedge_rate,
            "gate": gate,
        }
        units = 0
        if adviser is not None:
            units, known = adviser.units, known | self._network(adviser)
        known |= {name: array.ctypes.data for name, array in self._keep.items()}
        self._filters = tuple(
            self._for_layout(known, units, knows_bias=slow) for slow in (False, True)
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return load_bank, self._made_of

    def step(
        self,
        belief: Belief,
        dt: Array | float | None,
        measurement: Measurement | None = None,
        seen: Array | None = None,
        *,
        linked: bool = False,
        watched: bool = False,
    ) -> Told:
        """Do what ``guidance.step`` does.

        Args:
            belief: N tracks.
            dt: s, a number or (N,); None to stay where they are.
            measurement: N measurements of the position, None for none.
            seen: Which tracks have one, (N,) bool; None for all.
            linked: Whether to tell what links the state with the state before.
            watched: Whether to work out the cell's time constants.
        """
        z = R = root = each = None
        flags = _LINKED if linked else 0
        if watched:
            flags |= _WATCHED
        if measurement is not None:
            z, R = _dense(measurement.z), _dense(measurement.R)
            if measurement.B.size:
                belief, root = widen(belief), _dense(measurement.root)
        if dt is None:
            dt = 0.0
        else:
            flags |= _MOVING
            if isinstance(dt, np.ndarray):
                each, dt = _dense(np.broadcast_to(dt, (len(belief),))), 0.0
        packed = pack(belief)
        rows, layout = packed.rows, packed.layout
        address, answers, _ = self._filters[layout.knows_bias]
        n = len(rows)
        new, told = np.empty((n, layout.width)), np.empty((n, answers.width))
        if n:
            self._step(
                address, n, dt, _at(each), _at(rows), _at(new), _at(told),
                _at(z), _at(R), _at(root), _at(seen), flags,
            )  # fmt: skip
        return Told(PackedBelief(layout, new), answers, told)

    def _network(self, adviser: Adviser) -> dict[str, Any]:
        """Return what the library reads of the network; its work space is for four tracks."""
        step, units = adviser.step, adviser.units
        cell = step.native_cell(LANES)
        heads = np.zeros((units, WIDE_ANSWERS), dtype=np.float32)
        heads[:, : adviser.heads.shape[1]] = adviser.heads
        bias = np.zeros(WIDE_ANSWERS, dtype=np.float32)
        bias[: len(adviser.bias)] = adviser.bias
        self._keep |= {"heads": heads, "heads_bias": bias}
        self._cell = cell
        run = ctypes.cast(cell.run, _P).value
        return {"cell": cell.address, "run": run}

    def _for_layout(
        self, known: dict[str, Any], units: int, *, knows_bias: bool
    ) -> tuple[int, Layout, _Filter]:
        m, e = known["models"], known["experts"]
        layout = belief_layout(m, e, units, knows_bias=knows_bias)
        told = answer_layout(e)
        row = _Layout(**{"C": -1, "root": -1, **layout.first, "width": layout.width})
        struct = _Filter(**known, row=row, told=_Told(**told.first, width=told.width))
        return ctypes.addressof(struct), told, struct


@lru_cache
def answer_layout(experts: int) -> Layout:
    """Return where a row of ``Told`` keeps what."""
    square = (STATE, STATE)
    return Layout(
        (
            ("x", (STATE,)),
            ("P", square),
            ("stretch", (STATE,)),
            ("strain", ()),
            ("losses", (experts,)),
            ("whole", square),
            ("before", (STATE,)),
            ("before_P", square),
            ("cross", square),
            ("bias_before", (STATE, 3)),
            ("bias_after", (STATE, 3)),
        )
    )


def load_bank(
    bank: MotionBank, gate: float, adviser: Adviser | None = None, led: int = -1
) -> NativeBank | None:
    """Return the step in C, or None where the library is not built, or is not for it."""
    library = kernels.library("bank")
    if library is None or not library.is_fast():
        return None
    if len(bank) > MOST_MODELS or len(bank.spans) > MOST_EXPERTS:
        return None
    if adviser is not None and not adviser.step.is_native:
        return None
    return NativeBank(library, bank, gate, adviser, led)


def _dense(array: Array) -> Array:
    return np.ascontiguousarray(array, dtype=np.float64)


def _at(array: Array | None) -> int | None:
    if array is None:
        return None
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))  # type: ignore[arg-type]
    except (TypeError, ValueError):  # read-only or empty: the slower way
        address: int = array.__array_interface__["data"][0]
        return address
