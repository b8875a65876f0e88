"""A recurrent layer of liquid cells, with the keyword names of ncps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.liquid.rnn.cells import (
    AdaptiveTauCell,
    Cell,
    DiagonalCell,
    LiquidCell,
    LTCCell,
)
from liquid_mono3d_ros.liquid.rnn.closed_form import CfCCell
from liquid_mono3d_ros.liquid.rnn.flow import Solver
from liquid_mono3d_ros.liquid.rnn.wiring import Wiring

CELLS: dict[str, Callable[..., Cell]] = {
    "adaptive": AdaptiveTauCell,
    "fixed": LiquidCell,
    "diagonal": DiagonalCell,
    "ltc": LTCCell,
    "cfc": CfCCell,
}
State = Tensor | tuple[Tensor, Tensor]
"""h (B, H); with mixed memory (h, c)."""


class Liquid(nn.Module):
    """Sequences with their time steps → outputs and the last state.

    Differs from ncps: time steps are in seconds, per sample where they are batched, also when B
    equals the number of units; dt = 0 changes nothing; an empty sequence gives an empty output;
    states take dtype and device of the input.

    Args:
        input_size: I.
        units_or_wiring: H, or a circuit: then the output is that of its motor neurons.
        proj_size: Width of a linear layer on the output; None for none.
        return_sequences: Whether the output has every step, or the last alone.
        batch_first: Whether x is (B, T, I), or (T, B, I).
        mixed_memory: Whether an LSTM cell writes into the state before each step, which keeps
            what a relaxing state forgets; then hx is (h, c).
        cell: "adaptive", "fixed", "diagonal", "ltc" or "cfc".
        solver: Of the cell; "cfc" has none.
        options: Of the cell, by name, for example ``tau_max=2.0``.

    Example:
        >>> rnn = Liquid(3, 16)
        >>> x, stamps = torch.randn(2, 50, 3), torch.rand(2, 50).cumsum(dim=1)
        >>> out, hx = rnn(x, timespans=stamps.diff(dim=1, prepend=stamps[:, :1]))
        >>> out.shape, hx.shape
        (torch.Size([2, 50, 16]), torch.Size([2, 16]))
    """

    def __init__(
        self,
        input_size: int,
        units_or_wiring: int | Wiring,
        proj_size: int | None = None,
        return_sequences: bool = True,
        batch_first: bool = True,
        mixed_memory: bool = False,
        cell: Literal["adaptive", "fixed", "diagonal", "ltc", "cfc"] = "adaptive",
        solver: Solver = "exp",
        **options: Any,
    ) -> None:
        super().__init__()
        if cell not in CELLS:
            rule = f"one of {', '.join(CELLS)}"
            raise ValueError(complain("cell", rule, repr(cell), "Choose one of them."))
        if cell != "cfc":
            options["solver"] = solver
        self.cell = CELLS[cell](input_size, units_or_wiring, **options)
        self.return_sequences, self.batch_first = return_sequences, batch_first
        self.state_size = self.cell.units
        wiring = self.cell.synapses.wiring
        self.motor_size = wiring.output_size if wiring else self.state_size
        self.output_size = proj_size or self.motor_size
        self.memory = nn.LSTMCell(input_size, self.state_size) if mixed_memory else None
        self.proj = nn.Linear(self.motor_size, proj_size) if proj_size else None

    def forward(
        self,
        x: Tensor,
        hx: State | None = None,
        timespans: Tensor | float | None = None,
        mask: Tensor | None = None,
        reset: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """Run over a sequence.

        Args:
            x: (B, T, I), or (T, B, I) without ``batch_first``, or (T, I) for one sequence.
            hx: State before the first step; zero when None.
            timespans: Time since the step before, s: a number, (T,), (B, T) or (B, T, 1), the
                last two in the order of x. One second when None, as in ncps.
            mask: False where there is no step, (B, T): the state is held, x and the timespan are
                not looked at. A sequence with gaps or an end so equals one without those steps.
            reset: True where the state is set to zero before the step, (B, T).

        Returns:
            Outputs (B, T, O), or (B, O) without ``return_sequences``, and the last state.
        """
        single = x.ndim == 2
        if single:
            x, timespans, mask, reset = (
                _batched(one, self._batch) for one in (x, timespans, mask, reset)
            )
            hx = _each(hx, lambda one: one[None])
        x = x.transpose(0, 1) if self.batch_first else x  # (T, B, I)
        h, c = self._start(x, hx)
        mask, reset = self._time_first("mask", mask, x), self._time_first("reset", reset, x)
        dt = self._steps(timespans, x)
        if mask is not None:
            x, dt = x.masked_fill(~mask[..., None], 0), dt.masked_fill(~mask, 0)
        if self.memory is None:
            states = self.cell.scan(x, h, dt, reset)
        else:
            states, c = self._scan_mixed(x, (h, c), dt, mask, reset)
        last = states[-1] if len(states) else h
        out = self._read(states if self.return_sequences else last)
        if self.return_sequences and self.batch_first:
            out = out.transpose(0, 1)
        state: State = last if c is None else (last, c)
        if single:
            out = out.squeeze(self._batch if self.return_sequences else 0)
            state = _each(state, lambda one: one[0])
        return out, state

    def step(
        self, x: Tensor, hx: State | None = None, dt: Tensor | float = 1.0
    ) -> tuple[Tensor, State]:
        """Run one step.

        Args:
            x: (B, I).
            hx: State; zero when None.
            dt: Time since the step before, s: a number, (B,) or (B, 1).

        Returns:
            Output (B, O), and the new state.
        """
        h, c = self._start(x[None], hx)
        if self.memory is not None:
            h, c = self.memory(x, (h, c))
        h = self.cell(x, h, dt)
        return self._read(h), h if c is None else (h, c)

    @property
    def _batch(self) -> int:
        return 0 if self.batch_first else 1

    def _start(self, x: Tensor, hx: State | None) -> tuple[Tensor, Tensor | None]:
        """Return h and, with mixed memory, c; (B, H) each."""
        shape = (x.shape[1], self.state_size)
        count = 1 if self.memory is None else 2
        if hx is None:
            hx = x.new_zeros(shape) if count == 1 else (x.new_zeros(shape), x.new_zeros(shape))
        parts: tuple[Tensor, ...] = hx if isinstance(hx, tuple) else (hx,)
        if len(parts) != count:
            rule = "(h, c) with mixed_memory and h without"
            got = f"{len(parts)} tensors"
            raise ValueError(complain("hx", rule, got, "Hand on the state that came back."))
        for part in parts:
            if tuple(part.shape) != shape:
                got = f"shape {tuple(part.shape)}"
                raise ValueError(
                    complain("hx", f"of shape {shape}", got, "Check batch and units.")
                )
        return parts[0].to(x.dtype), parts[1].to(x.dtype) if count == 2 else None

    def _steps(self, timespans: Tensor | float | None, x: Tensor) -> Tensor:
        """Return dt, (T, B); at least float32, since stamps differ in their last digits."""
        steps, batch = x.shape[:2]
        kind = torch.float64 if x.dtype == torch.float64 else torch.float32
        if timespans is None:
            timespans = 1.0
        if not isinstance(timespans, Tensor):
            if not timespans >= 0:
                cure = "Give the time since the step before."
                raise ValueError(complain("timespans", "at least 0 s", str(timespans), cure))
            return x.new_full((steps, batch), timespans, dtype=kind)
        spans = timespans.to(device=x.device, dtype=kind)
        if spans.ndim == 0:
            return spans.expand(steps, batch)
        if tuple(spans.shape) == (steps,):
            return spans[:, None].expand(steps, batch)
        if spans.ndim == 3 and spans.shape[2] == 1:
            spans = spans[..., 0]
        return self._ordered("timespans", spans, (steps, batch))

    def _time_first(self, name: str, flags: Tensor | None, x: Tensor) -> Tensor | None:
        if flags is None:
            return None
        return self._ordered(name, flags.to(device=x.device, dtype=torch.bool), x.shape[:2])

    def _ordered(self, name: str, values: Tensor, shape: tuple[int, ...]) -> Tensor:
        want = tuple(shape[::-1]) if self.batch_first else tuple(shape)
        if tuple(values.shape) != want:
            got = f"shape {tuple(values.shape)}"
            raise ValueError(complain(name, f"of shape {want}", got, "Give one value per step."))
        return values.t() if self.batch_first else values

    def _scan_mixed(
        self, x: Tensor, hx: tuple[Tensor, Tensor | None], dt: Tensor, mask: Any, reset: Any
    ) -> tuple[Tensor, Tensor]:
        """Run step by step with an LSTM cell before each."""
        assert self.memory is not None
        h, c = hx
        assert c is not None
        states = []
        for t in range(len(x)):
            if reset is not None:
                h, c = (part.masked_fill(reset[t, :, None], 0) for part in (h, c))
            written = self.memory(x[t], (h, c))
            if mask is not None:
                seen = mask[t, :, None]
                written = [
                    torch.where(seen, new, old) for new, old in zip(written, (h, c), strict=True)
                ]
            h, c = written
            h = self.cell(x[t], h, dt[t])
            states.append(h)
        return torch.stack(states) if states else h.new_empty(0, *h.shape), c

    def _read(self, h: Tensor) -> Tensor:
        motor = h[..., : self.motor_size]
        if self.proj is None:
            return motor
        return functional.linear(motor, self.proj.weight, self.proj.bias)


def _batched(value: Any, axis: int) -> Any:
    """Give one sequence its axis of the batch; a number, and one value per step, stay."""
    is_tensor = isinstance(value, Tensor) and value.ndim > 0
    return value.unsqueeze(axis) if is_tensor else value


def _each(state: Any, change: Any) -> Any:
    if state is None:
        return None
    return tuple(map(change, state)) if isinstance(state, tuple) else change(state)
