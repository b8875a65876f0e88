"""Clusters of 2D tracks → points and bearings of one instant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.geometry.agreement import Located, locate
from liquid_mono3d_ros.geometry.association import Cluster, member_rows
from liquid_mono3d_ros.geometry.triangulation import (
    Views,
    depth,
    parallax,
    residuals_px,
    systematic_covariance,
)
from liquid_mono3d_ros.geometry.view import View
from liquid_mono3d_ros.records import Kind, Points3D, Sighting

POINT, BEARING, UNSEEN = "point", "bearing", "unseen"
"""What came of a cluster; else the cause for which it was dropped."""
NO_SIGMA: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True)
class Limits:
    """What a good point keeps, and how large the slow errors are.

    Attributes:
        residual_px: Of each view; four sigmas of the pixel if that is more.
        parallax: At least, rad.
        nearest: To any camera that sees it, m.
        farthest: From every camera that sees it, m.
        calibration_sigma: Unknown turn of each camera, per axis, rad.
        clock_sigma: Unknown offset of each camera's clock, s.
        bearings: Whether the one camera that still sees an established object gives a bearing.
    """

    residual_px: float
    parallax: float
    nearest: float
    farthest: float
    calibration_sigma: float
    clock_sigma: float
    bearings: bool = True


@dataclass(frozen=True)
class Outcome:
    """What came of N clusters at one instant, seen by C cameras.

    Attributes:
        clusters: As given.
        views: As given.
        rows: Row of each cluster's track in each view, (C, N); −1 where it has no fresh one.
        located: Points; NaN for those that no two views agree on.
        systematic_covariance: (N, 3, 3) m².
        parallax: (N,) rad.
        verdicts: ``POINT``, ``BEARING``, ``UNSEEN``, or the cause for which the point was dropped.
    """

    clusters: Sequence[Cluster]
    views: Sequence[View]
    rows: Array
    located: Located
    systematic_covariance: Array
    parallax: Array
    verdicts: list[str]


def locate_clusters(
    clusters: Sequence[Cluster],
    views: Sequence[View],
    limits: Limits,
    clock_sigma: Mapping[str, float] = NO_SIGMA,
) -> Outcome | None:
    """Triangulate each cluster and judge the result; None when there is nothing to do.

    A view that disagreed the last time is first left out and asked again afterwards.

    Args:
        clusters: Which 2D tracks are one object.
        views: Of all cameras.
        limits: What a good point keeps.
        clock_sigma: Camera → unknown offset of its clock, s, where it is more than the limits'.
    """
    if not clusters or not views:
        return None
    rows = _rows(clusters, views)
    seen, velocity = _gather(rows, views)
    trusted = _trusted(clusters, views, seen.seen)
    spread = np.sqrt(np.einsum("cnii->cn", seen.covariance_px) / 2)
    limit_px = np.maximum(limits.residual_px, 4 * spread)
    located = locate(replace(seen, seen=trusted), limit_px)
    located = replace(located, residual_px=residuals_px(located.xyz, seen))
    centres = np.array([v.camera.centre for v in views])
    angle = parallax(located.xyz, centres, located.used)
    systematic = systematic_covariance(
        located.xyz,
        replace(seen, seen=located.used),
        velocity,
        calibration_sigma=limits.calibration_sigma,
        clock_sigma=np.array(
            [max(limits.clock_sigma, clock_sigma.get(v.camera.name, 0.0)) for v in views]
        ),
    )
    verdicts = _judge(clusters, seen, located, centres, angle, limits)
    _remember_left_out(clusters, views, seen.seen, located, limit_px)
    return Outcome(clusters, views, rows, located, systematic, angle, verdicts)


def points_from(outcome: Outcome | None, *, stamp: int, frame_id: str, epoch: int) -> Points3D:
    """Return the points and bearings of an outcome as a record, by ascending ``track_id``."""
    chosen: list[int] = []
    if outcome is not None:
        good = [n for n, verdict in enumerate(outcome.verdicts) if verdict in (POINT, BEARING)]
        chosen = sorted(good, key=lambda n: outcome.clusters[n].track_id)
    n = len(chosen)
    fields: dict[str, Array] = {
        "track_id": np.zeros(n, dtype=np.uint64),
        "kind": np.zeros(n, dtype=np.uint8),
        "xyz": np.full((n, 3), np.nan),
        "covariance": np.full((n, 3, 3), np.nan),
        "systematic_covariance": np.full((n, 3, 3), np.nan),
        "ray_origin": np.full((n, 3), np.nan),
        "ray_direction": np.full((n, 3), np.nan),
        "ray_covariance": np.full((n, 2, 2), np.nan),
        "reprojection_error_px": np.full(n, np.nan),
        "parallax_rad": np.full(n, np.nan),
    }
    sightings: list[tuple[Sighting, ...]] = []
    if outcome is not None and chosen:
        verdicts = outcome.verdicts
        points = [row for row, c in enumerate(chosen) if verdicts[c] == POINT]
        for name, values in _points(outcome, [chosen[row] for row in points]).items():
            fields[name][points] = values
        for row in set(range(n)) - set(points):
            for name, value in _bearing(outcome, chosen[row]).items():
                fields[name][row] = value
        fields["track_id"][:] = [outcome.clusters[c].track_id for c in chosen]
        sightings = [_sightings(outcome, c) for c in chosen]
    return Points3D(
        stamp=stamp, frame_id=frame_id, epoch=epoch, sightings=tuple(sightings), **fields
    )


def _rows(clusters: Sequence[Cluster], views: Sequence[View]) -> Array:
    """Return the row of each cluster's fresh track in each view, (C, N); −1 without one."""
    rows = np.array([member_rows(clusters, v) for v in views])
    for row, v in zip(rows, views, strict=True):
        row[~np.append(v.fresh, False)[row]] = -1  # the row −1 is that False
    return rows


