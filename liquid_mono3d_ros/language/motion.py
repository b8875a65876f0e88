"""The shape of a motion, named only when it is clear."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.language.estimate import Estimate, total_variance
from liquid_mono3d_ros.records import Label
from liquid_mono3d_ros.settings import Settings, setting


@dataclass(frozen=True)
class MotionSettings(Settings):
    """When a shape is clear."""

    confidence: float = setting(
        0.95,
        "share of right words on synthetic paths of every family, at least",
        bounds=(0.5, 1.0),
    )
    straightness: float = setting(
        0.03, "largest deviation from a line, over its length", bounds=(0.001, 0.5)
    )
    roundness: float = setting(
        0.08,
        "largest deviation from a circle, root mean square over its radius",
        bounds=(0.001, 0.5),
    )
    min_waypoints: int = setting(8, "fewer do not show a shape", bounds=(4, 1000))
    circle_arc: float = setting(
        4.2, "a shorter arc is not told from other curves", unit="rad", bounds=(1.0, 20.0)
    )


def label_motion(waypoints: Sequence[Estimate], settings: MotionSettings) -> Label:
    """Name the shape of a path, from its waypoints: line, circle, or unknown.

    A shape fits when the waypoints deviate from it by a small part of its size, and their noise is
    as small: what noise could hide is not claimed.
    """
    if len(waypoints) < settings.min_waypoints:
        return Label()
    xyz = np.array([estimate.xyz for estimate in waypoints])  # (N, 3)
    noise = math.sqrt(sum(total_variance(point.covariance) for point in waypoints) / len(xyz))
    if _fits(*_deviation_from_line(xyz), noise, settings.straightness):
        return Label("line", settings.confidence)
    deviation, radius, arc = _deviation_from_circle(xyz)
    if arc >= settings.circle_arc and _fits(deviation, radius, noise, settings.roundness):
        return Label("circle", settings.confidence)
    return Label()


def _fits(deviation: float, size: float, noise: float, part: float) -> bool:
    return max(deviation, noise) <= part * size


def _deviation_from_line(xyz: Array) -> tuple[float, float]:
    """Return the largest deviation from the line through the ends and its length, m.

    The deviation is infinite when the path goes back on itself.
    """
    way = xyz[-1] - xyz[0]
    length = math.sqrt(float(way @ way))
    if length == 0:
        return math.inf, 0.0
    offset = xyz - xyz[0]
    along = offset @ way / length  # (N,)
    if (np.diff(along) <= 0).any():
        return math.inf, length
    across = (offset**2).sum(axis=1) - along**2  # (N,), squared
    return math.sqrt(max(float(across.max()), 0.0)), length


def _deviation_from_circle(xyz: Array) -> tuple[float, float, float]:
    """Return deviation from the best circle and radius, m, and arc covered in one sense, rad.

    Source: Kåsa, "A circle fitting procedure and its error analysis", IEEE TIM 25, 1976, in the
    plane of the two largest principal axes.
    """
    centred = xyz - xyz.mean(axis=0)
    spread, axes = np.linalg.eigh(centred.T @ centred)  # ascending; axes are columns
    if spread[1] <= 1e-9 * spread[2]:
        return math.inf, 0.0, 0.0
    local = centred @ axes  # (N, 3): height, then the plane
    plane = local[:, 1:]
    squares = (plane**2).sum(axis=1)
    centre = plane.T @ squares / (2 * spread[1:])  # the axes are principal: two equations apart
    spokes = plane - centre
    lengths = np.sqrt((spokes**2).sum(axis=1))
    radius = math.sqrt(float(squares.mean() + centre @ centre))
    deviation = math.sqrt(float(((lengths - radius) ** 2 + local[:, 0] ** 2).mean()))
    angles = np.arctan2(spokes[:, 1], spokes[:, 0])
    turned = (np.diff(angles) + math.pi) % (2 * math.pi) - math.pi  # (N-1,)
    same_sense = (turned > 0).all() or (turned < 0).all()
    return deviation, radius, abs(float(turned.sum())) if same_sense else 0.0
