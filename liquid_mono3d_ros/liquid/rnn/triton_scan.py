# mypy: disable-error-code="no-untyped-call"
"""The scans on a GPU by Triton: importing this module registers them.

Precision of the products U h: bfloat16 where the drive is bfloat16. For float32 the switch of
``nn.GRU`` holds, ``torch.backends.cudnn.allow_tf32``. Set, as it is unless one changes it: tf32,
rounded to nearest; where only half of the bytes of U fit on the chip, float16 scaled by powers of
two for each unit and sample, which has the same 11 bits. Not set: three tf32 products, which came
within 1e-5 (states) and 4e-4 (gradients) of float64 over 256 steps. All else is float32. Other
types, more than 1024 units, and devices before Ampere run the loops. Measured on an H200 alone.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import torch
import triton
from torch import Tensor
from torch.nn import functional

from liquid_mono3d_ros.liquid.rnn import loops, triton_gated, triton_kernels
from liquid_mono3d_ros.liquid.rnn.sequence import (
    adaptive_scan,
    adaptive_scan_backward,
    fixed_scan,
    fixed_scan_backward,
    gated_scan,
    gated_scan_backward,
)

SPARE = 20 * 1024
"""Bytes of a multiprocessor's memory left to the compiler."""
MOST_UNITS = 1024
AHEAD = 4
"""Steps under way at once: their inputs are fetched while one is worked on."""
GATED = {"STEPS": 32, "BLOCK": 32, "AHEAD": 3, "num_warps": 4}
"""Tiles of the scan without U: steps and units."""
BYTES = {"tf32x3": 8, "tf32": 4, "fp16": 2, "bf16": 2}
"""Of an entry of U as the product takes it."""


class Plan(NamedTuple):
    """How a scan is cut up; the arguments of its kernel."""

    PRECISION: str
    STREAMED: bool
    H: int
    CHUNK: int
    BLOCK: int
    AHEAD: int
    num_warps: int


def plan(drive: Tensor, batch: int, units: int, gates: int) -> Plan:
    """Return how to cut a scan up: as few samples a program as keep every multiprocessor busy."""
    tf32 = torch.backends.cudnn.allow_tf32
    return _plan(drive.dtype, tf32, _chip(drive.device), batch, units, gates)


