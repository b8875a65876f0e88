# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"
"""Triton kernels of the scans with a recurrent matrix: all steps of a few samples each.

Tiles are (units, samples), so that eight samples fill a tensor core. The state stays on the chip
and so does U where it fits beside the inputs; else (STREAMED) U is read again at each step, in
chunks, and meets the state in a scratch place. The formulas are those of ``loops.py``.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def tanh(x):
    """Return the hyperbolic tangent, to 1e-7."""
    return 1 - 2 / (tl.exp(2 * x) + 1)


@triton.jit
def settle(x):
    """Return 1 - exp(-x); near zero by its series, whose next term is below 1e-7 of it."""
    series = 1 - x * (1 / 4) * (1 - x * (1 / 5) * (1 - x * (1 / 6)))
    series = x * (1 - x * (1 / 2) * (1 - x * (1 / 3) * series))
    return tl.where(tl.abs(x) < 0.25, series, 1 - tl.exp(-x))


@triton.jit
def _tf32(x):
    """Round to the 10 bits that the tensor cores keep; they would cut the others off."""
    nearest = (x.to(tl.int32, bitcast=True) + 0x1000) & -0x2000
    return tl.where(x == x, nearest.to(tl.float32, bitcast=True), x)


@triton.jit
def _product(weights, state, total, PRECISION: tl.constexpr):
    """Return total + weights @ state."""
    if PRECISION == "bf16" or PRECISION == "fp16":
        return tl.dot(weights, state, total)
    else:
        high, most = _tf32(weights), _tf32(state)
        if PRECISION == "tf32x3":
            total = tl.dot(_tf32(weights - high), most, total, input_precision="tf32")
            total = tl.dot(high, _tf32(state - most), total, input_precision="tf32")
        return tl.dot(high, most, total, input_precision="tf32")


@triton.jit
def _operand(state, PRECISION: tl.constexpr):
    """Return the state as the product takes it, and what the product is to be multiplied by."""
    if PRECISION == "fp16":
        # A power of two for each sample: half precision has the bits of tf32, but not the range.
        largest = tl.max(tl.abs(state), axis=0)[None, :]
        exponent = tl.minimum(tl.maximum(largest.to(tl.int32, bitcast=True) >> 23, 2), 252)
        shrink = ((254 - exponent) << 23).to(tl.float32, bitcast=True)
        return (state * shrink).to(tl.float16), (exponent << 23).to(tl.float32, bitcast=True)
    elif PRECISION == "bf16":
        return state.to(tl.bfloat16), 1.0
    else:
        return state, 1.0


@triton.jit
def _weights(
    U, scales, units, width, STREAMED: tl.constexpr, PRECISION: tl.constexpr, H: tl.constexpr
):
    """Return the matrix, one entry where it is read again at each step; and its rows' scales."""
    n, k = tl.arange(0, H)[:, None], tl.arange(0, H)[None, :]
    scale = tl.load(scales + n, mask=n < units, other=1.0) if PRECISION == "fp16" else 1.0
    if STREAMED:
        return tl.load(U), scale
    else:
        return tl.load(U + n * width + k, mask=(n < units) & (k < width), other=0.0), scale


@triton.jit
def _recur(
    weights, scale, state, total, U, units, width, place, b, batch,
    STREAMED: tl.constexpr, PRECISION: tl.constexpr, H: tl.constexpr, CHUNK: tl.constexpr,
):  # fmt: skip
    """Return total + U @ state; a U that is streamed meets the state at ``place``."""
    heard, shrunk = _operand(state, PRECISION)
    result = tl.zeros_like(total) if PRECISION == "fp16" else total
    if STREAMED:
        n = tl.arange(0, H)[:, None]
        tl.store(place + b * H + n, heard, mask=(n < units) & (b < batch))
        tl.debug_barrier()
        for start in tl.range(0, width, CHUNK, num_stages=3):
            k = start + tl.arange(0, CHUNK)
            inside = (n < units) & (k[None, :] < width)
            part = tl.load(U + n * width + k[None, :], mask=inside, other=0.0)
            inside = (k[:, None] < units) & (b < batch)
            heard_part = tl.load(place + b * H + k[:, None], mask=inside, other=0.0)
            result = _product(part, heard_part, result, PRECISION)
    else:
        result = _product(weights, heard, result, PRECISION)
    if PRECISION == "fp16":
        return total + result * scale * shrunk
    else:
        return result


@triton.jit
def _coefficients(alpha, dt, EULER: tl.constexpr):
    """Return decay and gain of h' = decay h + gain phi."""
    if EULER:
        return 1 - alpha * dt, dt + 0 * alpha
    else:
        settled = settle(alpha * dt)
        return 1 - settled, settled / alpha


