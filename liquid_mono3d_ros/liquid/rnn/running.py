"""The step of a trained cell where it runs: numpy, and the native library when it is built."""

from __future__ import annotations

import ctypes
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.liquid.rnn import native as kernels
from liquid_mono3d_ros.liquid.rnn.weights import read_weights, write_weights


@dataclass(frozen=True)
class CellDesign:
    """What a cell is, beside its weights.

    Attributes:
        cell: "fixed" or "adaptive".
        euler: Whether it takes Euler steps.
        tau_min: Bounds of the adaptive time constant, s.
        tau_max: s.
    """

    cell: str
    euler: bool = False
    tau_min: float = math.nan
    tau_max: float = math.nan

    def __post_init__(self) -> None:
        if self.cell not in ("fixed", "adaptive"):
            cure = "Export another cell to ONNX instead."
            raise ValueError(complain("cell", "fixed or adaptive", repr(self.cell), cure))


class RunningStep:
    """``h = step(x, h, dt)`` without torch, float32; state in, state out.

    The native library and numpy agree to 1e-6. Between calls it keeps only its work space: one
    object belongs to one thread.

    Args:
        weights: W (G, I), U (G, H) and b (G,) as the cell has them after masks and signs, with G
            = H, or 2 H for the adaptive cell; alpha (H,), 1/s, for the fixed one.
        design: What the cell is.
        use_native: Whether to use the native library; None for when it is there.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> weights = {"W": rng.normal(size=(4, 2)), "U": rng.normal(size=(4, 4)) / 2}
        >>> weights |= {"b": np.zeros(4), "alpha": np.ones(4)}
        >>> step = RunningStep(weights, CellDesign("fixed"))
        >>> h = step(np.ones((1, 2), dtype=np.float32), np.zeros((1, 4), dtype=np.float32), 0.1)
        >>> h.shape
        (1, 4)
    """

    def __init__(
        self,
        weights: Mapping[str, Array],
        design: CellDesign,
        *,
        use_native: bool | None = None,
    ) -> None:
        _check_weights(weights, design)
        self.weights = {name: _dense(array) for name, array in weights.items()}
        self.design = design
        self.units, self.input_size = weights["U"].shape[1], weights["W"].shape[1]
        self._joint = np.concatenate([self.weights["W"], self.weights["U"]], axis=1)
        self._turned = np.ascontiguousarray(self._joint.T)  # (I + H, G)
        library = kernels.library() if use_native in (None, True) else None
        if use_native and library is None:
            cure = "Run python -m liquid_mono3d_ros.liquid.rnn.native."
            raise ValueError(complain("use_native", "False", "True without a library", cure))
        self._native = None if library is None else NativeCell(library, self)
        self._joined = np.empty((0, self.input_size + self.units), dtype=np.float32)

    def __reduce__(self) -> tuple[Any, ...]:
        return RunningStep, (self.weights, self.design)

    @classmethod
    def from_torch(cls, cell: Any, *, use_native: bool | None = None) -> RunningStep:
        """Take the weights of a ``LiquidCell`` or ``AdaptiveTauCell``."""
        weights, design = cell.running_weights()
        return cls(weights, CellDesign(**design), use_native=use_native)

    @classmethod
    def load(cls, path: str | Path, *, use_native: bool | None = None) -> RunningStep:
        """Read what ``save`` wrote."""
        weights, notes = read_weights(path)
        return cls(weights, CellDesign(**json.loads(notes["design"])), use_native=use_native)

    def save(self, path: str | Path) -> None:
        """Write weights and design into one safetensors file."""
        write_weights(path, self.weights, {"design": json.dumps(vars(self.design))})

    @property
    def is_native(self) -> bool:
        """Whether the native library does the work."""
        return self._native is not None

    def native_cell(self, batch: int) -> NativeCell:
        """Return the cell as the library reads it, with room of its own for so many samples.

        Raises:
            ValueError: If the native library does not do the work.
        """
        if self._native is None:
            cure = "Ask is_native before."
            raise ValueError(complain("step", "native", "numpy's", cure))
        cell = NativeCell(self._native.library, self)
        cell.make_room(batch)
        return cell

    def __call__(self, x: Array, h: Array, dt: Array | float) -> Array:
        """Return the states after ``dt`` seconds.

        Args:
            x: (B, I).
            h: (B, H).
            dt: s, a number or (B,).

        Returns:
            (B, H) float32, new.

        Raises:
            ValueError: If the shapes do not fit together.
        """
        native = self._native
        if native is None:
            return self._by_numpy(x, h, dt)
        if len(h) != native.batch:
            native.make_room(len(h))
        native.x[...] = x
        native.h[...] = h
        native.dt[...] = dt
        native.run(native.address, native.batch)
        return native.next.copy()

    def time_constants(self, x: Array, h: Array) -> Array:
        """Return the time constants of the units for an input, s, (B, H)."""
        if self.design.cell == "fixed":
            return np.broadcast_to(1 / self.weights["alpha"], h.shape)
        gates = np.concatenate([x, h], axis=1) @ self._turned + self.weights["b"]
        open_part = 1 / (1 + np.exp(-np.clip(gates[:, self.units :], -80, 80)))
        tau: Array = self.design.tau_min + (self.design.tau_max - self.design.tau_min) * open_part
        return tau

    def _by_numpy(self, x: Array, h: Array, dt: Array | float) -> Array:
        if len(self._joined) != len(h):
            self._joined = np.empty((len(h), self.input_size + self.units), dtype=np.float32)
        joined = self._joined
        joined[:, : self.input_size], joined[:, self.input_size :] = x, h
        p = joined @ self._turned
        p += self.weights["b"]
        step: Any = dt[:, None] if isinstance(dt, np.ndarray) and dt.ndim else np.float32(dt)
        if self.design.cell == "fixed":
            return self._relax_fixed(p, joined[:, self.input_size :], step)
        return self._relax_adaptive(p, joined[:, self.input_size :], step)

    def _relax_fixed(self, p: Array, h: Array, dt: Array) -> Array:
        alpha = self.weights["alpha"]
        np.tanh(p, out=p)
        share = alpha * dt if self.design.euler else -np.expm1(-alpha * dt)
        p /= alpha
        p -= h
        p *= share
        p += h
        return p

    def _relax_adaptive(self, p: Array, h: Array, dt: Array) -> Array:
        f, gate = p[:, : self.units], p[:, self.units :]
        np.maximum(gate, np.float32(-80), out=gate)  # exp(80) is still finite
        np.exp(np.negative(gate, out=gate), out=gate)
        gate += 1
        np.divide(np.float32(self.design.tau_max - self.design.tau_min), gate, out=gate)
        gate += np.float32(self.design.tau_min)
        ratio = dt / gate
        share = ratio if self.design.euler else -np.expm1(-ratio)
        moved: Array = np.tanh(f) - h
        moved *= share
        moved += h
        return moved


