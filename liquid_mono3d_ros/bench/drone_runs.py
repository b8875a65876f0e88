"""One drone flight through the running filters and the plain Kalman filter: errors at its stamps.

All are scored at the stamps of the Kalman filter, so at its coverage: the state nearest in time,
of the oldest confirmed track. States that rest on one camera at that instant are scored apart.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from liquid_mono3d_ros.bench.drone import road
from liquid_mono3d_ros.bench.drone_data import CHI2_95, LONGEST_STEP, Flight, read_flight
from liquid_mono3d_ros.bench.drone_kalman import filter_pairs
from liquid_mono3d_ros.bench.drone_noise import degrade
from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.liquid.advice import Adviser
from liquid_mono3d_ros.liquid.trajectory_filter import WEIGHTS, FilterSettings, TrackFilter
from liquid_mono3d_ros.records import FilterUpdate, Kind, Points3D, State, Trajectory, seconds

LAG = 5
"""Updates."""
NEAR = 0.05
"""A state no farther from a stamp stands for it, s."""
BLOCK = 10.0
"""Errors so close in time are drawn together by the bootstrap, s."""
WARM_UP = 30.0
"""The filters begin so long before the scored part, s."""
STRICT = WEIGHTS.with_name("liquid_filter_strict.safetensors")
ONE_CAMERA = ", one camera"
LATE = f" lag {LAG}"


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
    """Errors of one method at the scored stamps; NaN where it said nothing.

    Attributes:
        block: Number of the ten seconds, (K,).
        error: m, (K,).
        inside: Whether the 95 % ellipsoid holds the truth, (K,).
    """

    block: Array
    error: Array
    inside: Array


def filters() -> dict[str, FilterSettings]:
    """Return method → settings: the imm as it is, with the tuned numbers, and both networks."""
    plain = FilterSettings(filter="imm", lag=LAG, horizon=0.0)
    liquid = replace(plain, filter="liquid")
    return {
        "imm": plain,
        "imm-tuned": replace(plain, **Adviser.load(WEIGHTS).bank),
        "liquid": replace(liquid, weights=str(WEIGHTS)),
        "liquid-strict": replace(liquid, weights=str(STRICT)),
    }


def run_flight(
    folder: str, names: tuple[str, ...], seed: int | None, methods: Mapping[str, FilterSettings]
) -> dict[str, Scored]:
    """Return method → errors on a pair of cameras.

    Args:
        folder: Clean labels.
        names: Of the cameras.
        seed: Of the degradation; None leaves the labels as they are.
        methods: Name → settings of the filters.
    """
    flight = read_flight(folder)
    if seed is not None:
        with tempfile.TemporaryDirectory() as place:
            flight = read_flight(degrade(folder, Path(place, Path(folder).name), seed))
    kalman = filter_pairs(flight, names)
    chosen = is_scored(flight, kalman.t)
    t, P = kalman.t[chosen], kalman.covariance[chosen]
    outputs = list(road(flight, names))
    found = {
        "raw": _score(flight, t, *_nearest(_raw(outputs), t)),
        "kf": _score(flight, t, t, kalman.xyz[chosen], P),
        "rts (offline)": _score(flight, t, t, kalman.smoothed[chosen], P * np.nan),
    }
    recent = [points for points in outputs if seconds(points.stamp) > flight.start - WARM_UP]
    for name, settings in methods.items():
        now, late = run_filter(recent, settings)
        for method, states in ((name, now), (name + LATE, late)):
            two = _take(states, states.cameras >= 2)
            found[method] = _score(flight, t, *_nearest(two, t))
        one = _take(now, (now.cameras == 1) & is_scored(flight, now.t))
        found[name + ONE_CAMERA] = _score(flight, one.t, one.t, one.xyz, one.covariance)
    return found


def run_filter(outputs: Sequence[Points3D], settings: FilterSettings) -> tuple[States, States]:
    """Return the states of the running filter when they are new, and smoothed with its lag.

    Raises:
        ValueError: If another filter would stand in for the one asked for.
    """
    track_filter = TrackFilter(settings)
    if track_filter.fallback_reason:
        raise ValueError(track_filter.fallback_reason)
    now: list[tuple[int, Trajectory]] = []
    late: list[tuple[int, Trajectory]] = []
    update = FilterUpdate(track_filter.predict(0))
    for points in outputs:
        if not len(points) and not update.now.trajectories:
            continue  # nothing to follow: half of a flight
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


def joined(parts: Sequence[Scored]) -> Scored:
    """Return the errors of several runs in one."""
    return Scored(*(np.concatenate([vars(p)[key] for p in parts]) for key in vars(parts[0])))


def _raw(outputs: Sequence[Points3D]) -> States:
    """Return the points that two cameras or more located, the first of each instant."""
    found = []
    for points in outputs:
        rows = np.flatnonzero(points.kind == Kind.POINT)
        if len(rows):
            n = rows[np.argmin(points.track_id[rows])]
            slow = np.nan_to_num(points.systematic_covariance[n])
            found.append((points.stamp, points.xyz[n], points.covariance[n] + slow))
    t = np.array([seconds(stamp) for stamp, _, _ in found])
    xyz = np.array([one for _, one, _ in found]).reshape(-1, 3)
    P = np.array([one for _, _, one in found]).reshape(-1, 3, 3)
    return States(t, xyz, P, np.full(len(t), 2))


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