@triton.jit
def fixed_forward(
    drive, U, scales, alpha, h0, dt, reset, h, phi, scratch, steps, batch, units, width,
    EULER: tl.constexpr, RESET: tl.constexpr, STREAMED: tl.constexpr, PRECISION: tl.constexpr,
    H: tl.constexpr, CHUNK: tl.constexpr, BLOCK: tl.constexpr, AHEAD: tl.constexpr,
):  # fmt: skip
    """Run ``loops.fixed_forward``."""
    n = tl.arange(0, H)[:, None]
    b = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)[None, :]
    inside = (n < units) & (b < batch)
    at, stride = b * units + n, tl.cast(batch, tl.int64) * units
    weights, scale = _weights(U, scales, units, width, STREAMED, PRECISION, H)
    rate = tl.load(alpha + n, mask=n < units, other=1.0).to(tl.float32)
    state = tl.load(h0 + at, mask=inside, other=0.0).to(tl.float32)
    for t in tl.range(0, steps, num_stages=AHEAD):
        step = tl.load(dt + t * batch + b, mask=b < batch, other=0.0)
        total = tl.load(drive + t * stride + at, mask=inside, other=0.0).to(tl.float32)
        if RESET:
            fresh = tl.load(reset + t * batch + b, mask=b < batch, other=0)
            state = tl.where(fresh != 0, 0.0, state)
        place = scratch + (t % 2) * 2 * batch * H
        total = _recur(
            weights, scale, state, total, U, units, width, place, b, batch,
            STREAMED, PRECISION, H, CHUNK,
        )  # fmt: skip
        value = tanh(total)
        decay, gain = _coefficients(rate, step, EULER)
        state = decay * state + gain * value
        tl.store(h + t * stride + at, state, mask=inside)
        tl.store(phi + t * stride + at, value, mask=inside)


@triton.jit
def fixed_backward(
    grad, U, scales, alpha, h0, dt, reset, h, phi, delta, d_alpha, d_h0, d_dt, scratch,
    steps, batch, units, width,
    EULER: tl.constexpr, RESET: tl.constexpr, STREAMED: tl.constexpr, PRECISION: tl.constexpr,
    H: tl.constexpr, CHUNK: tl.constexpr, BLOCK: tl.constexpr, AHEAD: tl.constexpr,
):  # fmt: skip
    """Run ``loops.fixed_backward``; U is transposed, d_alpha has one row a program."""
    n = tl.arange(0, H)[:, None]
    sample = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    b = sample[None, :]
    inside = (n < units) & (b < batch)
    at, stride = b * units + n, tl.cast(batch, tl.int64) * units
    weights, scale = _weights(U, scales, units, width, STREAMED, PRECISION, H)
    rate = tl.load(alpha + n, mask=n < units, other=1.0).to(tl.float32)
    first = tl.load(h0 + at, mask=inside, other=0.0).to(tl.float32)
    carry = tl.zeros([H, BLOCK], tl.float32)
    by_alpha = tl.zeros([H, BLOCK], tl.float32)
    for i in tl.range(0, steps, num_stages=AHEAD):
        t = steps - 1 - i
        step = tl.load(dt + t * batch + b, mask=b < batch, other=0.0)
        total = tl.load(grad + t * stride + at, mask=inside, other=0.0).to(tl.float32)
        value = tl.load(phi + t * stride + at, mask=inside, other=0.0).to(tl.float32)
        past = tl.load(h + (t - 1) * stride + at, mask=inside & (t > 0), other=0.0)
        past = tl.where(t > 0, past.to(tl.float32), first)
        if RESET:
            fresh = tl.load(reset + t * batch + b, mask=b < batch, other=0)
            past = tl.where(fresh != 0, 0.0, past)
        decay, gain = _coefficients(rate, step, EULER)
        total += carry
        change = total * gain * (1 - value * value)
        tl.store(delta + t * stride + at, change, mask=inside)
        place = scratch + (t % 2) * 2 * batch * H
        carry = _recur(
            weights, scale, change, total * decay, U, units, width, place, b, batch,
            STREAMED, PRECISION, H, CHUNK,
        )  # fmt: skip
        if RESET:
            carry = tl.where(fresh != 0, 0.0, carry)
        slope = total
        if not EULER:
            slope = total * decay
            by_alpha += total * value * (step * decay - gain) / rate
        by_alpha -= slope * step * past
        by_dt = tl.sum(slope * (value - rate * past), axis=0)
        tl.store(d_dt + t * batch + sample, by_dt, mask=sample < batch)
    tl.store(d_h0 + at, carry, mask=inside)
    sums = tl.sum(tl.where(inside, by_alpha, 0.0), axis=1)
    units_ = tl.arange(0, H)
    tl.store(d_alpha + tl.program_id(0) * units + units_, sums, mask=units_ < units)


