"""One step of dh/dt = rate (target - h): the solvers all cells share.

With rate and target held over the step the exponential form is the exact solution: it is the
identity at dt = 0, tends to the target, and never leaves the segment between h and the target
whatever the step; the Euler form does for rate dt > 2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from liquid_mono3d_ros.checks import complain

Solver = Literal["exp", "exp_midpoint", "euler"]
SOLVERS = ("exp", "exp_midpoint", "euler")
Flow = Callable[[Tensor], tuple[Tensor, Tensor]]
"""State (B, H) → rate (1/s) and target, each (B, H) or (H,)."""


def check_solver(solver: str, known: tuple[str, ...] = SOLVERS) -> None:
    """Check the name of a solver.

    Raises:
        ValueError: If it is not one of ``known``.
    """
    if solver not in known:
        rule = f"one of {', '.join(known)}"
        raise ValueError(complain("solver", rule, repr(solver), "Choose one of them."))


def settled(ratio: Tensor) -> Tensor:
    """Return 1 - exp(-ratio), the share of the way to the target, without loss of digits.

    ONNX has no expm1, and 1 - exp would lose the digits of a small step: an exported graph uses
    2 t / (1 + t) with t = tanh(ratio / 2), the same function.
    """
    if torch.compiler.is_exporting():
        t = torch.tanh(ratio / 2)
        return 2 * t / (1 + t)
    return -torch.expm1(-ratio)


def advance(flow: Flow, h: Tensor, dt: Tensor | float, solver: Solver) -> Tensor:
    """Bring h forward by dt: exp and euler are of first order, exp_midpoint of second.

    Args:
        flow: Rate and target at a state; the input is held over the step.
        h: (B, H).
        dt: s; a number or (B, 1).
        solver: "exp_midpoint" works out the flow again where the first half step leads.
    """
    rate, target = flow(h)
    if solver == "euler":
        return (h + rate * dt * (target - h)).to(h.dtype)
    if solver == "exp_midpoint":
        halfway = h + settled(rate * (dt / 2)) * (target - h)
        rate, target = flow(halfway.to(h.dtype))
    return (h + settled(rate * dt) * (target - h)).to(h.dtype)


def as_column(dt: Tensor | float, batch: int) -> Tensor | float:
    """Return dt so that it multiplies (B, H): a number stays, (B,) and (B, 1) become (B, 1).

    Raises:
        ValueError: If it is a negative number or of another shape.
    """
    if not isinstance(dt, Tensor):
        if not dt >= 0:
            cure = "Give the time since the last step, s."
            raise ValueError(complain("dt", "at least 0 s", str(dt), cure))
        return float(dt)
    if dt.ndim == 0:
        return dt
    if tuple(dt.shape) not in ((batch,), (batch, 1)):
        rule = f"a number, ({batch},) or ({batch}, 1)"
        cure = "Give one step per sample, s."
        raise ValueError(complain("dt", rule, f"shape {tuple(dt.shape)}", cure))
    return dt.reshape(-1, 1)