class NativeCell:
    """What the library reads and writes: arrays of its own, so that no address is looked up."""

    def __init__(self, library: Any, step: RunningStep) -> None:
        joint, design = step._joint, step.design
        self.gates, self.columns = joint.shape
        self.width = -(-self.gates // 16) * 16
        self.packed = np.zeros(self.columns * self.width, dtype=np.float32)
        library.pack_step(self.columns, self.gates, joint.ctypes.data, self.packed.ctypes.data)
        self.inputs, self.units = step.input_size, step.units
        self.keep = (step.weights["b"], step.weights.get("alpha", step.weights["b"]))
        self.struct = kernels.Step(
            units=step.units,
            inputs=step.input_size,
            adaptive=design.cell == "adaptive",
            euler=design.euler,
            tau_min=design.tau_min,
            tau_max=design.tau_max,
            packed=self.packed.ctypes.data,
            bias=self.keep[0].ctypes.data,
            alpha=self.keep[1].ctypes.data,
        )
        self.address = ctypes.addressof(self.struct)
        self.library, self.run = library, library.running_step
        self.batch = -1

    def make_room(self, batch: int) -> None:
        """Take arrays for so many samples."""
        self.batch = batch
        joined = np.empty((batch, self.columns), dtype=np.float32)
        self.dt = np.empty(batch, dtype=np.float32)
        self.next = np.empty((batch, self.units), dtype=np.float32)
        scratch = np.empty(batch * self.width + 4 * self.units, dtype=np.float32)
        self.x, self.h, self.room = joined[:, : self.inputs], joined[:, self.inputs :], scratch
        self.struct.joined, self.struct.dt = joined.ctypes.data, self.dt.ctypes.data
        self.struct.next, self.struct.scratch = self.next.ctypes.data, scratch.ctypes.data


def _dense(array: Array) -> Array:
    return np.ascontiguousarray(array, dtype=np.float32)


def _check_weights(weights: Mapping[str, Array], design: CellDesign) -> None:
    units = weights["U"].shape[1]
    gates = units * (2 if design.cell == "adaptive" else 1)
    wanted = {"W": (gates, weights["W"].shape[1]), "U": (gates, units), "b": (gates,)}
    if design.cell == "fixed":
        wanted["alpha"] = (units,)
    shapes = {name: array.shape for name, array in weights.items()}
    if shapes != wanted:
        cure = "Take them from the cell with from_torch."
        raise ValueError(complain("weights", f"of shapes {wanted}", str(shapes), cure))