@triton.jit
def adaptive_forward(
    drive, U, scales, h0, dt, reset, h, gates, scratch, tau_min, tau_max,
    steps, batch, units, width,
    EULER: tl.constexpr, RESET: tl.constexpr, STREAMED: tl.constexpr, PRECISION: tl.constexpr,
    H: tl.constexpr, CHUNK: tl.constexpr, BLOCK: tl.constexpr, AHEAD: tl.constexpr,
):  # fmt: skip
    """Run ``loops.adaptive_forward``."""
    n = tl.arange(0, H)[:, None]
    b = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)[None, :]
    inside = (n < units) & (b < batch)
    at, stride = b * units + n, tl.cast(batch, tl.int64) * units
    at_f = 2 * b * units + n
    at_tau, U_tau = at_f + units, U + units * width
    to_f, scale_f = _weights(U, scales, units, width, STREAMED, PRECISION, H)
    to_tau, scale_tau = _weights(U_tau, scales + units, units, width, STREAMED, PRECISION, H)
    state = tl.load(h0 + at, mask=inside, other=0.0).to(tl.float32)
    for t in tl.range(0, steps, num_stages=AHEAD):
        step = tl.load(dt + t * batch + b, mask=b < batch, other=0.0)
        f = tl.load(drive + 2 * t * stride + at_f, mask=inside, other=0.0).to(tl.float32)
        tau = tl.load(drive + 2 * t * stride + at_tau, mask=inside, other=0.0).to(tl.float32)
        if RESET:
            fresh = tl.load(reset + t * batch + b, mask=b < batch, other=0)
            state = tl.where(fresh != 0, 0.0, state)
        place = scratch + (t % 2) * 2 * batch * H
        f = _recur(
            to_f, scale_f, state, f, U, units, width, place, b, batch,
            STREAMED, PRECISION, H, CHUNK,
        )  # fmt: skip
        tau = _recur(
            to_tau, scale_tau, state, tau, U_tau, units, width, place + batch * H, b, batch,
            STREAMED, PRECISION, H, CHUNK,
        )  # fmt: skip
        f = tanh(f)
        tau = tau_min + (tau_max - tau_min) / (1 + tl.exp(-tau))
        settled = step / tau
        if not EULER:
            settled = settle(settled)
        state += settled * (f - state)
        tl.store(h + t * stride + at, state, mask=inside)
        tl.store(gates + 2 * t * stride + at_f, f, mask=inside)
        tl.store(gates + 2 * t * stride + at_tau, tau, mask=inside)


@triton.jit
def adaptive_backward(
    grad, U, scales, h0, dt, reset, h, gates, delta, d_h0, d_dt, scratch, tau_min, tau_max,
    steps, batch, units, width,
    EULER: tl.constexpr, RESET: tl.constexpr, STREAMED: tl.constexpr, PRECISION: tl.constexpr,
    H: tl.constexpr, CHUNK: tl.constexpr, BLOCK: tl.constexpr, AHEAD: tl.constexpr,
):  # fmt: skip
    """Run ``loops.adaptive_backward``; each half of U is transposed."""
    n = tl.arange(0, H)[:, None]
    sample = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    b = sample[None, :]
    inside = (n < units) & (b < batch)
    at, stride = b * units + n, tl.cast(batch, tl.int64) * units
    at_f = 2 * b * units + n
    at_tau, U_tau = at_f + units, U + units * width
    by_f, scale_f = _weights(U, scales, units, width, STREAMED, PRECISION, H)
    by_tau, scale_tau = _weights(U_tau, scales + units, units, width, STREAMED, PRECISION, H)
    first = tl.load(h0 + at, mask=inside, other=0.0).to(tl.float32)
    carry = tl.zeros([H, BLOCK], tl.float32)
    span = tau_max - tau_min
    for i in tl.range(0, steps, num_stages=AHEAD):
        t = steps - 1 - i
        step = tl.load(dt + t * batch + b, mask=b < batch, other=0.0)
        total = tl.load(grad + t * stride + at, mask=inside, other=0.0).to(tl.float32)
        f = tl.load(gates + 2 * t * stride + at_f, mask=inside, other=0.0).to(tl.float32)
        tau = tl.load(gates + 2 * t * stride + at_tau, mask=inside, other=1.0).to(tl.float32)
        past = tl.load(h + (t - 1) * stride + at, mask=inside & (t > 0), other=0.0)
        past = tl.where(t > 0, past.to(tl.float32), first)
        if RESET:
            fresh = tl.load(reset + t * batch + b, mask=b < batch, other=0)
            past = tl.where(fresh != 0, 0.0, past)
        total += carry
        ratio = step / tau
        settled, slope = ratio, total * (f - past)
        if not EULER:
            settled = settle(ratio)
            slope = slope * (1 - settled)
        opened = (tau - tau_min) / span
        change_f = total * settled * (1 - f * f)
        change_tau = -slope * ratio / tau * span * opened * (1 - opened)
        tl.store(delta + 2 * t * stride + at_f, change_f, mask=inside)
        tl.store(delta + 2 * t * stride + at_tau, change_tau, mask=inside)
        place = scratch + (t % 2) * 2 * batch * H
        carry = _recur(
            by_f, scale_f, change_f, total * (1 - settled), U, units, width, place, b, batch,
            STREAMED, PRECISION, H, CHUNK,
        )  # fmt: skip
        carry = _recur(
            by_tau, scale_tau, change_tau, carry, U_tau, units, width, place + batch * H, b, batch,
            STREAMED, PRECISION, H, CHUNK,
        )  # fmt: skip
        if RESET:
            carry = tl.where(fresh != 0, 0.0, carry)
        by_dt = tl.sum(tl.where(inside, slope / tau, 0.0), axis=0)
        tl.store(d_dt + t * batch + sample, by_dt, mask=sample < batch)
    tl.store(d_h0 + at, carry, mask=inside)