def _trusted(clusters: Sequence[Cluster], views: Sequence[View], seen: Array) -> Array:
    """Return the views that did not disagree the last time, where two or more are left, (C, N)."""
    trusted = seen.copy()
    for n, cluster in enumerate(clusters):
        if cluster.left_out:
            rest = seen[:, n] & [v.camera.name not in cluster.left_out for v in views]
            trusted[:, n] = rest if np.count_nonzero(rest) >= 2 else seen[:, n]
    return trusted


def _gather(rows: Array, views: Sequence[View]) -> tuple[Views, Array]:
    """Return what the cameras saw of the clusters, and the velocities (C, N, 2) 1/s."""
    C, N = rows.shape
    uv, velocity = np.zeros((C, N, 2)), np.zeros((C, N, 2))
    covariance_px = np.zeros((C, N, 2, 2)) + np.eye(2)
    scale = np.zeros((C, N, 2, 2)) + np.eye(2)
    seen = rows >= 0
    for c, v in enumerate(views):
        here, row = seen[c], rows[c, seen[c]]
        uv[c, here], velocity[c, here] = v.uv[row], v.velocity[row]
        covariance_px[c, here], scale[c, here] = v.covariance_px[row], v.scale[row]
    P = np.array([v.camera.P for v in views])
    return Views(P, uv, seen, covariance_px, scale), velocity


def _judge(
    clusters: Sequence[Cluster],
    seen: Views,
    located: Located,
    centres: Array,
    angle: Array,
    limits: Limits,
) -> list[str]:
    """Return what came of each cluster."""
    count = np.count_nonzero(seen.seen, axis=0)
    used = located.used
    ahead = np.where(used, depth(located.xyz, seen.P), np.inf) > 0
    distance = np.linalg.norm(located.xyz - centres[:, None], axis=2)  # (C, N)
    near = np.where(used, distance, np.inf).min(axis=0)
    rules = [
        (count < 2, UNSEEN),
        (~np.isfinite(located.xyz).all(axis=1), "gated"),
        (~ahead.all(axis=0), "behind"),
        (~(angle >= limits.parallax), "parallax"),
        ((near < limits.nearest) | (near > limits.farthest), "range"),
        (np.ones(len(clusters), dtype=bool), POINT),
    ]
    first = np.argmax([broken for broken, _ in rules], axis=0)
    verdicts = [rules[rule][1] for rule in first.tolist()]
    for n in np.flatnonzero(count == 1).tolist():
        if limits.bearings and clusters[n].established:
            verdicts[n] = BEARING
    return verdicts


def _remember_left_out(
    clusters: Sequence[Cluster],
    views: Sequence[View],
    seen: Array,
    located: Located,
    limit_px: Array,
) -> None:
    length = np.hypot(located.residual_px[..., 0], located.residual_px[..., 1])
    left_out = seen & ~located.used & (length > limit_px)  # NaN: no point, so nobody is to blame
    for cluster in clusters:
        cluster.left_out = set()
    for c, n in np.argwhere(left_out).tolist():
        clusters[n].left_out.add(views[c].camera.name)


def _points(outcome: Outcome, chosen: list[int]) -> dict[str, Any]:
    """Return the fields of the clusters that are points."""
    used = outcome.located.used[:, chosen]
    square = np.square(outcome.located.residual_px[:, chosen]).sum(axis=2)
    mean = np.where(used, square, 0.0).sum(axis=0) / np.maximum(used.sum(axis=0), 1)
    return {
        "kind": Kind.POINT,
        "xyz": outcome.located.xyz[chosen],
        "covariance": outcome.located.covariance[chosen],
        "systematic_covariance": outcome.systematic_covariance[chosen],
        "reprojection_error_px": np.sqrt(mean),
        "parallax_rad": outcome.parallax[chosen],
    }


def _bearing(outcome: Outcome, n: int) -> dict[str, Any]:
    """Return the ray of the one camera that sees the object.

    Its covariance is the larger of the two angular variances, in all directions across the ray:
    so it needs no agreement on which two axes are meant.
    """
    c = int(np.argmax(outcome.rows[:, n] >= 0))
    v, row = outcome.views[c], outcome.rows[c, n]
    ray = np.append(v.uv[row], 1.0)
    length = np.linalg.norm(ray)
    direction = ray / length
    angles = (np.eye(3) - np.outer(direction, direction))[:, :2] / length
    variance = np.linalg.eigvalsh(angles @ v.covariance[row] @ angles.T)[-1]
    return {
        "kind": Kind.BEARING,
        "ray_origin": v.camera.centre,
        "ray_direction": v.camera.R_cw.T @ direction,
        "ray_covariance": variance * np.eye(2),
    }


def _sightings(outcome: Outcome, n: int) -> tuple[Sighting, ...]:
    """Return what each camera contributed to a point or bearing."""
    is_point = outcome.verdicts[n] == POINT
    contributed = outcome.located.used[:, n] if is_point else outcome.rows[:, n] >= 0
    sightings = []
    for c in np.flatnonzero(contributed).tolist():
        v, row = outcome.views[c], outcome.rows[c, n]
        name = v.camera.name
        residual = outcome.located.residual_px[c, n] if is_point else np.full(2, np.nan)
        track = outcome.clusters[n].members[name]
        sightings.append(Sighting(name, track, v.stamp, residual, bool(v.measured[row])))
    return tuple(sightings)
