"""Cells that relax: state in, state out, ``h = cell(x, h, dt)``.

x is (B, I), h (B, H), dt in seconds, a number or one per sample. Every cell is the identity at
dt = 0 and stays bounded for any dt (not with the solver "euler").
"""

from __future__ import annotations

import math
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.liquid.rnn import cpu  # noqa: F401  registers its kernels
from liquid_mono3d_ros.liquid.rnn.flow import Solver, advance, as_column, check_solver
from liquid_mono3d_ros.liquid.rnn.sequence import adaptive_scan, fixed_scan, gated_scan
from liquid_mono3d_ros.liquid.rnn.synapses import Synapses
from liquid_mono3d_ros.liquid.rnn.wiring import Wiring

if torch.version.cuda and torch.cuda.is_available() and find_spec("triton"):
    from liquid_mono3d_ros.liquid.rnn import triton_scan  # noqa: F401  registers its kernels

FASTEST, SLOWEST = 0.03, 3.0
"""Time constants of a fresh cell spread evenly in log tau over this, s: a frame to a gesture."""


class Cell(nn.Module):
    """Base of all cells: dh/dt = rate (target - h), both worked out by ``flow``."""

    def __init__(self, synapses: Synapses, solver: Solver = "exp") -> None:
        super().__init__()
        check_solver(solver)
        self.synapses, self.solver = synapses, solver
        self.input_size, self.units = synapses.input_size, synapses.units

    def flow(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return rate (1/s) and target, each (B, H) or (H,)."""
        raise NotImplementedError

    def forward(self, x: Tensor, h: Tensor, dt: Tensor | float) -> Tensor:
        """Return the state after ``dt`` seconds with the input x, (B, H)."""
        return advance(
            lambda state: self.flow(x, state), h, as_column(dt, h.shape[0]), self.solver
        )

    def scan(self, x: Tensor, h0: Tensor, dt: Tensor, reset: Tensor | None = None) -> Tensor:
        """Return the states of a whole sequence, (T, B, H).

        Args:
            x: (T, B, I).
            h0: (B, H).
            dt: s, (T, B).
            reset: Where the state is set to zero before the step, (T, B) bool.
        """
        states, h = [], h0
        for t in range(len(x)):
            if reset is not None:
                h = h.masked_fill(reset[t, :, None], 0)
            h = self(x[t], h, dt[t])
            states.append(h)
        return torch.stack(states) if states else h0.new_empty(0, *h0.shape)


class LiquidCell(Cell):
    """Leaky neurons with a rate of their own: dh/dt = -alpha h + tanh(W x + U h + b).

    Step "exp": h' = e^(-alpha dt) h - expm1(-alpha dt) / alpha phi, exact while phi holds.
    alpha = softplus(alpha_raw) + alpha_min, in 1/s; dt in s. |h| <= max(|h0|, 1 / alpha). With
    constant alpha this is a leaky continuous-time RNN: the time constant does not depend on the
    input. "euler" is h' = h + dt (-alpha h + phi) and diverges for alpha dt > 2.

    A fresh cell has time constants from 30 ms to 3 s, and columns of U scaled by alpha, so that
    fast neurons, whose states are small, are heard like slow ones.
    """

    def __init__(
        self,
        input_size: int,
        units: int | Wiring,
        solver: Solver = "exp",
        *,
        alpha_min: float = 0.1,
    ) -> None:
        super().__init__(Synapses(input_size, units), solver)
        self.alpha_min = alpha_min
        alpha = 1 / _spread(self.units)
        self.alpha_raw = nn.Parameter(torch.log(torch.expm1(alpha - alpha_min)))
        if self.synapses.U is not None:
            self.synapses.U.data *= alpha

    @property
    def alpha(self) -> Tensor:
        """Decay rates, 1/s, (H,)."""
        return functional.softplus(self.alpha_raw) + self.alpha_min

    def flow(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return alpha, and tanh(W x + U h + b) / alpha."""
        alpha = self.alpha
        return alpha, torch.tanh(self.synapses(x, h)) / alpha

    def scan(self, x: Tensor, h0: Tensor, dt: Tensor, reset: Tensor | None = None) -> Tensor:
        """Return the states of a whole sequence, (T, B, H), by one operator."""
        if self.solver == "exp_midpoint":
            return super().scan(x, h0, dt, reset)
        drive, U = self.synapses.drive(x), self.synapses.weights()[1]
        kind, exact = _kinds(x)
        drive, U, h0 = (part.to(kind) for part in (drive, U, h0))
        alpha, dt = self.alpha.to(exact), dt.to(exact)
        h: Tensor = fixed_scan(drive, U, alpha, h0, dt, reset, self.solver == "euler")[0]
        return h.to(x.dtype)

    def running_weights(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Return weights and design for a ``RunningStep``."""
        weights = {**_arrays(self), "alpha": self.alpha.detach().cpu().float().numpy()}
        return weights, {"cell": "fixed", "euler": _euler(self)}


class AdaptiveTauCell(Cell):
    """Neurons whose time constant follows input and state: dh/dt = (f - h) / tau.

    f = tanh(W x + U h + b), tau = tau_min + (tau_max - tau_min) sigmoid(W_tau x + U_tau h +
    b_tau), in s, per neuron; the two are stacked, f first. Step "exp": h' = h - expm1(-dt / tau)
    (f - h), exact while f and tau hold. |h| <= max(|h0|, 1). States are not normalised: a
    LayerNorm on h would take the meaning of tau away.

    A fresh cell has time constants around 30 ms to 3 s, with small weights into tau.
    """

    def __init__(
        self,
        input_size: int,
        units: int | Wiring,
        solver: Solver = "exp",
        *,
        tau_min: float = 0.01,
        tau_max: float = 10.0,
    ) -> None:
        super().__init__(Synapses(input_size, units, gates=2), solver)
        _check_tau(tau_min, tau_max)
        self.tau_min, self.tau_max = tau_min, tau_max
        _spread_tau(self.synapses, tau_min, tau_max)

    def flow(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return 1 / tau, and f."""
        f, gate = self.synapses(x, h).chunk(2, dim=-1)
        return 1 / _tau(self, gate), torch.tanh(f)

    def tau(self, x: Tensor, h: Tensor) -> Tensor:
        """Return the time constants with which the next step relaxes, s, (B, H)."""
        return _tau(self, self.synapses(x, h).chunk(2, dim=-1)[1])

    def scan(self, x: Tensor, h0: Tensor, dt: Tensor, reset: Tensor | None = None) -> Tensor:
        """Return the states of a whole sequence, (T, B, H), by one operator."""
        if self.solver == "exp_midpoint":
            return super().scan(x, h0, dt, reset)
        drive, U = self.synapses.drive(x), self.synapses.weights()[1]
        kind, exact = _kinds(x)
        drive, U, h0 = (part.to(kind) for part in (drive, U, h0))
        bounds, euler = (self.tau_min, self.tau_max), self.solver == "euler"
        h: Tensor = adaptive_scan(drive, U, h0, dt.to(exact), reset, euler, *bounds)[0]
        return h.to(x.dtype)

    def running_weights(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Return weights and design for a ``RunningStep``."""
        bounds = {"tau_min": self.tau_min, "tau_max": self.tau_max}
        return _arrays(self), {"cell": "adaptive", "euler": _euler(self), **bounds}


class DiagonalCell(Cell):
    """Neurons that do not hear one another: dh/dt = (f - h) / tau with f and tau of x alone.

    f = tanh(W x + b), tau as in ``AdaptiveTauCell`` without U. Linear in h, so the exponential
    step is exact for an x held over dt, two half steps equal one, and a whole sequence is a
    parallel scan. |h| <= max(|h0|, 1). A wiring has nothing to say here but the inputs' synapses.
    """

    def __init__(
        self,
        input_size: int,
        units: int,
        solver: Solver = "exp",
        *,
        tau_min: float = 0.01,
        tau_max: float = 10.0,
    ) -> None:
        if isinstance(units, Wiring):
            cure = "Take another cell for a wiring: these neurons have no synapses."
            raise TypeError(complain("units", "a number", "a Wiring", cure))
        check_solver(solver, ("exp",))
        super().__init__(Synapses(input_size, units, gates=2, recurrent=False), solver)
        _check_tau(tau_min, tau_max)
        self.tau_min, self.tau_max = tau_min, tau_max
        _spread_tau(self.synapses, tau_min, tau_max)

    def flow(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return 1 / tau, and f."""
        f, gate = self.synapses.drive(x).chunk(2, dim=-1)
        return 1 / _tau(self, gate), torch.tanh(f)

    def tau(self, x: Tensor) -> Tensor:
        """Return the time constants with which the next step relaxes, s, (B, H)."""
        return _tau(self, self.synapses.drive(x).chunk(2, dim=-1)[1])

    def scan(self, x: Tensor, h0: Tensor, dt: Tensor, reset: Tensor | None = None) -> Tensor:
        """Return the states of a whole sequence, (T, B, H), by one operator."""
        kind, exact = _kinds(x)
        drive, h0 = (part.to(kind) for part in (self.synapses.drive(x), h0))
        h: Tensor = gated_scan(drive, h0, dt.to(exact), reset, self.tau_min, self.tau_max)[0]
        return h.to(x.dtype)


class LTCCell(Cell):
    """Liquid time-constant neurons: dh/dt = -(1 / tau + f) h + f A, f = sigmoid(W x + U h + b).

    tau (s) and A are learned, one per neuron; f is in 1/s. The step takes f as held: rate = 1 /
    tau + f, target = f A / rate. |h| <= max(|h0|, |A|).

    Source: Hasani et al., Liquid time-constant networks, 2021, eq. 1. Differs: there a fused
    implicit step with six unfolds (NaN at dt = 0 in ncps), here one exponential step; ncps has a
    sigmoid for each synapse, here one for each neuron, as in that equation.
    """

    def __init__(self, input_size: int, units: int | Wiring, solver: Solver = "exp") -> None:
        super().__init__(Synapses(input_size, units), solver)
        self.tau_raw = nn.Parameter(torch.log(torch.expm1(_spread(self.units))))
        self.A = nn.Parameter(torch.empty(self.units).uniform_(-1, 1))

    def flow(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return 1 / tau + f, and f A over it."""
        f = torch.sigmoid(self.synapses(x, h))
        rate = 1 / (functional.softplus(self.tau_raw) + 1e-3) + f
        return rate, f * self.A / rate


def _kinds(x: Tensor) -> tuple[torch.dtype, torch.dtype]:
    """Return the types of drive, U and h, and of alpha and dt: these have at least 32 bits.

    On the CPU a recurrence of 16-bit numbers runs in float32; elsewhere its kernel decides.
    """
    if x.dtype not in (torch.bfloat16, torch.float16):
        return x.dtype, x.dtype
    return torch.float32 if x.device.type == "cpu" else x.dtype, torch.float32


def _spread(units: int) -> Tensor:
    """Return a time constant for each neuron, s; any run of neighbours covers the range."""
    order = torch.argsort(torch.arange(units) * 0.6180339887 % 1)  # the golden ratio
    return torch.logspace(math.log10(FASTEST), math.log10(SLOWEST), units)[order]


def _spread_tau(synapses: Synapses, tau_min: float, tau_max: float) -> None:
    """Start the second gate near the spread of time constants that lie between its bounds."""
    units = synapses.units
    margin = 0.01 * (tau_max - tau_min)
    tau = _spread(units).clamp(tau_min + 0.1 * min(margin, tau_min), tau_max - margin)
    synapses.b.data[units:] = torch.logit((tau - tau_min) / (tau_max - tau_min))
    synapses.W.data[units:] *= 0.3
    if synapses.U is not None:
        synapses.U.data[units:] *= 0.3


def _tau(cell: AdaptiveTauCell | DiagonalCell, gate: Tensor) -> Tensor:
    return cell.tau_min + (cell.tau_max - cell.tau_min) * torch.sigmoid(gate)


def _arrays(cell: Cell) -> dict[str, Array]:
    W, U = cell.synapses.weights()
    named = {"W": W, "U": U, "b": cell.synapses.b}
    return {name: one.detach().cpu().float().numpy() for name, one in named.items()}


def _euler(cell: Cell) -> bool:
    if cell.solver == "exp_midpoint":
        cure = "Export this cell to ONNX instead."
        raise ValueError(complain("solver", "exp or euler", repr(cell.solver), cure))
    return cell.solver == "euler"


def _check_tau(tau_min: float, tau_max: float) -> None:
    if not 0 < tau_min < tau_max < math.inf:
        got = f"{tau_min} and {tau_max}"
        cure = "Give both in seconds."
        raise ValueError(complain("tau_min, tau_max", "positive and ascending", got, cure))
