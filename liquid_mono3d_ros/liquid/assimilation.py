"""What the points of one instant change: corrections, restarts and births, for all tracks."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.liquid.bank import birth
from liquid_mono3d_ros.liquid.belief import Belief
from liquid_mono3d_ros.liquid.design import Design
from liquid_mono3d_ros.liquid.guidance import collapse_all, enter_measurement, step
from liquid_mono3d_ros.liquid.lifecycle import Lives, Witness, enter, is_overdue, new_lives
from liquid_mono3d_ros.liquid.measurement import (
    Measurement,
    is_in_front,
    measure_across_ray,
    measure_position,
    sift,
)
from liquid_mono3d_ros.liquid.native_bank import Told
from liquid_mono3d_ros.liquid.rows import ALL, Chosen, choose
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
        begun: Which tracks began or began anew with these points, (N,) bool.
        told: By the step that took them here, or since.
    """

    belief: Belief
    lives: Lives
    begun: Array
    told: Told


def assimilate(
    design: Design,
    belief: Belief,
    lives: Lives,
    points: Points3D,
    dt: float | None,
    *,
    linked: bool = False,
) -> tuple[Tracks, Told, Counter[str]]:
    """Take tracks ahead in time, and enter the points of that instant.

    Args:
        design: Of the filter.
        belief: Of the tracks, before.
        lives: Of the tracks, already one update older.
        points: Of one instant.
        dt: s since the belief; None for none.
        linked: Whether to tell what links the state with the state before.

    Returns:
        The tracks, newborn ones last; what the step told of the older ones; and reason → number
        of points that were not used.
    """
    usable, refused = sift(points)
    roles = _roles(points, usable, lives, is_overdue(lives, design.rules, points.stamp))
    for reason in ("track_dropped", "bearing_without_track"):
        refused[reason] += len(roles[reason])
    measurement: Measurement | None = None
    rows: Chosen = ALL
    if roles["hit"]:
        chosen, hit = np.array(roles["hit"]).T
        rows, measurement = choose(hit, len(lives)), measure_position(points, chosen)
    told = step(design, belief, dt, measurement, rows, linked=linked)
    tracks = Tracks(told.belief, lives, np.zeros(len(lives), dtype=bool), told)
    if roles["hit"]:
        gated = told.strain[rows] > 1.0
        by_ray = lives.num_cameras[rows] < 2  # one camera lets the depth drift
        entered = enter(lives, rows, _witness(points, chosen), gated, told.strain[rows])
        tracks = replace(tracks, lives=entered)
        rejected = entered.rejected[rows]
        lost = (rejected >= design.rules.rejections) | (by_ray & (rejected > 0))
        roles["restart"] += zip(chosen[lost], hit[lost], strict=True)
    if roles["ray"]:
        chosen, hit = np.array(roles["ray"]).T
        tracks, behind = _follow_rays(design, tracks, points, chosen, hit)
        refused["behind_camera"] += behind
    if roles["restart"]:
        tracks = _restart(design, tracks, points, *np.array(roles["restart"]).T)
    if roles["birth"]:
        tracks = _bear(design, tracks, points, np.array(roles["birth"])[:, 0])
    if tracks.belief is not told.belief:
        tracks = replace(tracks, told=step(design, tracks.belief, None))
    return tracks, told, +refused


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


def _follow_rays(
    design: Design, tracks: Tracks, points: Points3D, chosen: Array, rows: Array
) -> tuple[Tracks, int]:
    """Correct the tracks of ``rows`` with bearings; return how many lay behind their camera."""
    before = tracks.belief.take(rows)
    xyz = collapse_all(design, before)[0][:, :3]
    front = is_in_front(points, xyz, chosen)
    chosen, rows = chosen[front], rows[front]
    measurement = measure_across_ray(points, xyz[front], chosen)
    corrected, strain = enter_measurement(design, before.take(front), measurement)
    lives = enter(tracks.lives, rows, _witness(points, chosen), strain > 1.0, strain)
    belief = tracks.belief.put(rows, corrected)
    return replace(tracks, belief=belief, lives=lives), int((~front).sum())


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
    units = tracks.lives.hidden.shape[1]
    newborn = new_lives(points.track_id[chosen], _witness(points, chosen), units)
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
