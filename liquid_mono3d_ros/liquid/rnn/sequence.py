"""Whole sequences as torch operators: forward, exact backward, shapes for the compiler.

``drive`` is W x + b for every step, made by one matrix product outside; an operator runs what is
left, the recurrence. Its gradient by the drive gives W, b and x theirs in one product each.

On every device an operator runs the loops of ``loops.py`` until a kernel is registered for it and
its backward; ``cpu.py`` registers the native library, and another device does the same:
``fixed_scan.register_kernel("cuda")(function)``. Second derivatives are not defined.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.library import custom_op

from liquid_mono3d_ros.liquid.rnn import loops

if TYPE_CHECKING:
    from torch._library.custom_ops import CustomOpDef

_FIXED = "Tensor U, Tensor alpha, Tensor h0, Tensor dt, Tensor? reset, bool euler"
_GATED = "Tensor h0, Tensor dt, Tensor? reset, float tau_min, float tau_max"
_ADAPTIVE = (
    "Tensor U, Tensor h0, Tensor dt, Tensor? reset, bool euler, float tau_min, float tau_max"
)


def _operator(name: str, schema: str) -> Callable[[Callable[..., Any]], CustomOpDef]:
    made: Any = custom_op(f"liquid_mono3d::{name}", mutates_args=(), schema=schema)
    return made  # type: ignore[no-any-return]


@_operator("fixed_scan", f"(Tensor drive, {_FIXED}) -> (Tensor, Tensor)")
def fixed_scan(
    drive: Tensor,
    U: Tensor,
    alpha: Tensor,
    h0: Tensor,
    dt: Tensor,
    reset: Tensor | None,
    euler: bool,
) -> tuple[Tensor, Tensor]:
    """Run h' = exp(-alpha dt) h - expm1(-alpha dt) / alpha tanh(drive + U h) over all steps.

    Args:
        drive: (T, B, H).
        U: (H, H).
        alpha: 1/s, (H,).
        h0: (B, H).
        dt: s, (T, B).
        reset: Where the state is set to zero before the step, (T, B) bool.
        euler: Whether to take h' = (1 - alpha dt) h + dt tanh(drive + U h) instead.

    Returns:
        The states (T, B, H), and the values of tanh, which are not differentiable.
    """
    return loops.fixed_forward(drive, U, alpha, h0, dt, reset, euler)


@_operator(
    "fixed_scan_backward",
    f"(Tensor grad, {_FIXED}, Tensor h, Tensor phi) -> (Tensor, Tensor, Tensor, Tensor, Tensor)",
)
def fixed_scan_backward(*arguments: Any) -> tuple[Tensor, ...]:
    """Return the gradients of drive, U, alpha, h0 and dt."""
    return tuple(loops.fixed_backward(*arguments))


@_operator("adaptive_scan", f"(Tensor drive, {_ADAPTIVE}) -> (Tensor, Tensor)")
def adaptive_scan(
    drive: Tensor,
    U: Tensor,
    h0: Tensor,
    dt: Tensor,
    reset: Tensor | None,
    euler: bool,
    tau_min: float,
    tau_max: float,
) -> tuple[Tensor, Tensor]:
    """Run h' = h - expm1(-dt / tau) (f - h) over all steps.

    f = tanh of the first half of drive + U h, tau = tau_min + (tau_max - tau_min) sigmoid of the
    second.

    Args:
        drive: (T, B, 2 H).
        U: (2 H, H).
        h0: (B, H).
        dt: s, (T, B).
        reset: Where the state is set to zero before the step, (T, B) bool.
        euler: Whether to take h' = h + dt / tau (f - h) instead.
        tau_min: s.
        tau_max: s.

    Returns:
        The states (T, B, H), and f beside tau (T, B, 2 H), which are not differentiable.
    """
    return loops.adaptive_forward(drive, U, h0, dt, reset, euler, tau_min, tau_max)


@_operator(
    "adaptive_scan_backward",
    f"(Tensor grad, {_ADAPTIVE}, Tensor h, Tensor gates) -> (Tensor, Tensor, Tensor, Tensor)",
)
def adaptive_scan_backward(*arguments: Any) -> tuple[Tensor, ...]:
    """Return the gradients of drive, U, h0 and dt."""
    return tuple(loops.adaptive_backward(*arguments))


@_operator("gated_scan", f"(Tensor drive, {_GATED}) -> (Tensor, Tensor)")
def gated_scan(
    drive: Tensor, h0: Tensor, dt: Tensor, reset: Tensor | None, tau_min: float, tau_max: float
) -> tuple[Tensor, Tensor]:
    """Run the exponential step of ``adaptive_scan`` with U = 0: linear in h, so in parallel.

    Args:
        drive: (T, B, 2 H).
        h0: (B, H).
        dt: s, (T, B).
        reset: Where the state is set to zero before the step, (T, B) bool.
        tau_min: s.
        tau_max: s.

    Returns:
        The states (T, B, H), and f beside tau (T, B, 2 H), which are not differentiable.
    """
    return loops.gated_forward(drive, h0, dt, reset, tau_min, tau_max)


@_operator(
    "gated_scan_backward",
    f"(Tensor grad, {_GATED}, Tensor h, Tensor gates) -> (Tensor, Tensor, Tensor)",
)
def gated_scan_backward(*arguments: Any) -> tuple[Tensor, ...]:
    """Return the gradients of drive, h0 and dt."""
    return tuple(loops.gated_backward(*arguments))


# Shapes, for the compiler.


@fixed_scan.register_fake
def _(drive: Tensor, *arguments: Any) -> tuple[Tensor, Tensor]:
    return drive.new_empty(drive.shape), drive.new_empty(drive.shape)


@fixed_scan_backward.register_fake
def _(grad: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
    return tuple(one.new_empty(one.shape) for one in (grad, *arguments[:4]))


@adaptive_scan.register_fake
def _(drive: Tensor, U: Tensor, h0: Tensor, *arguments: Any) -> tuple[Tensor, Tensor]:
    return drive.new_empty(*drive.shape[:2], h0.shape[1]), drive.new_empty(drive.shape)


@adaptive_scan_backward.register_fake
def _(grad: Tensor, U: Tensor, h0: Tensor, dt: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
    return tuple(one.new_empty(one.shape) for one in (arguments[-1], U, h0, dt))


@gated_scan.register_fake
def _(drive: Tensor, h0: Tensor, *arguments: Any) -> tuple[Tensor, Tensor]:
    return drive.new_empty(*drive.shape[:2], h0.shape[1]), drive.new_empty(drive.shape)


@gated_scan_backward.register_fake
def _(grad: Tensor, h0: Tensor, dt: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
    return tuple(one.new_empty(one.shape) for one in (arguments[-1], h0, dt))


# Gradients.


def _fixed_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    _, *saved, ctx.euler = inputs
    ctx.save_for_backward(*saved, *output)
    ctx.mark_non_differentiable(output[1])
    ctx.set_materialize_grads(False)


def _fixed_gradients(ctx: Any, grad: Tensor | None, _: None) -> tuple[Tensor | None, ...]:
    if grad is None:
        return (None,) * 7
    *inputs, h, phi = ctx.saved_tensors
    return (*fixed_scan_backward(grad.contiguous(), *inputs, ctx.euler, h, phi), None, None)


def _adaptive_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    _, *saved, euler, tau_min, tau_max = inputs
    ctx.options = (euler, tau_min, tau_max)
    ctx.save_for_backward(*saved, *output)
    ctx.mark_non_differentiable(output[1])
    ctx.set_materialize_grads(False)


def _adaptive_gradients(ctx: Any, grad: Tensor | None, _: None) -> tuple[Tensor | None, ...]:
    if grad is None:
        return (None,) * 8
    *inputs, h, gates = ctx.saved_tensors
    found = adaptive_scan_backward(grad.contiguous(), *inputs, *ctx.options, h, gates)
    return (*found, None, None, None, None)


def _gated_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    _, *saved, tau_min, tau_max = inputs
    ctx.options = (tau_min, tau_max)
    ctx.save_for_backward(*saved, *output)
    ctx.mark_non_differentiable(output[1])
    ctx.set_materialize_grads(False)


def _gated_gradients(ctx: Any, grad: Tensor | None, _: None) -> tuple[Tensor | None, ...]:
    if grad is None:
        return (None,) * 6
    *inputs, h, gates = ctx.saved_tensors
    found = gated_scan_backward(grad.contiguous(), *inputs, *ctx.options, h, gates)
    return (*found, None, None, None)


fixed_scan.register_autograd(_fixed_gradients, setup_context=_fixed_context)
adaptive_scan.register_autograd(_adaptive_gradients, setup_context=_adaptive_context)
gated_scan.register_autograd(_gated_gradients, setup_context=_gated_context)
