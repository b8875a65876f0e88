# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"
"""Triton kernels of the scan without U: one sample and a few units each, many steps at once.

Blocks of steps follow one another; within a block the recurrence, linear in h, is a parallel scan.
The formulas are those of ``loops.py``.
"""

from __future__ import annotations

import triton
import triton.language as tl

from liquid_mono3d_ros.liquid.rnn.triton_kernels import settle, tanh


@triton.jit
def _follow(kept, added, kept_next, added_next):
    return kept * kept_next, added * kept_next + added_next


@triton.jit
def gated_forward(
    drive, h0, dt, reset, h, gates, tau_min, tau_max, steps, batch, units,
    RESET: tl.constexpr, STEPS: tl.constexpr, BLOCK: tl.constexpr, AHEAD: tl.constexpr,
):  # fmt: skip
    """Run ``loops.gated_forward``; the grid is (samples, blocks of units)."""
    b, n = tl.program_id(0).to(tl.int64), tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)[None, :]
    state = tl.load(h0 + b * units + n, mask=n < units, other=0.0).to(tl.float32)
    row = tl.arange(0, STEPS)[:, None]
    for start in tl.range(0, steps, STEPS, num_stages=AHEAD):
        t = start + row
        inside = (t < steps) & (n < units)
        at = t * batch + b  # of (t, b)
        step = tl.load(dt + at, mask=t < steps, other=0.0)
        f = tl.load(drive + 2 * at * units + n, mask=inside, other=0.0).to(tl.float32)
        tau = tl.load(drive + (2 * at + 1) * units + n, mask=inside, other=0.0).to(tl.float32)
        f, tau = tanh(f), tau_min + (tau_max - tau_min) / (1 + tl.exp(-tau))
        settled = settle(step / tau)
        kept = 1 - settled
        if RESET:
            fresh = tl.load(reset + at, mask=t < steps, other=0)
            kept = tl.where(fresh != 0, 0.0, kept)
        through, added = tl.associative_scan((kept, settled * f), 0, _follow)
        value = through * state + added
        tl.store(h + at * units + n, value, mask=inside)
        tl.store(gates + 2 * at * units + n, f, mask=inside)
        tl.store(gates + (2 * at + 1) * units + n, tau, mask=inside)
        state = tl.sum(tl.where(row == STEPS - 1, value, 0.0), axis=0)[None, :]


@triton.jit
def _kept(dt, reset, gates, at, n, units, inside, RESET: tl.constexpr):
    """Return by how much each step shrinks the state before it."""
    step = tl.load(dt + at + 0 * n, mask=inside, other=0.0)
    tau = tl.load(gates + (2 * at + 1) * units + n, mask=inside, other=1.0).to(tl.float32)
    kept = 1 - settle(step / tau)
    if RESET:
        kept = tl.where(tl.load(reset + at + 0 * n, mask=inside, other=0) != 0, 0.0, kept)
    return kept


@triton.jit
def gated_backward(
    grad, h0, dt, reset, h, gates, delta, d_h0, d_dt, tau_min, tau_max, steps, batch, units,
    RESET: tl.constexpr, STEPS: tl.constexpr, BLOCK: tl.constexpr, AHEAD: tl.constexpr,
):  # fmt: skip
    """Run ``loops.gated_backward``; the same grid, and one d_dt for each block of units."""
    b, n = tl.program_id(0).to(tl.int64), tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)[None, :]
    first = tl.load(h0 + b * units + n, mask=n < units, other=0.0).to(tl.float32)
    row = tl.arange(0, STEPS)[:, None]
    span = tau_max - tau_min
    by_dt_here = d_dt + tl.program_id(1) * tl.cast(steps, tl.int64) * batch
    total = tl.zeros([1, BLOCK], tl.float32)
    for start in tl.range(0, steps, STEPS, num_stages=AHEAD):
        t = steps - 1 - start - row
        inside = (t >= 0) & (n < units)
        at = t * batch + b
        step = tl.load(dt + at, mask=t >= 0, other=0.0)
        g = tl.load(grad + at * units + n, mask=inside, other=0.0).to(tl.float32)
        f = tl.load(gates + 2 * at * units + n, mask=inside, other=0.0).to(tl.float32)
        tau = tl.load(gates + (2 * at + 1) * units + n, mask=inside, other=1.0).to(tl.float32)
        past = tl.load(h + (at - batch) * units + n, mask=inside & (t > 0), other=0.0)
        past = tl.where(t > 0, past.to(tl.float32), first)
        ratio = step / tau
        settled = settle(ratio)
        if RESET:
            fresh = tl.load(reset + at, mask=t >= 0, other=0)
            past = tl.where(fresh != 0, 0.0, past)
        inside_after = inside & (t + 1 < steps)
        kept = _kept(dt, reset, gates, at + batch, n, units, inside_after, RESET)
        through, added = tl.associative_scan((kept, g), 0, _follow)
        value = through * total + added  # of the loss by each new state
        slope = value * (f - past) * (1 - settled)
        opened = (tau - tau_min) / span
        change_tau = -slope * ratio / tau * span * opened * (1 - opened)
        tl.store(delta + 2 * at * units + n, value * settled * (1 - f * f), mask=inside)
        tl.store(delta + (2 * at + 1) * units + n, change_tau, mask=inside)
        by_dt = tl.sum(tl.where(inside, slope / tau, 0.0), axis=1)[:, None]
        tl.store(by_dt_here + at, by_dt, mask=t >= 0)
        total = tl.sum(tl.where(row == STEPS - 1, value, 0.0), axis=0)[None, :]
    kept = _kept(dt, reset, gates, b, n, units, n < units, RESET)
    tl.store(d_h0 + b * units + n, kept * total, mask=n < units)
