"""Training passes of recurrent layers on a GPU: what runs, in which precision, and how long.

A pass is forward and backward of one layer, with the gradients of inputs, first state and all
parameters, and of the time steps where the layer knows them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from statistics import median
from typing import Any, NamedTuple

INPUTS = 8
RUNS = 20


class Size(NamedTuple):
    """Steps, samples, units."""

    T: int
    B: int
    H: int


class Pass(NamedTuple):
    """What runs, giving outputs and gradients; and how many parameters it has."""

    run: Callable[[], list[Any]]
    parameters: int


def liquid_pass(name: str, size: Size, precision: str) -> Pass:
    """Return a pass of the cell "fixed", "adaptive" or "diagonal"."""
    x, h0, dt, grad = _leaves(size, precision)
    layer = cell(name, size.H).to(device="cuda", dtype=x.dtype)
    wanted = [x, h0, dt, *layer.parameters()]
    return _pass(lambda: layer.scan(x, h0, dt), wanted, grad, parameters(layer))


def gru_pass(size: Size, precision: str) -> Pass:
    """Return a pass of ``nn.GRU``, which is cuDNN's."""
    x, h0, _, grad = _leaves(size, precision)
    layer = gru(size.H).to(device="cuda", dtype=x.dtype)
    layer.flatten_parameters()
    wanted = [x, h0, *layer.parameters()]
    return _pass(lambda: layer(x, h0[None])[0], wanted, grad, parameters(layer))


def cfc_pass(size: Size, precision: str) -> Pass:
    """Return a pass of ncps' CfC; without time steps, which it does not take for each sample."""
    from ncps.torch import CfC

    x, h0, _, grad = _leaves(size, precision)
    layer = CfC(INPUTS, size.H).cuda()
    inputs, wanted = x.transpose(0, 1), [x, h0, *layer.parameters()]
    forward = lambda: layer(inputs, h0)[0].transpose(0, 1)  # noqa: E731
    return _pass(forward, wanted, grad, parameters(layer))


def flash_pass(size: Size) -> Pass:
    """Return a pass of flashrnn's GRU in bfloat16, its inputs' product included."""
    import torch
    from flashrnn import flashrnn
    from torch import nn

    T, B, H = size
    x = numbers(B, T, INPUTS, precision="bf16").requires_grad_()
    drive = nn.Linear(INPUTS, 3 * H, bias=False).to("cuda", torch.bfloat16)
    U = (numbers(3, 1, H, H, precision="bf16") / H**0.5).requires_grad_()
    bias, h0 = (
        numbers(*s, precision="bf16").requires_grad_() for s in ((4, 1, H), (1, B, 1, 1, H))
    )
    grad = numbers(1, B, T, 1, H, precision="bf16")

    def forward() -> Any:
        gates = drive(x).view(B, T, 3, 1, H)
        return flashrnn(gates, U, bias, states=h0, function="gru", backend="cuda")[0]

    wanted = [x, drive.weight, U, bias, h0]
    return _pass(forward, wanted, grad, sum(one.numel() for one in (drive.weight, U, bias)))


def graphed(work: Pass, precision: str) -> Pass:
    """Return the replay of a CUDA graph of a pass."""
    import torch

    side: Any = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with switches(precision), torch.cuda.stream(side):
        for _ in range(3):
            work.run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with switches(precision), torch.cuda.graph(graph):
        kept = work.run()

    def replay() -> list[Any]:
        graph.replay()
        return kept

    return Pass(replay, work.parameters)


def cell(name: str, units: int) -> Any:
    """Return a fresh cell."""
    from liquid_mono3d_ros.liquid.rnn import cells

    kinds = {
        "fixed": cells.LiquidCell,
        "adaptive": cells.AdaptiveTauCell,
        "diagonal": cells.DiagonalCell,
    }
    return kinds[name](INPUTS, units)


def gru(units: int) -> Any:
    """Return a fresh ``nn.GRU``."""
    from torch import nn

    return nn.GRU(INPUTS, units)


def parameters(module: Any) -> int:
    """Return how many numbers are learned."""
    return sum(one.numel() for one in module.parameters())


def numbers(*shape: int, precision: str) -> Any:
    """Return normal random numbers on the GPU."""
    import torch

    kind = {"bf16": torch.bfloat16, "fp64": torch.float64}.get(precision, torch.float32)
    return torch.randn(*shape, device="cuda").to(kind)


@contextmanager
def switches(precision: str) -> Iterator[None]:
    """Allow tf32 in products and recurrences, or not, for "fp32"."""
    import torch

    parts: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [part.allow_tf32 for part in parts]
    for part in parts:
        part.allow_tf32 = precision != "fp32"
    try:
        yield
    finally:
        for part, value in zip(parts, before, strict=True):
            part.allow_tf32 = value


def median_ms(run: Callable[[], Any], runs: int = RUNS) -> float:
    """Return the median time between CUDA events, each run alone, after a warm-up."""
    import torch

    for _ in range(3 if runs >= RUNS else 1):
        run()
    times = []
    for _ in range(runs):
        start: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        end: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()
        start.record()
        run()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end))
    return float(median(times))


@cache
def copy_rate() -> float:
    """Return bytes read and written per second by a copy of 4 GB."""
    source = numbers(2**30, precision="fp32")
    target = source.clone()
    return 8 * 2**30 / (median_ms(lambda: target.copy_(source)) / 1e3)


@cache
def product_rate(precision: str) -> float:
    """Return operations per second of an 8192 matrix product."""
    one = numbers(8192, 8192, precision=precision)
    with switches(precision):
        return 2.0 * 8192**3 / (median_ms(lambda: one @ one) / 1e3)


def _pass(forward: Callable[[], Any], wanted: list[Any], grad: Any, count: int) -> Pass:
    import torch

    def run() -> list[Any]:
        out = forward()
        return [out, *torch.autograd.grad(out, wanted, grad)]

    return Pass(run, count)


def _leaves(size: Size, precision: str) -> tuple[Any, Any, Any, Any]:
    """Return x, h0 and dt, and the gradient of the outputs; dt never in 16 bits."""
    T, B, H = size
    x, h0 = (numbers(*s, precision=precision) for s in ((T, B, INPUTS), (B, H)))
    dt = numbers(T, B, precision="fp64" if precision == "fp64" else "fp32").abs() * 0.1
    x, h0, dt = (one.requires_grad_() for one in (x, h0, dt))
    return x, h0, dt, numbers(T, B, H, precision=precision)
