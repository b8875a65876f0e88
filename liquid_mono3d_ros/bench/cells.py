"""Liquid cells against those people use: a running step, and training on sequences.

One thread, CPU time, the contenders of a race one after another in each round; the fastest round
of each counts. Needs torch; peers that are not installed have no rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from liquid_mono3d_ros.bench.cell_peers import (
    Entrant,
    saved_bytes,
    sequence_entrants,
    slow_sequence_entrants,
    step_entrants,
)
from liquid_mono3d_ros.bench.report import Report, Target
from liquid_mono3d_ros.checks import complain

STEPS, BATCH = 100, 64
"""Of the sequences that are trained on."""

SLICE = 0.01
"""CPU time for which a contender runs in each round, s; at least once."""


def measure(device: str = "cpu", runs: int = 25, quick: bool = False) -> Report:
    """Race the cells.

    Args:
        device: "cpu", or "cuda" for training on a GPU.
        runs: Rounds of each race, on the CPU.
        quick: Whether to leave out 256 units and the slow peers, on the CPU.

    Raises:
        ValueError: If there is no such device.
    """
    import torch

    if device == "cuda":
        if not torch.cuda.is_available():
            cure = "Run it where torch finds a GPU."
            raise ValueError(complain("device", "present", "no CUDA device", cure))
        from liquid_mono3d_ros.bench.cells_gpu import measure_cuda

        return Report("cells", *measure_cuda())
    if device != "cpu":
        raise ValueError(complain("device", "cpu or cuda", repr(device), "Choose one of them."))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rows = list(_rows((64,) if quick else (64, 256), runs, quick))
    finally:
        torch.set_num_threads(threads)
    return Report("cells", rows, _targets(rows))


def race(entrants: Iterable[Entrant], rounds: int) -> list[tuple[Entrant, float]]:
    """Return each contender with the CPU time of one run in its fastest round, s."""
    field = list(entrants)
    repeats = []
    for entrant in field:
        entrant.run()
        repeats.append(max(1, round(SLICE / max(_time(entrant.run, 1), 1e-7))))
    best = [float("inf")] * len(field)
    for _ in range(rounds):
        for i, entrant in enumerate(field):
            best[i] = min(best[i], _time(entrant.run, repeats[i]))
    return list(zip(field, best, strict=True))


def _time(run: Callable[[], Any], repeats: int) -> float:
    start = time.process_time()
    for _ in range(repeats):
        run()
    return (time.process_time() - start) / repeats


def _rows(sizes: Iterable[int], runs: int, quick: bool) -> Iterable[dict[str, Any]]:
    for units in sizes:
        for batch in (1, BATCH):
            field = race(step_entrants(units, batch), runs)
            yield from _table("step", units, batch, field)
    for units in sizes:
        field = race(sequence_entrants(units, BATCH, STEPS), runs)
        yield from _table("training", units, BATCH, field)
    if not quick:
        field = race(slow_sequence_entrants(64, BATCH, STEPS), 2)
        yield from _table("training", 64, BATCH, field)


def _table(
    work: str, units: int, batch: int, field: list[tuple[Entrant, float]]
) -> Iterable[dict[str, Any]]:
    for entrant, seconds in field:
        row = {
            "work": work,
            "units": units,
            "batch": batch,
            "cell": entrant.name,
            "parameters": entrant.parameters,
            "cpu_us": 1e6 * seconds,
            "of_fixed_ratio": seconds / field[0][1],
        }
        if entrant.model is not None:
            row["kept_for_backward_mb"] = saved_bytes(entrant.model) / 1e6
        yield row


def _targets(rows: list[dict[str, Any]]) -> list[Target]:
    """Return the bars; a row that is missing gives no target."""
    found = {(r["work"], r["units"], r["batch"], r["cell"]): r for r in rows}
    bars = [
        ("step", 64, 1, "fixed, native", 2.0),
        ("step", 64, BATCH, "fixed, native", 14.0),
        ("step", 64, 1, "ncps CfC", 20.0),
        ("step", 64, BATCH, "ncps CfC", 10.0),
        ("step", 64, 1, "ncps LTC", 200.0),
        ("step", 64, BATCH, "ncps LTC", 200.0),
        ("training", 64, BATCH, "ncps CfC", 10.0),
        ("training", 64, BATCH, "nn.GRU", 4.0),
        ("training", 256, BATCH, "ncps CfC", 3.5),
        ("training", 256, BATCH, "nn.GRU", 3.0),
    ]
    targets = []
    for work, units, batch, cell, bar in bars:
        row, name = found.get((work, units, batch, cell)), f"{work}_{units}_units_batch_{batch}"
        if row is None:
            continue
        if cell == "fixed, native":
            targets.append(Target(f"{name}_us", row["cpu_us"], bar))
        else:  # beside the fixed cell of its own race
            ratio = row["of_fixed_ratio"]
            targets.append(Target(f"{name}_{cell}_ratio", ratio, bar, at_most=False))
    return targets
