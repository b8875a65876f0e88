"""What the points of one instant change: corrections, restarts and births, for all tracks."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.liquid.bank import birth
from liquid_mono3d_ros.liquid.belief import Belief
from liquid_mono3d_ros.liquid.design import Design
from liquid_mono3d_ros.liquid.guidance import enter_measurement
from liquid_mono3d_ros.liquid.lifecycle import Lives, Witness, enter, is_overdue, new_lives
from liquid_mono3d_ros.liquid.measurement import (
    Measurement,
    is_in_front,
    measure_across_ray,
    measure_position,
    sift,
)
from liquid_mono3d_ros.liquid.rows import choose
from liquid_mono3d_ros.records import Health, Kind, Points3D, State

_EXTRAPOLATED, _BEARING_ONLY = int(Health.EXTRAPOLATED), int(Health.BEARING_ONLY)
_REINITIALISED = int(Health.REINITIALISED)
_BEARING, _DELETED = int(Kind.BEARING), int(State.DELETED)


@dataclass(frozen=True)
class Tracks:
    """N tracks at one instant.

    Attributes:
        belief: Of the models.
        lives: Of the tracks.
        x: Mean of the belief before the points of this instant, (N, 9).
        P: Covariance of the belief before the points of this instant, (N, 9, 9).
        begun: Which tracks began or began anew with these points, (N,) bool.
    """

    belief: Belief
    lives: Lives
    x: Array
    P: Array
    begun: Array


def assimilate(design: Design, tracks: Tracks, points: Points3D) -> tuple[Tracks, Counter[str]]:
    """Enter points into tracks already predicted to their stamp.

    Returns:
        The tracks, newborn ones last, and reason → number of points that were not used.
    """
    usable, refused = sift(points)
    roles = _roles(
        points, usable, tracks.lives, is_overdue(tracks.lives, design.rules, points.stamp)
    )
    for reason in ("track_dropped", "bearing_without_track"):
        refused[reason] += len(roles[reason])
    if roles["hit"]:
        chosen, rows = np.array(roles["hit"]).T
        measurement = measure_position(points, chosen)
        by_ray = tracks.lives.num_cameras[rows] < 2  # one camera lets the depth drift
        tracks = _correct(design, tracks, rows, _witness(points, chosen), measurement)
        rejected = tracks.lives.rejected[rows]
        lost = (rejected >= design.rules.rejections) | (by_ray & (rejected > 0))
        roles["restart"] += zip(chosen[lost], rows[lost], strict=True)
    if roles["ray"]:
        chosen, rows = np.array(roles["ray"]).T
        front = is_in_front(points, tracks.x[rows, :3], chosen)
        refused["behind_camera"] += int((~front).sum())
        chosen, rows = chosen[front], rows[front]
        measurement = measure_across_ray(points, tracks.x[rows, :3], chosen)
        tracks = _correct(design, tracks, rows, _witness(points, chosen), measurement)
    if roles["restart"]:
        tracks = _restart(design, tracks, points, *np.array(roles["restart"]).T)
    if roles["birth"]:
        tracks = _bear(design, tracks, points, np.array(roles["birth"])[:, 0])
    return tracks, +refused


def _roles(
    points: Points3D, usable: Array, lives: Lives, overdue: Array
) -> dict[str, list[tuple[int, int]]]:
    """Sort the usable points by what they do: role → (number of the point, row of its track)."""
    row_of = {track_id: row for row, track_id in enumerate(lives.track_id.tolist())}
    dropped, ended = (lives.state == _DELETED).tolist(), overdue.tolist()
    roles: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for i in np.flatnonzero(usable).tolist():
        row = row_of.get(int(points.track_id[i]), -1)
        if row >= 0 and dropped[row]:
            role = "track_dropped"
        elif points.kind[i] == _BEARING:
            role = "bearing_without_track" if row < 0 or ended[row] else "ray"
        elif row < 0:
            role = "birth"
        else:
            role = "restart" if ended[row] else "hit"
        roles[role].append((i, row))
    return roles


def _correct(
    design: Design, tracks: Tracks, rows: Array, witness: Witness, measurement: Measurement
) -> Tracks:
    """Correct the tracks of ``rows``; what lies outside the gate weighs the less the farther."""
    chosen = choose(rows, len(tracks.lives))
    whole = tracks.x[chosen], tracks.P[chosen]
    corrected, d2 = enter_measurement(design, tracks.belief.take(chosen), measurement, whole)
    lives = enter(tracks.lives, chosen, witness, d2 > 1.0)
    return replace(tracks, belief=tracks.belief.put(chosen, corrected), lives=lives)


def _restart(
    design: Design, tracks: Tracks, points: Points3D, chosen: Array, rows: Array
) -> Tracks:
    """Begin the tracks of ``rows`` anew where the chosen points are."""
    witness = _witness(points, chosen)
    witness = replace(witness, health=witness.health | _REINITIALISED)
    begun = tracks.begun.copy()
    begun[rows] = True
    return replace(
        tracks,
        belief=tracks.belief.put(rows, _begin(design, points, chosen)),
        lives=enter(tracks.lives, rows, witness, np.zeros(len(rows), dtype=bool)),
        begun=begun,
    )


def _bear(design: Design, tracks: Tracks, points: Points3D, chosen: Array) -> Tracks:
    """Add a track for each chosen point."""
    newborn = new_lives(points.track_id[chosen], _witness(points, chosen))
    return replace(
        tracks,
        belief=tracks.belief.join(_begin(design, points, chosen)),
        lives=tracks.lives.join(newborn),
        begun=np.concatenate((tracks.begun, np.ones(len(chosen), dtype=bool))),
    )


def _begin(design: Design, points: Points3D, chosen: Array) -> Belief:
    measurement = measure_position(points, chosen)
    root = measurement.root if measurement.B.size else None
    speed, units = design.speed_sigma, design.units
    return birth(design.bank, measurement.z, measurement.R, speed, root, units=units)


def _witness(points: Points3D, chosen: Array) -> Witness:
    """Say what stands behind the chosen points."""
    health, cameras = [], []
    for i in chosen.tolist():
        sightings = points.sightings[i]
        bearing = _BEARING_ONLY if points.kind[i] == _BEARING else 0
        health.append(bearing | (0 if all(s.measured for s in sightings) else _EXTRAPOLATED))
        cameras.append(len({s.camera for s in sightings}))
    return Witness(points.stamp, np.array(health, np.int64), np.array(cameras, np.int64))
