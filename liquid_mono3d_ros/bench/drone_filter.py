"""The running filters on degraded drone flights, beside a Kalman filter tuned on each flight.

The published degradation is drawn anew from the clean labels for every seed. All are scored at the
stamps of the Kalman filter, so at its coverage: the state nearest in time, of the oldest confirmed
track. States that rest on one camera at that instant have rows of their own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from liquid_mono3d_ros.bench.drone import camera_sets, road
from liquid_mono3d_ros.bench.drone_data import CHI2_95, LONGEST_STEP, Flight, read_flight
from liquid_mono3d_ros.bench.drone_kalman import filter_pairs
from liquid_mono3d_ros.bench.drone_noise import degrade
from liquid_mono3d_ros.bench.report import Report, Target
from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.liquid.trajectory_filter import FilterSettings, TrackFilter
from liquid_mono3d_ros.records import Points3D, State, Trajectory, seconds

LAG = 5
"""Updates."""
NEAR = 0.05
"""A state no farther from a stamp stands for it, s."""
BLOCK = 10.0
"""Errors so close in time are drawn together by the bootstrap, s."""
DRAWS = 2000
FILTERS = ("cv", "imm", "liquid")


@dataclass(frozen=True)
class States:
    """What a filter said at K stamps.

    Attributes:
        t: s, ascending, (K,).
        xyz: (K, 3) m.
        covariance: (K, 3, 3) m².
        cameras: That saw the object at the stamp, (K,).
    """

    t: Array
    xyz: Array
    covariance: Array
    cameras: Array


@dataclass(frozen=True)
class Scored:
    """Errors of one method at the scored stamps of all seeds; NaN where it said nothing.

    Attributes:
        block: Number of the ten seconds, (K,).
        error: m, (K,).
        inside: Whether the 95 % ellipsoid holds the truth, (K,).
    """

    block: Array
    error: Array
    inside: Array


def measure(
    *, data: Sequence[str], cameras: Sequence[str] = (), seeds: int = 10, filters: str = ""
) -> Report:
    """Score the filters on noisy copies of clean folders.

    Args:
        data: Folders of clean labels.
        cameras: Sets to score, each as ``cam2+cam4``; when empty, the three pairs that are best
            before the scored part.
        seeds: Of the degradation.
        filters: Names with commas; when empty, all that the package has.
    """
    named = tuple(filters.split(",")) if filters else _known()
    rows: list[dict[str, Any]] = []
    for folder in data:
        clean = read_flight(folder)
        for names in [s for s in camera_sets(clean, cameras) if len(s) == 2]:
            found = _all_seeds(folder, names, seeds, named)
            rows += _rows(Path(folder).name, names, seeds, found)
    return Report("drone_filter", rows, _targets(rows))


def _known() -> tuple[str, ...]:
    """Return the filters that the settings offer."""
    for leaf in FilterSettings.leaves():
        if leaf.name == "filter" and leaf.choices:
            return tuple(name for name in FILTERS if name in leaf.choices)
    return ()


def _all_seeds(
    folder: str, names: tuple[str, ...], seeds: int, filters: Sequence[str]
) -> dict[str, Scored]:
    """Return method → errors over all seeds."""
    parts: dict[str, list[Scored]] = {}
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as place:
            flight = read_flight(degrade(folder, Path(place, Path(folder).name), seed))
        for method, scored in _one_seed(flight, names, filters).items():
            parts.setdefault(method, []).append(scored)
    return {
        method: Scored(*(np.concatenate([vars(p)[key] for p in own]) for key in vars(own[0])))
        for method, own in parts.items()
    }


def _one_seed(flight: Flight, names: tuple[str, ...], filters: Sequence[str]) -> dict[str, Scored]:
    kalman = filter_pairs(flight, names)
    chosen = is_scored(flight, kalman.t)
    t, P = kalman.t[chosen], kalman.covariance[chosen]
    found = {
        "kf": _score(flight, t, t, kalman.xyz[chosen], P),
        "rts (offline)": _score(flight, t, t, kalman.smoothed[chosen], P * np.nan),
    }
    outputs = list(road(flight, names))
    for name in filters:
        now, late = run_filter(outputs, name)
        for method, states in ((f"filter-{name}", now), (f"filter-{name} lag {LAG}", late)):
            two = _take(states, states.cameras >= 2)
            found[method] = _score(flight, t, *_nearest(two, t))
            if method == f"filter-{name}":
                one = _take(states, (states.cameras == 1) & is_scored(flight, states.t))
                found[f"{method}, one camera"] = _score(
                    flight, one.t, one.t, one.xyz, one.covariance
                )
    return found


def run_filter(outputs: Sequence[Points3D], name: str) -> tuple[States, States]:
    """Return the states of the running filter when they are new, and smoothed with a lag."""
    track_filter = TrackFilter(FilterSettings(filter=name, lag=LAG, horizon=0.0))
    now: list[tuple[int, Trajectory]] = []
    late: list[tuple[int, Trajectory]] = []
    for points in outputs:
        update = track_filter.update(points)
        for records, group in ((now, (update.now,)), (late, update.lagged)):
            for record in group:
                alive = [
                    one
                    for one in record.trajectories
                    if one.state == State.CONFIRMED and one.num_cameras >= 1
                ]
                if alive:
                    oldest = min(alive, key=lambda one: one.track_id)
                    records.append((record.stamp, oldest))
    return _states(now), _states(late)


def is_scored(flight: Flight, t: Array) -> Array:
    """Say which stamps lie in the scored part, between two good samples of the truth, (K,)."""
    times, good = flight.truth[:, 0], flight.truth[:, 4] > 0
    after = np.clip(np.searchsorted(times, t), 1, len(times) - 1)
    inside = (t > flight.start) & (t <= flight.end) & good[after] & good[after - 1]
    return np.asarray(inside & (times[after] - times[after - 1] < LONGEST_STEP))


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


def _states(records: Sequence[tuple[int, Trajectory]]) -> States:
    t = np.array([seconds(stamp) for stamp, _ in records])
    xyz = np.array([one.xyz for _, one in records]).reshape(-1, 3)
    P = np.array([one.covariance[:3, :3] for _, one in records]).reshape(-1, 3, 3)
    return States(t, xyz, P, np.array([one.num_cameras for _, one in records], dtype=int))


def _take(states: States, rows: Array) -> States:
    return States(*(values[rows] for values in vars(states).values()))


def _nearest(states: States, t: Array) -> tuple[Array, Array, Array]:
    """Return time, position and covariance of the state nearest to each stamp; NaN if far."""
    if not len(states.t):
        return t, np.full((len(t), 3), np.nan), np.full((len(t), 3, 3), np.nan)
    after = np.clip(np.searchsorted(states.t, t), 1, max(len(states.t) - 1, 1))
    before = np.maximum(after - 1, 0)
    after = np.minimum(after, len(states.t) - 1)
    chosen = np.where(t - states.t[before] < states.t[after] - t, before, after)
    near = np.abs(states.t[chosen] - t) <= NEAR
    xyz = np.where(near[:, None], states.xyz[chosen], np.nan)
    return np.where(near, states.t[chosen], t), xyz, states.covariance[chosen]


def _score(flight: Flight, t: Array, at: Array, xyz: Array, covariance: Array) -> Scored:
    """Compare positions with the truth at their own times ``at``; blocks go by ``t``."""
    away = xyz - flight.path(at)
    inside = np.full(len(t), np.nan)
    stated = np.isfinite(away).all(axis=1) & np.isfinite(covariance).all(axis=(1, 2))
    solved = np.linalg.solve(covariance[stated], away[stated, :, None])[..., 0]
    inside[stated] = (away[stated] * solved).sum(axis=1) < CHI2_95
    return Scored((t / BLOCK).astype(int), np.linalg.norm(away, axis=1), inside)


def _rows(
    data: str, names: tuple[str, ...], seeds: int, found: dict[str, Scored]
) -> list[dict[str, Any]]:
    rows = []
    for method, scored in found.items():
        error = scored.error[np.isfinite(scored.error)]
        apart = "one camera" in method
        nothing = np.nan, np.nan, np.nan
        over_kf = nothing if apart else ratio(scored, found["kf"])
        imm = "filter-imm"
        over_imm = ratio(scored, found[imm]) if imm in found and not apart else nothing
        inside = scored.inside[np.isfinite(scored.inside)]
        rows.append(
            {
                "data": data,
                "cameras": list(names),
                "seeds": seeds,
                "method": method,
                "n": len(error),
                "stamps_of_kf_percent": np.nan if apart else 100 * len(error) / len(scored.error),
                "rmse_m": float(np.sqrt(np.mean(error**2))) if len(error) else np.nan,
                "median_m": float(np.median(error)) if len(error) else np.nan,
                "p95_m": float(np.percentile(error, 95)) if len(error) else np.nan,
                "inside_95_percent": 100 * float(inside.mean()) if len(inside) else np.nan,
                "over_kf": over_kf[0],
                "over_kf_low_95": over_kf[1],
                "over_kf_high_95": over_kf[2],
                "over_imm": over_imm[0],
                "over_imm_low_95": over_imm[1],
                "over_imm_high_95": over_imm[2],
            }
        )
    return rows


def _targets(rows: Sequence[dict[str, Any]]) -> list[Target]:
    """Ask of the liquid filter 7 % less than both, for sure; of its lag half the way to RTS."""
    of = {(row["data"], *row["cameras"], row["method"]): row for row in rows}
    targets = []
    for (*where, method), row in of.items():
        name = f"{where[0]}_{'+'.join(where[1:])}"
        if method == "filter-liquid":
            for peer in ("kf", "imm"):
                targets += [
                    Target(f"{name}_liquid_over_{peer}", row[f"over_{peer}"], 0.93),
                    Target(
                        f"{name}_liquid_over_{peer}_upper_95", row[f"over_{peer}_high_95"], 1.0
                    ),
                ]
            off = abs(row["inside_95_percent"] - 92)
            targets.append(Target(f"{name}_liquid_coverage_off_92_percent", off, 7.0))
        if method == f"filter-liquid lag {LAG}":
            kf, rts = (of[(*where, m)]["rmse_m"] for m in ("kf", "rts (offline)"))
            targets.append(
                Target(f"{name}_liquid_lag_{LAG}_rmse_m", row["rmse_m"], (kf + rts) / 2)
            )
    return targets