@cache
def _plan(
    kind: torch.dtype, tf32: bool, chip: tuple[int, int], batch: int, units: int, gates: int
) -> Plan:
    padded = max(16, triton.next_power_of_2(units))
    entries, (processors, memory) = gates * padded * padded, chip
    block = next((n for n in (8, 16) if triton.cdiv(batch, n) <= processors), 32)
    block = min(block, max(8, 8192 // padded))
    stage = (2 + gates) * padded * block * kind.itemsize  # what a backward step reads
    room = memory - SPARE - stage
    precision = "bf16" if kind == torch.bfloat16 else "tf32x3"
    if kind == torch.float32 and tf32:
        precision = "tf32" if entries * BYTES["tf32"] <= room else "fp16"
    room -= entries * BYTES[precision]
    streamed = room < 0
    row = padded * min(4, BYTES[precision])
    chunk = min(padded, max(16, _power_of_2(memory // 6) // row))
    ahead = 1 if streamed else min(AHEAD, 2 + room // stage)
    warps = min(16 if streamed else 8, padded // 16)
    return Plan(precision, streamed, padded, chunk, block, ahead, warps)


def serves(tensor: Tensor, units: int) -> bool:
    """Whether these kernels take over from the loops."""
    known = tensor.dtype in (torch.float32, torch.bfloat16) and units <= MOST_UNITS
    return known and tensor.numel() > 0 and _has_tensor_cores(tensor.device)


def fixed_forward(
    drive: Tensor,
    U: Tensor,
    alpha: Tensor,
    h0: Tensor,
    dt: Tensor,
    reset: Tensor | None,
    euler: bool,
) -> tuple[Tensor, Tensor]:
    """Return what ``loops.fixed_forward`` does."""
    if not serves(drive, drive.shape[-1]):
        return loops.fixed_forward(drive, U, alpha, h0, dt, reset, euler)
    steps, batch, units = drive.shape
    way = plan(drive, batch, units, 1)
    h, phi = torch.empty_like(drive), torch.empty_like(drive)
    given = _dense(drive, *_recurrent(U[None], drive, way), alpha, h0, dt.float(), reset)
    with torch.cuda.device_of(drive):
        triton_kernels.fixed_forward[(triton.cdiv(batch, way.BLOCK),)](
            *given, h, phi, _scratch(way, drive, batch), steps, batch, units,
            given[1].shape[-1], EULER=euler, RESET=reset is not None, **way._asdict(),
        )  # fmt: skip
    return h, phi


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
) -> tuple[Tensor, ...]:
    """Return what ``loops.fixed_backward`` does."""
    if not serves(h, h.shape[-1]):
        return tuple(loops.fixed_backward(grad, U, alpha, h0, dt, reset, euler, h, phi))
    steps, batch, units = h.shape
    way = plan(h, batch, units, 1)
    programs = triton.cdiv(batch, way.BLOCK)
    delta, d_h0, d_dt = (torch.empty_like(one) for one in (h, h0, dt.float()))
    d_alpha = torch.empty(programs, units, device=h.device)
    turned = _recurrent(U.t()[None], h, way)
    given = _dense(grad, *turned, alpha, h0, dt.float(), reset, h, phi)
    with torch.cuda.device_of(h):
        triton_kernels.fixed_backward[(programs,)](
            *given, delta, d_alpha, d_h0, d_dt, _scratch(way, h, batch), steps, batch, units,
            given[1].shape[-1], EULER=euler, RESET=reset is not None, **way._asdict(),
        )  # fmt: skip
    by_U = loops.outer(delta, h0.to(h.dtype), h, reset).to(U.dtype)
    return delta, by_U, d_alpha.sum(0).to(alpha.dtype), d_h0, d_dt.to(dt.dtype)


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
    """Return what ``loops.adaptive_forward`` does."""
    if not serves(drive, h0.shape[-1]):
        return loops.adaptive_forward(drive, U, h0, dt, reset, euler, tau_min, tau_max)
    (steps, batch), units = drive.shape[:2], h0.shape[-1]
    way = plan(drive, batch, units, 2)
    h, gates = drive.new_empty(steps, batch, units), torch.empty_like(drive)
    halves = _recurrent(U.reshape(2, units, units), drive, way)
    given = _dense(drive, *halves, h0, dt.float(), reset)
    with torch.cuda.device_of(drive):
        triton_kernels.adaptive_forward[(triton.cdiv(batch, way.BLOCK),)](
            *given, h, gates, _scratch(way, drive, batch), tau_min, tau_max, steps, batch, units,
            given[1].shape[-1], EULER=euler, RESET=reset is not None, **way._asdict(),
        )  # fmt: skip
    return h, gates


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
) -> tuple[Tensor, ...]:
    """Return what ``loops.adaptive_backward`` does."""
    if not serves(h, h.shape[-1]):
        options = (euler, tau_min, tau_max)
        return tuple(loops.adaptive_backward(grad, U, h0, dt, reset, *options, h, gates))
    steps, batch, units = h.shape
    way = plan(h, batch, units, 2)
    delta, d_h0, d_dt = (torch.empty_like(one) for one in (gates, h0, dt.float()))
    turned = _recurrent(U.reshape(2, units, units).transpose(1, 2), h, way)
    given = _dense(grad, *turned, h0, dt.float(), reset, h, gates)
    with torch.cuda.device_of(h):
        triton_kernels.adaptive_backward[(triton.cdiv(batch, way.BLOCK),)](
            *given, delta, d_h0, d_dt, _scratch(way, h, batch), tau_min, tau_max,
            steps, batch, units, given[1].shape[-1],
            EULER=euler, RESET=reset is not None, **way._asdict(),
        )  # fmt: skip
    by_U = loops.outer(delta, h0.to(h.dtype), h, reset).to(U.dtype)
    return delta, by_U, d_h0, d_dt.to(dt.dtype)


def gated_forward(
    drive: Tensor, h0: Tensor, dt: Tensor, reset: Tensor | None, tau_min: float, tau_max: float
) -> tuple[Tensor, Tensor]:
    """Return what ``loops.gated_forward`` does."""
    if not serves(drive, 0):
        return loops.gated_forward(drive, h0, dt, reset, tau_min, tau_max)
    (steps, batch), units = drive.shape[:2], h0.shape[-1]
    h, gates = drive.new_empty(steps, batch, units), torch.empty_like(drive)
    with torch.cuda.device_of(drive):
        triton_gated.gated_forward[(batch, triton.cdiv(units, GATED["BLOCK"]))](
            *_dense(drive, h0, dt.float(), reset), h, gates, tau_min, tau_max,
            steps, batch, units, RESET=reset is not None, **GATED,
        )  # fmt: skip
    return h, gates


def gated_backward(
    grad: Tensor,
    h0: Tensor,
    dt: Tensor,
    reset: Tensor | None,
    tau_min: float,
    tau_max: float,
    h: Tensor,
    gates: Tensor,
) -> tuple[Tensor, ...]:
    """Return what ``loops.gated_backward`` does."""
    if not serves(h, 0):
        return tuple(loops.gated_backward(grad, h0, dt, reset, tau_min, tau_max, h, gates))
    steps, batch, units = h.shape
    blocks = triton.cdiv(units, GATED["BLOCK"])
    delta, d_h0 = torch.empty_like(gates), torch.empty_like(h0)
    d_dt = torch.empty(blocks, steps, batch, device=h.device)
    with torch.cuda.device_of(h):
        triton_gated.gated_backward[(batch, blocks)](
            *_dense(grad, h0, dt.float(), reset, h, gates), delta, d_h0, d_dt, tau_min, tau_max,
            steps, batch, units, RESET=reset is not None, **GATED,
        )  # fmt: skip
    return delta, d_h0, d_dt.sum(0).to(dt.dtype)


@cache
def _has_tensor_cores(device: torch.device) -> bool:
    """Whether the device multiplies tf32 and bfloat16: Ampere and later."""
    return torch.cuda.get_device_capability(device) >= (8, 0)


@cache
def _chip(device: torch.device) -> tuple[int, int]:
    """Return the number of multiprocessors and the bytes of memory of each."""
    index = torch.cuda.current_device() if device.index is None else device.index
    properties = triton.runtime.driver.active.utils.get_device_properties(index)
    return properties["multiprocessor_count"], properties["max_shared_mem"]


def _power_of_2(bound: int) -> int:
    """Return the largest power of two that is not above."""
    return 1 << max(bound, 1).bit_length() - 1


def _recurrent(U: Tensor, like: Tensor, way: Plan) -> tuple[Tensor, Tensor]:
    """Return U (gates, H, width) as the product takes it, and the scale of each row (gates, H).

    Rows are filled up with zeros to a multiple of 16, so that they can be read in wide pieces.
    """
    fill = -U.shape[-1] % 16
    padded = functional.pad(U, (0, fill)) if fill else U
    if way.PRECISION != "fp16":
        return padded.to(like.dtype), like
    _, exponent = torch.frexp(U.abs().amax(-1, keepdim=True))
    return torch.ldexp(padded, -exponent).half(), torch.ldexp(
        torch.ones_like(U[..., :1]), exponent
    )


def _scratch(way: Plan, like: Tensor, batch: int) -> Tensor:
    """Return room where a state meets a U that is streamed: two gates, two steps in turn."""
    kinds = {"bf16": torch.bfloat16, "fp16": torch.float16}
    size = 4 * batch * way.H if way.STREAMED else 1
    return torch.empty(size, dtype=kinds.get(way.PRECISION, torch.float32), device=like.device)


def _dense(*values: Tensor | None) -> tuple[Any, ...]:
    """Return each contiguous; for no reset, a tensor that is not looked at."""
    first = values[0]
    return tuple(first if value is None else value.contiguous() for value in values)


fixed_scan.register_kernel("cuda")(fixed_forward)
fixed_scan_backward.register_kernel("cuda")(fixed_backward)
adaptive_scan.register_kernel("cuda")(adaptive_forward)
adaptive_scan_backward.register_kernel("cuda")(adaptive_backward)
gated_scan.register_kernel("cuda")(gated_forward)
gated_scan_backward.register_kernel("cuda")(gated_backward)
