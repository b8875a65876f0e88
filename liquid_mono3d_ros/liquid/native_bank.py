"""The bank's step in C, where the library is built: the numbers of ``bank`` to 1e-9, sooner."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.liquid.bank import Innovation
from liquid_mono3d_ros.liquid.belief import Belief, widen
from liquid_mono3d_ros.liquid.measurement import Measurement
from liquid_mono3d_ros.liquid.motion import STATE, MotionBank
from liquid_mono3d_ros.liquid.rnn import native as kernels

MOST_MODELS = 32
"""As many fit into the library's work space."""
_N, _D, _P = ctypes.c_int64, ctypes.c_double, ctypes.c_void_p


class _Bank(ctypes.Structure):
    _fields_ = (
        *[(name, _N) for name in ("models", "experts", "led")],
        ("first", _P),
        *[(name, _P) for name in ("accelerates", "falls", "gated")],
        *[(name, _P) for name in ("noise", "share", "gravity", "prior")],
        *[(name, _D) for name in ("held", "switch_rate", "log_floor", "bias_time", "hedge_rate")],
    )


class _Belief(ctypes.Structure):
    _fields_ = tuple((name, _P) for name in ("x", "P", "log_mu", "C", "log_w"))


class _Measured(ctypes.Structure):
    _fields_ = tuple((name, _P) for name in ("z", "R", "root"))


class _Compared(ctypes.Structure):
    _fields_ = tuple(
        (name, _P) for name in ("y", "S", "mean", "whole", "surprise", "loss", "together", "log_w")
    )


@dataclass(frozen=True)
class Ahead:
    """N tracks moved ahead in time.

    Attributes:
        belief: Of the models.
        x: Mean of all together, (N, 9).
        P: Its covariance, (N, 9, 9).
        cross: Covariance of the state before with the state after, (N, 9, 9); None unless asked.
        bias: Covariance of the state before with the bias, (N, 9, 3), or (N, 9, 0).
    """

    belief: Belief
    x: Array
    P: Array
    cross: Array | None
    bias: Array


@dataclass(frozen=True)
class Comparison:
    """N measurements of D numbers against what every model and every expert expected.

    Attributes:
        innovation: Of the models.
        mean: Innovation of each of E experts, (N, E, D) m.
        whole: Its covariance, (N, E, D, D) m².
        surprise: Its squared length, (N, E).
        loss: Minus the log density by each expert, (N, E).
        together: Squared length of the innovation of all experts together, (N,).
        log_w: Logarithm of the experts' weights after the measurement, (N, E).
    """

    innovation: Innovation
    mean: Array
    whole: Array
    surprise: Array
    loss: Array
    together: Array
    log_w: Array


