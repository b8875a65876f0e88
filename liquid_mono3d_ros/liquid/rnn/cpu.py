"""The operators on the CPU: the native library where it was built and the numbers are float32.

Else the loops. Importing this module registers it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from liquid_mono3d_ros.liquid.rnn import loops, native
from liquid_mono3d_ros.liquid.rnn.sequence import (
    adaptive_scan,
    adaptive_scan_backward,
    fixed_scan,
    fixed_scan_backward,
    gated_scan,
    gated_scan_backward,
)


def _native(tensor: Tensor) -> Any:
    """Return the library when it can serve: built, and float32."""
    return native.library() if tensor.dtype == torch.float32 else None


def _pointers(*values: Any) -> tuple[Any, ...]:
    return tuple(v.data_ptr() if isinstance(v, Tensor) else v for v in values)


def _call(function: Any, *values: Any) -> None:
    if function(*_pointers(*values)):
        raise MemoryError("The scan found no memory for its work space. Use a smaller batch.")


def _dense(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(v.contiguous() if isinstance(v, Tensor) else v for v in values)


@fixed_scan.register_kernel("cpu")
def _(*arguments: Any) -> tuple[Tensor, Tensor]:
    if (library := _native(arguments[0])) is None:
        return loops.fixed_forward(*arguments)
    arguments = _dense(arguments)
    drive = arguments[0]
    h, phi = torch.empty_like(drive), torch.empty_like(drive)
    _call(library.fixed_forward, *drive.shape, *arguments, h, phi)
    return h, phi


@fixed_scan_backward.register_kernel("cpu")
def _(*arguments: Any) -> tuple[Tensor, ...]:
    if (library := _native(arguments[0])) is None:
        return tuple(loops.fixed_backward(*arguments))
    arguments = _dense(arguments)
    grad, _, alpha, h0, dt, reset, _, h, _ = arguments
    delta, d_alpha, d_h0, d_dt = map(torch.empty_like, (grad, alpha, h0, dt))
    _call(library.fixed_backward, *grad.shape, *arguments, delta, d_alpha, d_h0, d_dt)
    return delta, loops.outer(delta, h0, h, reset), d_alpha, d_h0, d_dt


@adaptive_scan.register_kernel("cpu")
def _(*arguments: Any) -> tuple[Tensor, Tensor]:
    if (library := _native(arguments[0])) is None:
        return loops.adaptive_forward(*arguments)
    arguments = _dense(arguments)
    drive, _, h0 = arguments[:3]
    h, gates = drive.new_empty(*drive.shape[:2], h0.shape[1]), torch.empty_like(drive)
    _call(library.adaptive_forward, *h.shape, *arguments, h, gates)
    return h, gates


@adaptive_scan_backward.register_kernel("cpu")
def _(*arguments: Any) -> tuple[Tensor, ...]:
    if (library := _native(arguments[0])) is None:
        return tuple(loops.adaptive_backward(*arguments))
    arguments = _dense(arguments)
    grad, _, h0, dt, reset = arguments[:5]
    h, gates = arguments[-2:]
    delta, d_h0, d_dt = map(torch.empty_like, (gates, h0, dt))
    _call(library.adaptive_backward, *grad.shape, *arguments, delta, d_h0, d_dt)
    return delta, loops.outer(delta, h0, h, reset), d_h0, d_dt


@gated_scan.register_kernel("cpu")
def _(*arguments: Any) -> tuple[Tensor, Tensor]:
    if (library := _native(arguments[0])) is None:
        return loops.gated_forward(*arguments)
    drive, h0, dt, reset, tau_min, tau_max = _dense(arguments)
    h, gates = drive.new_empty(*drive.shape[:2], h0.shape[1]), torch.empty_like(drive)
    inputs = (drive, None, h0, dt, reset, False, tau_min, tau_max)
    _call(library.adaptive_forward, *h.shape, *inputs, h, gates)
    return h, gates


@gated_scan_backward.register_kernel("cpu")
def _(*arguments: Any) -> tuple[Tensor, ...]:
    if (library := _native(arguments[0])) is None:
        return tuple(loops.gated_backward(*arguments))
    grad, h0, dt, reset, tau_min, tau_max, h, gates = _dense(arguments)
    delta, d_h0, d_dt = map(torch.empty_like, (gates, h0, dt))
    inputs = (grad, None, h0, dt, reset, False, tau_min, tau_max, h, gates)
    _call(library.adaptive_backward, *grad.shape, *inputs, delta, d_h0, d_dt)
    return delta, d_h0, d_dt
