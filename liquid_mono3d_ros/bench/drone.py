"""Error against RTK on recorded drone flights: pairs and all cameras, raw and filtered."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from liquid_mono3d_ros.bench.drone_data import Flight, Labels, read_flight
from liquid_mono3d_ros.bench.report import Report, Target
from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.geometry.rig import Rig
from liquid_mono3d_ros.geometry.triangulation import Views, depth, refine, triangulate_dlt
from liquid_mono3d_ros.geometry.triangulator import GeometrySettings, Triangulator
from liquid_mono3d_ros.liquid.trajectory_filter import FilterSettings, TrackFilter
from liquid_mono3d_ros.records import Kind, Points3D, State, Tracks2D, nanoseconds, seconds
from liquid_mono3d_ros.tracking.detection import Detections
from liquid_mono3d_ros.tracking.tracker import Tracker, TrackerSettings

LONGEST_GAP = 2.2
"""Labels further apart than so many periods are not interpolated between."""
GRID = 1 / 30
"""Instants of the rows for three or more cameras, s."""
GEOMETRY = {
    "calibration_sigma": 1.2e-3,
    "clock.estimate": "apply",
    "clock.prior_sigma": 0.01,
    "clock.rate": 10.0,
}
"""Calibrated against RTK beforehand, clocks too; what changed since is told from the tracks.

The sigma, and that phones alone wander, were chosen with the scores of ds1 and ds3 in view.
"""

Track = tuple[Array, Array, Array | None]
"""Times (N,) s, positions (N, 3) m, and their covariances (N, 3, 3) m² if there are any."""


def measure(*, data: Sequence[str], cameras: Sequence[str] = ()) -> Report:
    """Score each method on recorded flights.

    Args:
        data: Folders.
        cameras: Sets to score, each as ``cam2+cam4``; when empty, the three pairs that are best
            before the scored part, and all cameras together; ``pairs`` stands for every pair.
    """
    rows: list[dict[str, Any]] = []
    for folder in data:
        flight = read_flight(folder)
        for names in camera_sets(flight, cameras):
            for method, track in _estimates(flight, names):
                score = flight.score(*track)
                if score is not None:
                    row = {"data": Path(folder).name, "cameras": list(names), "method": method}
                    rows.append({**row, **score})
    return Report("drone", rows, _targets(rows))


def camera_sets(flight: Flight, cameras: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the sets of cameras; of a pair the slower one first, as it gives the instants."""
    names = sorted(flight.labels, key=lambda name: (-flight.labels[name].period, name))
    pairs = list(combinations(names, 2))
    everyone = [tuple(flight.labels)] if len(names) > 2 else []
    if list(cameras) == ["pairs"]:
        return pairs + everyone
    if cameras:
        return [tuple(item.split("+")) for item in cameras]
    before = {pair: _training_error(flight, pair) for pair in pairs}
    return sorted(pairs, key=lambda pair: before[pair])[:3] + everyone


def _training_error(flight: Flight, pair: tuple[str, str]) -> float:
    """Return the median error of a pair before the scored part, m; infinite when seldom seen."""
    score = flight.score(*paired(flight, pair, nearest=False), training=True)
    return score["median_m"] if score is not None and score["n"] > 100 else math.inf


def _estimates(flight: Flight, names: tuple[str, ...]) -> Iterator[tuple[str, Track]]:
    yield "nearest", paired(flight, names, nearest=True)
    yield "interpolated", paired(flight, names, nearest=False)
    points = list(road(flight, names))
    yield "robust", _points(points)
    yield "filter-imm", _filtered(points)


def paired(flight: Flight, names: tuple[str, ...], *, nearest: bool) -> Track:
    """Return what plain triangulation makes of the labels, without any gate."""
    cameras = [flight.rig.cameras[name] for name in names]
    first = flight.labels[names[0]]
    t = first.t if len(names) == 2 else np.arange(flight.truth[0, 0], flight.end, GRID)
    found = [labels_at(flight.labels[name], t, nearest=nearest) for name in names]
    seen = np.array([usable for _, usable in found])
    chosen = np.count_nonzero(seen, axis=0) >= 2
    t, seen = t[chosen], seen[:, chosen]
    uv = np.array(
        [
            camera.undistort(pixels[chosen])
            for camera, (pixels, _) in zip(cameras, found, strict=True)
        ]
    )
    seen &= np.isfinite(uv).all(axis=2)
    eye = np.broadcast_to(np.eye(2), (*uv.shape, 2))
    scale = eye * np.array([camera.K[0, 0] for camera in cameras])[:, None, None, None]
    views = Views(np.array([camera.P for camera in cameras]), uv, seen, eye, scale)
    xyz, _, _ = refine(triangulate_dlt(views.P, views.uv, views.seen), views)
    ahead = (np.where(seen, depth(xyz, views.P), np.inf) > 0).all(axis=0)
    good = ahead & np.isfinite(xyz).all(axis=1)
    return t[good], xyz[good], None