class NativeBank:
    """A bank's step in C. Keeps no state, only the bank as the library reads it.

    Args:
        library: As ``native.library("bank")`` returns it.
        bank: M models.
        led: Number of the expert that a network leads; −1 for none.
    """

    def __init__(self, library: Any, bank: MotionBank, led: int = -1) -> None:
        self.bank, self._library = bank, library
        first = [own.start for own in bank.spans] + [len(bank)]
        self._keep = {
            "first": np.array(first, dtype=np.int64),
            **{n: getattr(bank, n).astype(np.uint8) for n in ("accelerates", "falls", "gated")},
            **{n: getattr(bank, n).astype(float) for n in ("noise", "share", "gravity", "prior")},
        }
        self._struct = _Bank(
            models=len(bank),
            experts=len(bank.spans),
            led=led,
            held=bank.acceleration_sigma**2,
            switch_rate=bank.switch_rate,
            log_floor=np.log(bank.floor),
            bias_time=bank.bias_time,
            hedge_rate=bank.hedge_rate,
            **{name: array.ctypes.data for name, array in self._keep.items()},
        )
        self._address, self._led = ctypes.addressof(self._struct), led

    def __reduce__(self) -> tuple[Any, ...]:
        return load_bank, (self.bank, self._led)

    def advance(
        self, belief: Belief, dt: float, log_q: Array | None = None, *, linked: bool = True
    ) -> Ahead:
        """Do what ``mix`` and ``propagate`` do, and ``collapse``.

        Args:
            belief: N tracks.
            dt: s.
            log_q: Logarithm of what the led expert's process noise is scaled by, (N,).
            linked: Whether to work out ``cross``.
        """
        n, m, _, k = belief.C.shape
        new = _room(n, m, k, belief.log_w.shape[1])
        x, P = np.empty((n, STATE)), np.empty((n, STATE, STATE))
        cross = np.empty((n, STATE, STATE)) if linked else None
        bias = np.empty((n, STATE, k))
        scale = None if log_q is None else _dense(log_q)
        self._library.bank_advance(
            self._address, n, dt, _belief(belief), _struct(_Belief, **new),
            _at(scale), _at(x), _at(P), _at(cross), _at(bias) if k else None,
        )  # fmt: skip
        shift, since = np.zeros_like(belief.shift), belief.since + dt
        return Ahead(replace(belief, **new, shift=shift, since=since), x, P, cross, bias)

    def compare(
        self, belief: Belief, measurement: Measurement, log_r: Array | None = None
    ) -> Comparison:
        """Do what ``innovate`` and ``hedge`` do, for positions.

        Args:
            belief: N tracks, predicted.
            measurement: N measurements of the position.
            log_r: Logarithm of what the led expert scales the white noise by, (N,).
        """
        (n, m), e = belief.log_mu.shape, belief.log_w.shape[1]
        found = Comparison(
            Innovation(np.empty((n, m, 3)), np.empty((n, m, 3, 3)), np.empty((0, 0, 0, 0))),
            np.empty((n, e, 3)),
            np.empty((n, e, 3, 3)),
            np.empty((n, e)),
            np.empty((n, e)),
            np.empty(n),
            np.empty((n, e)),
        )
        scale = None if log_r is None else _dense(log_r)
        self._library.bank_compare(
            self._address, n, _belief(belief), _measured(measurement), _at(scale),
            _compared(found),
        )  # fmt: skip
        return found

    def correct(
        self,
        predicted: Belief,
        measurement: Measurement,
        found: Comparison,
        distrust: Array,
        log_r: Array | None = None,
        delta: Array | None = None,
    ) -> Belief:
        """Do what ``bank.correct`` does, for positions.

        Args:
            predicted: N tracks.
            measurement: N measurements of the position.
            found: By ``compare``.
            distrust: Of each expert, at least 1, (N, E).
            log_r: Logarithm of what the led expert scales the white noise by, (N,).
            delta: Added to the logarithm of the probability of each of its models.
        """
        if measurement.B.size:
            predicted = widen(predicted)
        n, m, _, k = predicted.C.shape
        new = _room(n, m, k, 0)
        scale = None if log_r is None else _dense(log_r)
        added = None if delta is None else _dense(delta)
        trust = _dense(distrust)
        self._library.bank_correct(
            self._address, n, _belief(predicted), _measured(measurement), _compared(found),
            _at(trust), _at(scale), _at(added), _struct(_Belief, **new),
        )  # fmt: skip
        if measurement.B.size:
            new["root"] = measurement.root
        return replace(predicted, **new)

    def collapse(self, belief: Belief) -> tuple[Array, Array, Array, Array]:
        """Return means (N, E, 9) and covariances (N, E, 9, 9) of the experts, and of all."""
        n, e = belief.log_w.shape
        means, wholes = np.empty((n, e, STATE)), np.empty((n, e, STATE, STATE))
        x, P = means[:, 0], wholes[:, 0]
        if e > 1:
            x, P = np.empty((n, STATE)), np.empty((n, STATE, STATE))
        self._library.bank_collapse(
            self._address, n, _belief(belief), _at(means), _at(wholes), _at(x), _at(P),
        )  # fmt: skip
        return means, wholes, x, P


def load_bank(bank: MotionBank, led: int = -1) -> NativeBank | None:
    """Return the bank in C, or None where the library is not built or too small for it."""
    library = kernels.library("bank")
    if library is None or len(bank) > MOST_MODELS:
        return None
    return NativeBank(library, bank, led)


def _room(n: int, m: int, k: int, e: int) -> dict[str, Array]:
    """Return new arrays for a belief."""
    new = {
        "x": np.empty((n, m, STATE)),
        "P": np.empty((n, m, STATE, STATE)),
        "log_mu": np.empty((n, m)),
    }
    if k:
        new["C"] = np.empty((n, m, STATE, k))
    if e:
        new["log_w"] = np.empty((n, e))
    return new


def _belief(belief: Belief) -> Any:
    arrays = {name: getattr(belief, name) for name in ("x", "P", "log_mu", "log_w")}
    if belief.knows_bias:
        arrays["C"] = belief.C
    return _struct(_Belief, **arrays)


def _measured(measurement: Measurement) -> Any:
    arrays = {"z": measurement.z, "R": measurement.R}
    if measurement.B.size:
        arrays["root"] = measurement.root
    return _struct(_Measured, **arrays)


def _compared(found: Comparison) -> Any:
    names = ("mean", "whole", "surprise", "loss", "together", "log_w")
    arrays = {name: getattr(found, name) for name in names}
    return _struct(_Compared, y=found.innovation.y, S=found.innovation.S, **arrays)


def _struct(kind: type[ctypes.Structure], **arrays: Array) -> Any:
    """Return the addresses of arrays as the library takes them; what is left out is NULL."""
    dense = {name: _dense(array) for name, array in arrays.items()}
    addresses = kind(**{name: _at(array) for name, array in dense.items()})
    addresses.kept = dense  # type: ignore[attr-defined]
    return ctypes.byref(addresses)


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
