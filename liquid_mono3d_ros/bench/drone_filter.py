"""The running filters on recorded drone flights, beside a Kalman filter tuned on each flight.

On the labels as published, and on noisy copies: the published degradation, drawn anew from the
clean labels for every seed. No filter here was tuned or trained on drones.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from liquid_mono3d_ros.bench.drone import camera_sets
from liquid_mono3d_ros.bench.drone_data import read_flight
from liquid_mono3d_ros.bench.drone_runs import (
    LATE,
    ONE_CAMERA,
    Scored,
    filters,
    joined,
    run_flight,
)
from liquid_mono3d_ros.bench.report import Report, Target
from liquid_mono3d_ros.checks import complain

DRAWS = 2000
TUNED = "imm-tuned"
NETWORKS = ("liquid", "liquid-strict")
PEERS = {"kf": "kf", "tuned": TUNED, "raw": "raw"}
"""Part of a column's name → the method in the denominator."""
PUBLISHED: dict[tuple[str, ...], float] = {("ds3", "cam2", "cam5"): 0.112}
"""Flight and pair → half the way from filter to smoother on the noisy copy as published, m."""

Task = tuple[str, tuple[str, ...], int | None]
"""Folder, cameras, and seed of the degradation or None."""
Row = dict[str, Any]


def measure(*, data: Sequence[str], cameras: Sequence[str] = (), seeds: int = 10) -> Report:
    """Score the filters on clean folders and on noisy copies of them, a process a core.

    Args:
        data: Folders of clean labels.
        cameras: Sets to score, each as ``cam2+cam4``; when empty, the three pairs that are best
            before the scored part.
        seeds: Of the degradation.
    """
    tasks: list[Task] = []
    for folder in data:
        pairs = [s for s in camera_sets(read_flight(folder), cameras) if len(s) == 2]
        if not pairs:
            cure = "Name two, as cam2+cam4."
            raise ValueError(complain("cameras", "pairs", " ".join(cameras), cure))
        tasks += [(folder, pair, seed) for pair in pairs for seed in (None, *range(seeds))]
    found: dict[tuple[str, tuple[str, ...], str], list[dict[str, Scored]]] = {}
    context = get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        for (folder, pair, seed), scored in zip(tasks, pool.map(_run, tasks), strict=True):
            copy = "clean" if seed is None else "noisy"
            found.setdefault((Path(folder).name, pair, copy), []).append(scored)
            print(f"{Path(folder).name} {'+'.join(pair)} {copy} {'' if seed is None else seed}")
    rows: list[Row] = []
    for (name, pair, copy), runs in found.items():
        where = {"data": name, "cameras": list(pair), "labels": copy, "seeds": len(runs)}
        rows += score({m: joined([run[m] for run in runs]) for m in runs[0]}, where)
    return Report("drone_filter", rows, targets(rows))


def _run(task: Task) -> dict[str, Scored]:
    return run_flight(*task, filters())


def ratio(ours: Scored, theirs: Scored) -> tuple[float, float, float]:
    """Return the ratio of two RMSE and its 95 % interval, blocks of all seeds drawn together.

    Only stamps at which both said something count.
    """
    both = np.isfinite(ours.error) & np.isfinite(theirs.error)
    if not both.any():
        return np.nan, np.nan, np.nan
    number, block = np.unique(ours.block[both], return_inverse=True)
    sums = [np.bincount(block, one.error[both] ** 2) for one in (ours, theirs)]
    drawn = np.random.default_rng(0).multinomial(
        len(number), np.full(len(number), 1 / len(number)), size=DRAWS
    )
    quotient = np.sqrt((drawn @ sums[0]) / (drawn @ sums[1]))
    low, high = np.quantile(quotient, (0.025, 0.975))
    return float(np.sqrt(sums[0].sum() / sums[1].sum())), float(low), float(high)


def score(found: Mapping[str, Scored], where: Row) -> list[Row]:
    """Return a row a method; stamps that one camera sees have errors, and no ratios."""
    rows = []
    for method, scored in found.items():
        apart, is_known = ONE_CAMERA in method, np.isfinite(scored.error)
        error, inside = scored.error[is_known], scored.inside[np.isfinite(scored.inside)]
        row = {
            **where,
            "method": method,
            "n": len(error),
            "stamps_of_kf_percent": np.nan if apart else 100 * float(is_known.mean()),
            "rmse_m": float(np.sqrt(np.mean(error**2))) if len(error) else np.nan,
            "median_m": float(np.median(error)) if len(error) else np.nan,
            "p95_m": float(np.percentile(error, 95)) if len(error) else np.nan,
            "inside_95_percent": 100 * float(inside.mean()) if len(inside) else np.nan,
        }
        for name, peer in PEERS.items():
            against = None if apart else found.get(peer)
            values = (np.nan,) * 3 if against is None else ratio(scored, against)
            ends = (f"over_{name}", f"over_{name}_low_95", f"over_{name}_high_95")
            row.update(zip(ends, values, strict=True))
        rows.append(row)
    return rows


def targets(rows: Sequence[Row]) -> list[Target]:
    """Ask of the networks 7 % less than both peers, for sure; of the lag half the way to RTS."""
    of = {(row["data"], *row["cameras"], row["labels"], row["method"]): row for row in rows}
    found = []
    for *where, method in of:
        row, (data, *pair, copy) = of[(*where, method)], where
        name = f"{data}_{'+'.join(pair)}_{copy}_{method.replace('-', '_').replace(' ', '_')}"
        if method in NETWORKS:
            found += _of_network(name, row, clean=copy == "clean")
        elif method.removesuffix(LATE) in NETWORKS and copy == "noisy" and LATE in method:
            kf, rts = (of[(*where, m)]["rmse_m"] for m in ("kf", "rts (offline)"))
            found.append(Target(f"{name}_rmse_m", row["rmse_m"], (kf + rts) / 2))
            bar = PUBLISHED.get((data, *pair))
            if bar is not None:
                found.append(Target(f"{name}_published_rmse_m", row["rmse_m"], bar))
    return found


def _of_network(name: str, row: Row, *, clean: bool) -> list[Target]:
    if clean:
        return [Target(f"{name}_over_raw", row["over_raw"], 1.0)]
    bars = [
        target
        for peer in ("kf", "tuned")
        for target in (
            Target(f"{name}_over_{peer}", row[f"over_{peer}"], 0.93),
            Target(f"{name}_over_{peer}_upper_95", row[f"over_{peer}_high_95"], 1.0),
        )
    ]
    off = abs(row["inside_95_percent"] - 92)
    return [*bars, Target(f"{name}_coverage_off_92_percent", off, 7.0)]
