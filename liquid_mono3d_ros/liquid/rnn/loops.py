"""The scans as loops over time in plain torch: the reference, and what runs without a kernel.

Hand-derived, with g = dL/dh' and p = W x + U h + b at each step. Fixed rate, h' = d h + k phi:
``delta = g k (1 - phi²)``, ``dL/dh = g d + delta U``. Adaptive, h' = h + w (f - h), r = dt / tau:
``delta_f = g w (1 - f²)``, ``delta_tau = -g (f - h) (dw/dr) (r / tau) dtau/dp``. Only dL/dh runs
along time; every other gradient is a product over all steps at once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

F = TypeVar("F", bound=Callable[..., Any])


class FixedGradients(NamedTuple):
    """Of the loss by drive (T, B, H), U (H, H), alpha (H,), h0 (B, H) and dt (T, B)."""

    drive: Tensor
    U: Tensor
    alpha: Tensor
    h0: Tensor
    dt: Tensor


class GatedGradients(NamedTuple):
    """Of the loss by drive (T, B, 2 H), h0 (B, H) and dt (T, B)."""

    drive: Tensor
    h0: Tensor
    dt: Tensor


class AdaptiveGradients(NamedTuple):
    """Of the loss by drive (T, B, 2 H), U (2 H, H), h0 (B, H) and dt (T, B)."""

    drive: Tensor
    U: Tensor
    h0: Tensor
    dt: Tensor


def _in_float32(function: F) -> F:
    """Sum 16-bit numbers in float32; the i-th result then has the type of the i-th argument."""

    @functools.wraps(function)
    def run(*arguments: Any) -> Any:
        if arguments[0].dtype not in (torch.bfloat16, torch.float16):
            return function(*arguments)
        wide = (
            one.float() if isinstance(one, Tensor) and one.is_floating_point() else one
            for one in arguments
        )
        found = function(*wide)
        return tuple(one.to(like.dtype) for one, like in zip(found, arguments, strict=False))

    return run  # type: ignore[return-value]


@_in_float32
def fixed_forward(
    drive: Tensor,
    U: Tensor,
    alpha: Tensor,
    h0: Tensor,
    dt: Tensor,
    reset: Tensor | None,
    euler: bool,
) -> tuple[Tensor, Tensor]:
    """Return the states and phi, both (T, B, H); arguments as in ``sequence.fixed_scan``."""
    h, phi = torch.empty_like(drive), torch.empty_like(drive)
    state, U_t = h0, U.t()
    for t in range(len(drive)):
        if reset is not None:
            state = state.masked_fill(reset[t, :, None], 0)
        torch.tanh(torch.addmm(drive[t], state, U_t), out=phi[t])
        decay, gain = _coefficients(alpha, dt[t, :, None], euler)
        torch.addcmul(decay * state, gain, phi[t], out=h[t])
        state = h[t]
    return h, phi


@_in_float32
def fixed_backward(
    grad: Tensor,
    U: Tensor,
    alpha: Tensor,
    h0: Tensor,
    dt: Tensor,
    reset: Tensor | None,
    euler: bool,
    h: Tensor,
    phi: Tensor,
) -> FixedGradients:
    """Return the gradients, from that of the states (T, B, H) and what the forward pass gave."""
    step = dt[..., None]
    decay, gain = _coefficients(alpha, step, euler)  # (T, B, H)
    opened = gain * (1 - phi * phi)
    total, delta, carry = torch.empty_like(h), torch.empty_like(h), torch.zeros_like(h0)
    for t in range(len(h) - 1, -1, -1):
        torch.add(grad[t], carry, out=total[t])
        torch.mul(total[t], opened[t], out=delta[t])
        carry = torch.addmm(total[t] * decay[t], delta[t], U)
        if reset is not None:
            carry = carry.masked_fill(reset[t, :, None], 0)
    past = before(h0, h, reset)
    slope = torch.ones_like(decay) if euler else decay
    by_gain = torch.zeros_like(decay) if euler else (step * decay - gain) / alpha
    d_alpha = (total * (by_gain * phi - step * slope * past)).sum((0, 1))
    d_dt = (total * slope * (phi - alpha * past)).sum(-1)
    return FixedGradients(delta, outer(delta, h0, h, reset), d_alpha, carry, d_dt)


@_in_float32
def adaptive_forward(
    drive: Tensor,
    U: Tensor,
    h0: Tensor,
    dt: Tensor,
    reset: Tensor | None,
    euler: bool,
    tau_min: float,
    tau_max: float,
) -> tuple[Tensor, Tensor]:
    """Return the states (T, B, H), and f beside tau (T, B, 2 H); as ``sequence.adaptive_scan``."""
    units = h0.shape[-1]
    h, gates = torch.empty_like(drive[..., :units]), torch.empty_like(drive)
    state, U_t = h0, U.t()
    for t in range(len(drive)):
        if reset is not None:
            state = state.masked_fill(reset[t, :, None], 0)
        f, tau = torch.addmm(drive[t], state, U_t).chunk(2, dim=-1)
        gates[t, :, :units] = f = torch.tanh(f)
        gates[t, :, units:] = tau = tau_min + (tau_max - tau_min) * torch.sigmoid(tau)
        torch.lerp(state, f, _settled(dt[t, :, None] / tau, euler), out=h[t])
        state = h[t]
    return h, gates


@_in_float32
def adaptive_backward(
    grad: Tensor,
    U: Tensor,
    h0: Tensor,
    dt: Tensor,
    reset: Tensor | None,
    euler: bool,
    tau_min: float,
    tau_max: float,
    h: Tensor,
    gates: Tensor,
) -> AdaptiveGradients:
    """Return the gradients, from that of the states (T, B, H) and what the forward pass gave."""
    f, tau = gates.chunk(2, dim=-1)
    past, ratio = before(h0, h, reset), dt[..., None] / tau
    settled = _settled(ratio, euler)
    by_ratio = (f - past) * (torch.ones_like(ratio) if euler else 1 - settled)
    opened = (tau - tau_min) / (tau_max - tau_min)
    by_tau = -by_ratio * ratio / tau * (tau_max - tau_min) * opened * (1 - opened)
    by_gates = torch.cat([settled * (1 - f * f), by_tau], dim=-1)  # (T, B, 2 H)
    total, delta, carry = torch.empty_like(h), torch.empty_like(gates), torch.zeros_like(h0)
    for t in range(len(h) - 1, -1, -1):
        torch.add(grad[t], carry, out=total[t])
        torch.mul(total[t].repeat(1, 2), by_gates[t], out=delta[t])
        carry = torch.addmm(total[t] * (1 - settled[t]), delta[t], U)
        if reset is not None:
            carry = carry.masked_fill(reset[t, :, None], 0)
    d_dt = (total * by_ratio / tau).sum(-1)
    return AdaptiveGradients(delta, outer(delta, h0, h, reset), carry, d_dt)


@_in_float32
def gated_forward(
    drive: Tensor, h0: Tensor, dt: Tensor, reset: Tensor | None, tau_min: float, tau_max: float
) -> tuple[Tensor, Tensor]:
    """Return the states (T, B, H), and f beside tau (T, B, 2 H); as ``sequence.gated_scan``."""
    f, tau = drive.chunk(2, dim=-1)
    f, tau = torch.tanh(f), tau_min + (tau_max - tau_min) * torch.sigmoid(tau)
    settled = _settled(dt[..., None] / tau, False)
    return recur(_keep(settled, reset), settled * f, h0), torch.cat([f, tau], dim=-1)


@_in_float32
def gated_backward(
    grad: Tensor,
    h0: Tensor,
    dt: Tensor,
    reset: Tensor | None,
    tau_min: float,
    tau_max: float,
    h: Tensor,
    gates: Tensor,
) -> GatedGradients:
    """Return the gradients, from that of the states (T, B, H) and what the forward pass gave.

    The gradient runs the same recurrence the other way: v[t] = grad[t] + kept[t+1] v[t+1].
    """
    f, tau = gates.chunk(2, dim=-1)
    past, ratio = before(h0, h, reset), dt[..., None] / tau
    settled = _settled(ratio, False)
    kept = _keep(settled, reset)
    total = recur(torch.cat([kept[1:], kept[:1]]).flip(0), grad.flip(0), torch.zeros_like(h0))
    total = total.flip(0)
    by_ratio = (f - past) * (1 - settled)
    opened = (tau - tau_min) / (tau_max - tau_min)
    by_tau = -by_ratio * ratio / tau * (tau_max - tau_min) * opened * (1 - opened)
    delta = torch.cat([total * settled * (1 - f * f), total * by_tau], dim=-1)
    d_h0 = (kept[:1] * total[:1]).sum(0)
    return GatedGradients(delta, d_h0, (total * by_ratio / tau).sum(-1))


def recur(a: Tensor, b: Tensor, h0: Tensor) -> Tensor:
    """Return h[t] = a[t] h[t-1] + b[t] for all t, (T, B, H), in a depth of 2 log2 T operations.

    Source: Blelloch, Prefix sums and their applications, 1990.
    """
    if not len(a):
        return torch.empty_like(b)
    return _combine(a, torch.cat([torch.addcmul(b[:1], a[:1], h0), b[1:]]))


def before(h0: Tensor, h: Tensor, reset: Tensor | None) -> Tensor:
    """Return the state each step started from, (T, B, H): zero where it was reset."""
    past = torch.cat([h0[None], h])[:-1]
    return past if reset is None else past.masked_fill(reset[..., None], 0)


def outer(delta: Tensor, h0: Tensor, h: Tensor, reset: Tensor | None) -> Tensor:
    """Return the gradient of U: the product of delta and the states before, over steps and batch.

    Without resets those states are not copied: the first step is added to the rest.
    """
    if reset is not None or not len(h):
        return delta.flatten(0, 1).t() @ before(h0, h, reset).flatten(0, 1)
    return torch.addmm(
        delta[0].t() @ h0, delta[1:].flatten(0, 1).t(), h[:-1].flatten(0, 1)
    )  # (G, H)


def _coefficients(alpha: Tensor, dt: Tensor, euler: bool) -> tuple[Tensor, Tensor]:
    """Return decay and gain of h' = decay h + gain phi."""
    if euler:
        return 1 - alpha * dt, dt.expand(*dt.shape[:-1], len(alpha))
    settled = -torch.expm1(-alpha * dt)
    return 1 - settled, settled / alpha


def _settled(ratio: Tensor, euler: bool) -> Tensor:
    return ratio if euler else -torch.expm1(-ratio)


def _keep(settled: Tensor, reset: Tensor | None) -> Tensor:
    """Return the share of the state before that is left, zero where it is reset."""
    kept = 1 - settled
    return kept if reset is None else kept.masked_fill(reset[..., None], 0)


def _combine(a: Tensor, b: Tensor) -> Tensor:
    """Return the scan of (a, b) from zero: pairs first, then the steps between."""
    length = len(a)
    if length == 1:
        return b
    even, odd = slice(0, length - 1, 2), slice(1, None, 2)
    at_odd = _combine(a[odd] * a[even], torch.addcmul(b[odd], a[odd], b[even]))
    h = torch.empty_like(b)
    h[odd] = at_odd
    h[:1] = b[:1]
    if length > 2:
        between = slice(2, None, 2)
        count = (length - 1) // 2
        h[between] = torch.addcmul(b[between], a[between], at_odd[:count])
    return h
