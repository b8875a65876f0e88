"""Liquid layers against the recurrent layers people use, on one GPU: training passes.

``pass_ms`` is the median of passes run alone, ``in_graph_ms`` the same in a CUDA graph, without
the time that Python takes. Beside each stand what no such pass goes below: its bytes at the
measured rate of a copy, its operations at the measured rate of a matrix product, and the latency
of as many dependent steps of the smallest scan there is, 16 units of 8 samples.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

from liquid_mono3d_ros.bench.gpu_passes import (
    INPUTS,
    RUNS,
    Pass,
    Size,
    cell,
    cfc_pass,
    copy_rate,
    flash_pass,
    graphed,
    gru,
    gru_pass,
    liquid_pass,
    median_ms,
    parameters,
    product_rate,
    switches,
)
from liquid_mono3d_ros.bench.report import Target

SIZES = (Size(256, 1024, 128), Size(256, 1024, 64), Size(1024, 256, 256))
LONG = Size(4096, 64, 128)
PRECISIONS = ("tf32", "bf16")
BARS = {"fixed": 3.0, "adaptive": 2.0}
"""By how much to be faster than cuDNN's GRU of the same H, at the first size."""
PASSES = {"fixed": 13, "adaptive": 22, "diagonal": 20}
"""Times T B H numbers are read or written: drive, states, gates, delta, and the products."""
GRU = "cuDNN GRU"

Row = dict[str, Any]


def measure_cuda() -> tuple[list[Row], list[Target]]:
    """Return rows and targets of every comparison; a peer that is not installed gives no row."""
    ceilings, equal, long = _ceilings(), list(_equal_units()), list(_long())
    same = {name: list(_equal_parameters(name)) for name in BARS}
    rows = [ceilings, *equal, *(row for part in same.values() for row in part), *long, *_errors()]
    return rows, [*_targets(equal), *_same_targets(equal, same), *_long_targets(long)]


def _ceilings() -> Row:
    import torch

    return {
        "device": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "copy_gb_per_s": copy_rate() / 1e9,
        **{f"product_{p}_tflop_per_s": product_rate(p) / 1e12 for p in ("fp32", *PRECISIONS)},
    }


def _equal_units() -> Iterator[Row]:
    for size in SIZES:
        for precision in PRECISIONS:
            for name in BARS:
                yield _liquid_row(name, precision, size)
            yield from _gru_rows(precision, size)
        for name in BARS:
            yield _liquid_row(name, "fp32", size)
        if importlib.util.find_spec("ncps"):
            yield _row("ncps CfC", "tf32", size, cfc_pass(size, "tf32"), runs=3)
        if importlib.util.find_spec("flashrnn"):
            yield _row("flashrnn GRU", "bf16", size, flash_pass(size))


def _equal_parameters(name: str) -> Iterator[Row]:
    """Yield rows of a liquid layer as large as the first size's GRU, and of a GRU as small."""
    T, B, H = SIZES[0]
    wide = _units(lambda units: parameters(cell(name, units)), parameters(gru(H)))
    for precision in PRECISIONS:
        yield _liquid_row(name, precision, Size(T, B, wide))
    narrow = Size(T, B, _units(lambda units: parameters(gru(units)), parameters(cell(name, H))))
    for precision in PRECISIONS:
        yield _row(GRU, precision, narrow, gru_pass(narrow, precision))


def _long() -> Iterator[Row]:
    for precision in PRECISIONS:
        yield _liquid_row("diagonal", precision, LONG)
        yield from _gru_rows(precision, LONG)


def _gru_rows(precision: str, size: Size) -> Iterator[Row]:
    yield _row(GRU, precision, size, gru_pass(size, precision))
    graph = graphed(gru_pass(size, precision), precision)
    yield _row(f"{GRU}, CUDA graph", precision, size, graph)


def _liquid_row(name: str, precision: str, size: Size) -> Row:
    T, B, H = size
    moved = PASSES[name] * (2 if precision == "bf16" else 4) * T * B * H
    heard = INPUTS + (0 if name == "diagonal" else H)
    flops = 6 * T * B * (1 if name == "fixed" else 2) * H * heard
    graph = graphed(liquid_pass(name, size, precision), precision)
    return {
        **_row(f"liquid {name}", precision, size, liquid_pass(name, size, precision)),
        "in_graph_ms": _time(graph, precision),
        "gigabytes": moved / 1e9,
        "gflop": flops / 1e9,
        "bytes_floor_ms": moved / copy_rate() * 1e3,
        "flop_floor_ms": flops / product_rate(precision) * 1e3,
        "latency_floor_ms": math.nan if name == "diagonal" else _latency(name, T),
    }