def labels_at(labels: Labels, t: Array, *, nearest: bool) -> tuple[Array, Array]:
    """Return the pixels (N, 2) at times (N,) s, and whether a label is near enough (N,)."""
    after = np.clip(np.searchsorted(labels.t, t), 1, len(labels.t) - 1)
    a, b = labels.t[after - 1], labels.t[after]
    if nearest:
        chosen = np.where(t - a < b - t, after - 1, after)
        return labels.uv[chosen], np.abs(labels.t[chosen] - t) <= 0.51 * labels.period
    w = ((t - a) / np.maximum(b - a, 1e-9))[:, None]
    pixels = labels.uv[after - 1] * (1 - w) + labels.uv[after] * w
    return pixels, (t >= a) & (t <= b) & (b - a < LONGEST_GAP * labels.period)


def road(flight: Flight, names: tuple[str, ...]) -> Iterator[Points3D]:
    """Yield what tracking and triangulation make of the labels, image by image."""
    rig = Rig({name: flight.rig.cameras[name] for name in names}, up=flight.rig.up)
    reference = min(names, key=lambda n: (not flight.labels[n].steady, -flight.labels[n].period))
    phones = tuple(name for name in names if not flight.labels[name].steady)
    settings = {**GEOMETRY, "reference_camera": reference, "clock.wandering": phones}
    triangulator = Triangulator(GeometrySettings.from_flat(settings), rig)
    for tracks in _tracks(flight, rig):
        yield from triangulator.add(tracks)


def _tracks(flight: Flight, rig: Rig) -> Iterator[Tracks2D]:
    """Yield the tracks of every image of every camera, also of those without a label."""
    trackers = {name: Tracker(TrackerSettings()) for name in rig.cameras}
    images = [
        (t, name, label)
        for name in rig.cameras
        for t, label in _images(flight.labels[name], flight.truth[0, 0], flight.end)
    ]
    for t, name, label in sorted(images):
        camera, stamp = rig.cameras[name], nanoseconds(t)
        uv = flight.labels[name].uv[label : label + 1] if label >= 0 else np.zeros((0, 2))
        table = trackers[name].update(Detections.at(uv, camera.sigma_px), stamp)
        yield table.record(name, stamp, (camera.width, camera.height), 0)


def _images(labels: Labels, start: float, end: float) -> Iterator[tuple[float, int]]:
    """Yield time and label of each image, -1 where the camera did not see the drone."""
    last = min(start, float(labels.t[0])) - labels.period
    for label, t in enumerate([*labels.t.tolist(), end + labels.period]):
        missing = round((t - last) / labels.period) - 1
        for k in range(missing):
            yield last + (t - last) * (k + 1) / (missing + 1), -1
        if label < len(labels.t):
            yield t, label
        last = t


def _points(outputs: Sequence[Points3D]) -> Track:
    """Return every point, with the covariance by pixels, calibration and clocks together."""
    found = [
        (seconds(p.stamp), p.xyz[n], p.covariance[n] + np.nan_to_num(p.systematic_covariance[n]))
        for p in outputs
        for n in np.flatnonzero(p.kind == Kind.POINT)
    ]
    return _track(found)


def _filtered(outputs: Sequence[Points3D]) -> Track:
    """Return the states of confirmed tracks at stamps at which two cameras or more saw them."""
    track_filter = TrackFilter(FilterSettings(lag=0, horizon=0.0))
    found = [
        (seconds(one.stamp), one.xyz, one.covariance[:3, :3])
        for points in outputs
        for one in track_filter.update(points).now.trajectories
        if one.state == State.CONFIRMED and one.num_cameras >= 2
    ]
    return _track(found)


def _track(found: Sequence[tuple[float, Array, Array]]) -> Track:
    t, xyz, covariance = zip(*found, strict=True) if found else ((), (), ())
    return np.array(t), np.array(xyz).reshape(-1, 3), np.array(covariance).reshape(-1, 3, 3)


def _targets(rows: Sequence[dict[str, Any]]) -> list[Target]:
    """Return what the road must not be worse than: plain interpolation of the same labels."""
    of = {(row["data"], *row["cameras"], row["method"]): row for row in rows}
    targets = []
    for (*names, method), row in of.items():
        if method == "robust" and (plain := of.get((*names, "interpolated"))):
            name = f"{names[0]}_{'+'.join(names[1:])}"
            targets += [
                Target(f"{name}_rmse_m", row["rmse_m"], plain["rmse_m"]),
                Target(f"{name}_coverage", row["coverage"], plain["coverage"], at_most=False),
            ]
    return targets
