"""Triangulation: speed, gross errors beside peers, and whether the covariance is honest."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from liquid_mono3d_ros.bench import triangulation_peers as peers
from liquid_mono3d_ros.bench.report import Report, Target
from liquid_mono3d_ros.bench.triangulation_scenes import (
    Cameras,
    in_room,
    look,
    points_for,
    rigs,
    room,
    spoil,
    turned,
    views_of,
)
from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.geometry.agreement import locate
from liquid_mono3d_ros.geometry.association import Cluster
from liquid_mono3d_ros.geometry.locating import Limits, locate_clusters
from liquid_mono3d_ros.geometry.timing import Evaluated
from liquid_mono3d_ros.geometry.triangulation import systematic_covariance
from liquid_mono3d_ros.geometry.view import view

Row = dict[str, Any]

INSIDE_95 = 7.8147
"""Chi² of three degrees of freedom that 95 % stay below."""
TURN = math.radians(0.3)
"""Calibration error: one standard deviation about each of the three axes of each camera, rad."""
CLOCK = 0.005
"""Clock error: one standard deviation of each camera, s."""


def measure(*, points: int = 10000, draws: int = 2000, slow_points: int = 300) -> Report:
    """Triangulate points whose truth is known.

    Args:
        points: In each scene.
        draws: Of calibration and clock errors; one point each.
        slow_points: For the peers that take milliseconds a point.
    """
    cv2.setNumThreads(1)
    if not _anipose_is_here():
        print("aniposelib is not installed: no rows for it.")
    speed, gross = _speed(), _gross(points, slow_points)
    white = [_white(name, *rig, points) for name, rig in rigs().items()]
    slow = [_systematic(name, *rig, draws) for name, rig in rigs().items() if math.isnan(rig[1])]
    rows = [*speed, *gross, *white, *slow, *_bias(points), *_weights(points)]
    honest = [row for row in (*white, *slow) if row.get("sigma_z_percent", 0.0) < 15.0]
    return Report("triangulation", rows, _targets(speed, gross, honest))


def _targets(speed: list[Row], gross: list[Row], honest: list[Row]) -> list[Target]:
    targets = [Target("locate_100_points_4_views_ms", speed[0]["cpu_median_ms"], 1.0)]
    for row in gross:
        if row["method"] == "ours":
            name = row["scene"].replace(" ", "_").replace("%", "percent")
            targets += [
                Target(f"{name}_p99_mm", row["p99_mm"], 12.0),
                Target(f"{name}_points_per_s", row["points_per_s"], 5000.0, at_most=False),
            ]
    inside = [row["inside_95_percent"] for row in honest]
    nees = [row["nees_over_3"] for row in honest]
    return [
        *targets,
        Target("least_inside_95_percent", min(inside), 93.0, at_most=False),
        Target("most_inside_95_percent", max(inside), 97.0),
        Target("least_nees_over_3", min(nees), 0.9, at_most=False),
        Target("most_nees_over_3", max(nees), 1.1),
    ]


def _speed(num: int = 100, runs: int = 51) -> list[Row]:
    """Return the time for 100 points in 4 views, all of them good."""
    rng, cameras = np.random.default_rng(0), room()
    uv = look(cameras, in_room(rng, num)) + rng.normal(size=(4, num, 2))
    views, limit_px = views_of(cameras, uv), np.full((4, num), 10.0)
    limits = Limits(10.0, 0.003, 0.05, 500.0, 0.002, 0.001)
    tracks = [view(c, _evaluated(seen)) for c, seen in zip(cameras, uv, strict=True)]
    clusters = [Cluster({c.name: n for c in cameras}, 0) for n in range(num)]
    methods: dict[str, Callable[[], object]] = {
        "ours: points and covariance": lambda: locate(views, limit_px),
        "ours: with systematic covariance and verdicts": lambda: locate_clusters(
            clusters, tracks, limits
        ),
        "cv2.triangulatePoints, 2 views": lambda: peers.opencv_pair(cameras, uv),
    }
    if _anipose_is_here():
        methods["aniposelib linear"] = lambda: peers.aniposelib_linear(cameras, uv)
    return [{"part": "speed", "method": k, "n": num} | _timed(f, runs) for k, f in methods.items()]


def _timed(call: Callable[[], object], runs: int) -> Row:
    call()
    spent = []
    for _ in range(runs):
        start = time.process_time()
        call()
        spent.append(1e3 * (time.process_time() - start))
    return {"cpu_median_ms": float(np.median(spent)), "cpu_least_ms": min(spent)}


def _evaluated(uv: Array) -> Evaluated:
    n = len(uv)
    return Evaluated(
        stamp=0,
        track_id=list(range(n)),
        uv=uv,
        covariance=np.tile(np.eye(2), (n, 1, 1)),
        velocity=np.zeros((n, 2)),
        fresh=np.ones(n, dtype=bool),
        measured=np.ones(n, dtype=bool),
        class_id=(),
        pose=None,
    )


def _gross(points: int, slow_points: int) -> list[Row]:
    """Return the errors with 1 px noise and gross errors in 5 % of all sightings."""
    cameras, rng = room(), np.random.default_rng(1)
    xyz = in_room(rng, points)
    clean = look(cameras, xyz) + rng.normal(size=(4, points, 2))
    scenes = {"no gross errors": clean}
    scenes |= {f"5 % {kind}": spoil(rng, clean, kind) for kind in ("moved", "anywhere")}
    fast = {"ours": peers.ours, "linear, 4 views": peers.dlt, "cv2, 2 views": peers.opencv_pair}
    slow = {"scipy Huber": peers.huber}
    if _anipose_is_here():
        slow["aniposelib RANSAC"] = peers.aniposelib_ransac
    rows = []
    for scene, uv in scenes.items():
        for name, method in (fast | slow).items():
            n = points if name in fast else min(slow_points, points)
            if n == 0:
                continue
            start = time.process_time()
            error = np.linalg.norm(method(cameras, uv[:, :n]) - xyz[:n], axis=1)
            spent = time.process_time() - start
            row = {"part": "gross errors", "scene": scene, "method": name, "n": n}
            rows.append(row | _errors_mm(error) | {"points_per_s": n / spent})
    return rows


def _errors_mm(error: Array) -> Row:
    answered = error[np.isfinite(error)]
    p50, p99 = 1e3 * np.percentile(answered, [50, 99])
    return {
        "p50_mm": float(p50),
        "p99_mm": float(p99),
        "answered_percent": 100.0 * len(answered) / len(error),
    }


def _white(name: str, cameras: Cameras, distance: float, points: int) -> Row:
    """Return how often the truth is inside the ellipsoid of the white covariance."""
    rng = np.random.default_rng(2)
    xyz = points_for(rng, points, distance)
    uv = look(cameras, xyz) + rng.normal(size=(len(cameras), points, 2))
    located = locate(views_of(cameras, uv), np.full(uv.shape[:2], np.inf))
    row = {"part": "white covariance", "scene": name, "n": points}
    return row | _honesty(located.xyz - xyz, located.covariance, distance)


def _honesty(error: Array, covariance: Array, distance: float = math.nan) -> Row:
    solved = np.linalg.solve(covariance, error[..., None])[..., 0]
    nees = np.einsum("ni,ni->n", error, solved)
    row = {
        "inside_95_percent": 100.0 * float(np.mean(nees < INSIDE_95)),
        "nees_over_3": float(nees.mean()) / 3,
    }
    if not math.isnan(distance):
        row["sigma_z_percent"] = float(100 * np.median(np.sqrt(covariance[:, 0, 0])) / distance)
    return row


def _systematic(name: str, cameras: Cameras, distance: float, draws: int) -> Row:
    """Return the same with turned cameras and wrong clocks, for white plus systematic covariance.

    Each draw is another rig with one point, moving at 1 m/s per axis (one sigma): the errors of a
    rig persist, so that many points of one rig would say the same thing.
    """
    rng, ds = np.random.default_rng(3), 1e-3
    xyz, speed = points_for(rng, draws, distance), rng.normal(size=(draws, 3))
    uv = look(cameras, xyz) + rng.normal(size=(len(cameras), draws, 2))
    for c, camera in enumerate(cameras):
        noise = uv[c] - camera.project(xyz)
        late = xyz + rng.normal(0.0, CLOCK, (draws, 1)) * speed
        for n in range(draws):
            real = turned(camera, rng.normal(0.0, TURN, 3))
            uv[c, n] = real.project(late[n : n + 1])[0] + noise[n]
    views = views_of(cameras, uv)
    ahead, behind = (
        views_of(cameras, look(cameras, xyz + sign * ds * speed)).uv for sign in (1, -1)
    )
    located = locate(views, np.full(uv.shape[:2], np.inf))
    slow = systematic_covariance(
        located.xyz,
        replace(views, seen=located.used),
        (ahead - behind) / (2 * ds),
        calibration_sigma=TURN,
        clock_sigma=CLOCK,
    )
    row = {"part": "with 0.3° per axis and 5 ms", "scene": name, "n": draws}
    error = located.xyz - xyz
    return (
        row
        | _honesty(error, located.covariance + slow)
        | _errors_mm(np.linalg.norm(error, axis=1))
    )


def _bias(points: int) -> list[Row]:
    """Return how a pair places what is too far for it: beyond 15 %, not to be believed."""
    cameras, _ = rigs()["stereo 0.3 m, at 10 m"]
    rows = []
    for percent in (2, 5, 10, 15, 20, 30):
        distance = percent / 100 * 500.0 * 0.3 / math.sqrt(2)
        rng = np.random.default_rng(4)
        xyz = points_for(rng, points, distance)
        uv = look(cameras, xyz) + rng.normal(size=(2, points, 2))
        located = locate(views_of(cameras, uv), np.full(uv.shape[:2], np.inf))
        good = (located.xyz[:, 0] > 0) & (located.xyz[:, 0] < 500)
        relative = located.xyz[good, 0] / xyz[good, 0] - 1
        row = {"part": "too far for the pair", "scene": f"{distance:.1f} m", "n": int(good.sum())}
        honesty = _honesty(located.xyz[good] - xyz[good], located.covariance[good])
        rows.append(
            row
            | honesty
            | {"sigma_z_percent": float(percent), "z_bias_percent": 100 * float(relative.mean())}
        )
    return rows


def _weights(points: int) -> list[Row]:
    """Return what a sigma per view is worth when one view is worse."""
    cameras, rows = room(), []
    for worse in (4.0, 10.0):
        rng, sigma = np.random.default_rng(5), np.array([worse, 1.0, 1.0, 1.0])[:, None]
        xyz = in_room(rng, points)
        uv = look(cameras, xyz) + sigma[..., None] * rng.normal(size=(4, points, 2))
        for method, believed in (("its own sigma", sigma), ("one sigma for all", 1.0)):
            located = locate(views_of(cameras, uv, believed), np.full((4, points), np.inf))
            row = {"part": f"one view {worse:g} times worse", "method": method, "n": points}
            rows.append(row | _errors_mm(np.linalg.norm(located.xyz - xyz, axis=1)))
    return rows


def _anipose_is_here() -> bool:
    try:
        import aniposelib  # noqa: F401
    except ImportError:
        return False
    return True