def _row(layer: str, precision: str, size: Size, work: Pass, runs: int = RUNS) -> Row:
    time = _time(work, precision, runs)
    print(f"{layer:22s} {precision:5s} {size} {time:.3f} ms", flush=True)
    found = {"layer": layer, "precision": precision, **size._asdict()}
    return {**found, "parameters": work.parameters, "pass_ms": time}


def _time(work: Pass, precision: str, runs: int = RUNS) -> float:
    with switches(precision):
        return median_ms(work.run, runs)


@cache
def _latency(name: str, steps: int) -> float:
    small = liquid_pass(name, Size(steps, 8, 16), "tf32")
    return _time(graphed(small, "tf32"), "tf32")


def _units(count: Callable[[int], int], wanted: int) -> int:
    """Return the H whose number of parameters comes nearest."""
    return min(range(8, 513), key=lambda units: abs(count(units) - wanted))


def _errors() -> Iterator[Row]:
    """Yield relative errors, of norms, against float64 from inputs and weights not yet rounded."""
    layers: dict[str, Callable[[Size, str], Pass]] = {
        f"liquid {name}": partial(liquid_pass, name) for name in PASSES
    }
    for layer, make in {**layers, GRU: gru_pass}.items():
        for units in (64, 128, 256):
            for precision in ("fp32", *PRECISIONS):
                size = Size(256, 64, units)
                output, *gradients = _error(make, size, precision)
                found = {"layer": layer, "precision": precision, **size._asdict()}
                yield {**found, "output_error": output, "worst_gradient_error": max(gradients)}


def _error(make: Callable[[Size, str], Pass], size: Size, precision: str) -> list[float]:
    import torch

    with switches(precision):
        torch.manual_seed(0)
        found = make(size, precision).run()
        torch.manual_seed(0)
        truth = make(size, "fp64").run()
    pairs = zip(found, truth, strict=True)
    return [((one.double() - other).norm() / other.norm()).item() for one, other in pairs]


def _ms(rows: list[Row], layer: str, precision: str, size: Size) -> float:
    """Return the time of a row; unknown where there is none."""
    wanted = {"layer": layer, "precision": precision, **size._asdict()}
    return next((row["pass_ms"] for row in rows if wanted.items() <= row.items()), math.nan)


def _targets(rows: list[Row]) -> Iterator[Target]:
    for size in SIZES:
        for name, bar in BARS.items():
            for precision in PRECISIONS:
                ours = _ms(rows, f"liquid {name}", precision, size)
                ratio = _ms(rows, GRU, precision, size) / ours
                title = f"{name}_T{size.T}_H{size.H}_{precision}_times_gru"
                yield Target(title, ratio, bar if size == SIZES[0] else 1.0, at_most=False)
    ratio = _ms(rows, "ncps CfC", "tf32", SIZES[0]) / _ms(rows, "liquid fixed", "tf32", SIZES[0])
    yield Target("fixed_T256_H128_tf32_times_ncps_cfc", ratio, 50.0, at_most=False)
    best = min(_ms(rows, "liquid fixed", precision, SIZES[0]) for precision in PRECISIONS)
    yield Target("fixed_T256_H128_pass_ms", best, 3.4)


def _same_targets(rows: list[Row], same: dict[str, list[Row]]) -> Iterator[Target]:
    for name, found in same.items():
        for row in found:
            if row["layer"] != GRU:
                ratio = _ms(rows, GRU, row["precision"], SIZES[0]) / row["pass_ms"]
                title = f"{name}_equal_parameters_{row['precision']}_times_gru"
                yield Target(title, ratio, 2.0, at_most=False)


def _long_targets(rows: list[Row]) -> Iterator[Target]:
    for precision in PRECISIONS:
        ratio = _ms(rows, GRU, precision, LONG) / _ms(rows, "liquid diagonal", precision, LONG)
        yield Target(f"diagonal_T{LONG.T}_{precision}_times_gru", ratio, 10.0, at_most=False)
