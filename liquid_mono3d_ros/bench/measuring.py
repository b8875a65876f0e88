"""A track measured by the plainest arithmetic, to check what the facts say of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.records import Trajectory

STEP = 0.3
"""Turns are changes of direction between horizontal steps this long, m."""


def path_length(states: Sequence[Trajectory]) -> float:
    """Return the length of a path without its noise, m: of its corners, as told by three sigma.

    Args:
        states: Two or more, oldest first.
    """
    worst = [np.linalg.eigvalsh(state.covariance[:3, :3])[-1] for state in states]
    corners = simplify(np.array([state.xyz for state in states]), 3 * math.sqrt(np.median(worst)))
    return float(np.linalg.norm(np.diff(corners, axis=0), axis=1).sum())


def simplify(xyz: Array, tolerance: float) -> Array:
    """Return those of the points (N, 3) from whose polyline none is farther than ``tolerance``.

    Source: Ramer, An iterative procedure for the polygonal approximation of plane curves, 1972;
    Douglas & Peucker, 1973.
    """
    way, offset = xyz[-1] - xyz[0], xyz - xyz[0]
    along = np.clip(offset @ way / max(float(way @ way), 1e-12), 0, 1)  # (N,)
    deviation = np.linalg.norm(offset - along[:, None] * way, axis=1)
    k = int(deviation.argmax())
    if deviation[k] <= tolerance:
        return xyz[[0, -1]]
    return np.vstack([simplify(xyz[: k + 1], tolerance)[:-1], simplify(xyz[k:], tolerance)])


def top_speed(states: Sequence[Trajectory]) -> float:
    """Return the filter's speed where it is largest for sure: less three sigma.

    Noise across the motion lengthens the velocity; its variance is taken off the square.
    """
    velocity = np.array([s.velocity for s in states])  # (N, 3)
    covariance = np.array([s.covariance[3:, 3:] for s in states])  # (N, 3, 3)
    length = np.linalg.norm(velocity, axis=1)
    way = velocity / np.maximum(length, 1e-9)[:, None]
    along = np.einsum("ni,nij,nj->n", way, covariance, way)
    across = np.trace(covariance, axis1=1, axis2=2) - along
    speed = np.sqrt(np.maximum(length**2 - across, 0))
    return float(speed[np.argmax(speed - 3 * np.sqrt(along))])


def _horizontal_steps(xyz: Array) -> Array:
    """Return the directions of successive horizontal steps of ``STEP`` m, (K,) rad."""
    headings, waypoint = [], xyz[0, :2]
    for position in xyz[:, :2]:
        step = position - waypoint
        if math.hypot(*step) >= STEP:
            headings.append(math.atan2(step[1], step[0]))
            waypoint = position
    return np.array(headings)


def count_turns(xyz: Array) -> int:
    """Count the bends by more than 45° between a horizontal step and the next but one."""
    headings = _horizontal_steps(xyz)
    bends = np.array([math.remainder(b, math.tau) for b in headings[2:] - headings[:-2]])
    sense = np.where(np.abs(bends) > math.pi / 4, np.sign(bends), 0)
    return int(np.count_nonzero((sense != 0) & (np.diff(sense, prepend=0) != 0)))


def count_stops(t: Array, xyz: Array, rest: float = 0.5, radius: float = 0.05) -> int:
    """Count how often it comes to stay within ``radius`` m for ``rest`` s after it moved."""
    moving, stops = False, 0
    for k in np.flatnonzero(t >= rest):
        window = xyz[(t > t[k] - rest - 1e-9) & (t <= t[k])]
        extent = np.linalg.norm(window - xyz[k], axis=1).max()
        stops += moving and extent < radius
        moving = extent > 2 * radius or (moving and extent >= radius)
    return stops


def count_bounces(t: Array, z: Array, over: float = 0.2, speed: float = 0.5) -> int:
    """Count the falls that turn into a rise within 0.4 s, each measured over 0.2 s."""
    fell, bounces = -math.inf, 0
    for k in np.flatnonzero(t >= over):
        before = int(np.searchsorted(t, t[k] - over + 1e-9, side="right")) - 1
        rate = (z[k] - z[before]) / (t[k] - t[before])
        if rate < -speed:
            fell = t[k]
        elif rate > speed and t[k] - fell <= 0.4:
            bounces, fell = bounces + 1, -math.inf
    return bounces


def name_direction(way: Array) -> str:
    """Name the axes that have more than tan 22.5° of the largest: eight winds, and up or down."""
    words = (("forward", "backward"), ("left", "right"), ("up", "down"))
    large = np.abs(way) >= math.tan(math.pi / 8) * np.abs(way).max()
    named = [
        pair[int(x < 0)] if use else "" for pair, x, use in zip(words, way, large, strict=True)
    ]
    level = " and ".join(filter(None, named[:2]))
    return ", ".join(filter(None, (level, named[2])))


def name_motion(xyz: Array) -> str:
    """Name a path that is clearly one of three shapes."""
    centred = xyz - xyz.mean(axis=0)
    extents, axes = np.linalg.svd(centred, full_matrices=False)[1:]
    if extents[1] <= 0.05 * extents[0]:
        return "line"
    if np.linalg.norm(np.ptp(xyz, axis=0)) <= 0.6:
        return "hover"
    plane = centred @ axes[:2].T  # (N, 2)
    design = np.column_stack([2 * plane, np.ones(len(plane))])
    centre = np.linalg.lstsq(design, (plane**2).sum(axis=1), rcond=None)[0][:2]
    spokes = plane - centre
    radius = np.linalg.norm(spokes, axis=1)
    turned = np.ptp(np.unwrap(np.arctan2(spokes[:, 1], spokes[:, 0])))
    return "circle" if turned > 4 and radius.std() <= 0.1 * radius.mean() else ""
