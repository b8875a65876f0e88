"""Length of a noisy path, measured with a ruler longer than the noise, and its top speed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.language.estimate import (
    Estimate,
    chord,
    estimate_before,
    ruler,
    split_variance,
)
from liquid_mono3d_ros.records import Quantity, seconds
from liquid_mono3d_ros.settings import Settings, setting


@dataclass(frozen=True)
class PathSettings(Settings):
    """How a path is measured."""

    shortest_step: float = setting(
        0.05, "smaller movements are no path, however precise", unit="m", bounds=(0.001, 10.0)
    )
    step_sigmas: float = setting(
        6.0,
        "a step is this many sigma of its noisiest direction: a resting object makes none",
        bounds=(3.0, 20.0),
    )
    speed_window: float = setting(
        0.3,
        "speeds are averages over this time where that is better",
        unit="s",
        bounds=(0.02, 5.0),
    )


@dataclass(frozen=True)
class Path:
    """The path so far: steps of the ruler from waypoint to waypoint.

    Attributes:
        waypoint: Where the last step ended.
        direction: Of the last step, (3,) unit; zero before the first.
        length: Of all steps, m.
        variance: Of ``length`` by the noise of the waypoints, m².
        bias: What ``length`` may be wrong by in the same sense at every step, m.
        num_steps: How many steps were made.
        newest: The newest estimate.
    """

    waypoint: Estimate
    direction: Array
    newest: Estimate
    length: float = 0.0
    variance: float = 0.0
    bias: float = 0.0
    num_steps: int = 0


def begin_path(estimate: Estimate) -> Path:
    """Start a path of length zero."""
    return Path(estimate, np.zeros(3), estimate)


def extend_path(path: Path, estimate: Estimate, settings: PathSettings) -> Path:
    """Make a step to the estimate if it is a ruler's length away from the last waypoint."""
    path = replace(path, newest=estimate)
    offset, covariance = chord(path.waypoint, estimate)
    length = ruler(covariance, settings.shortest_step, settings.step_sigmas)
    if offset @ offset < length**2:
        return path
    return _step(path, estimate)


def path_length(path: Path) -> Quantity:
    """Return the length of the steps, and of the rest from the last waypoint to the newest.

    Summing distances between noisy estimates gives a length that grows with the frame rate. Here a
    step is made only when the estimate is ``step_sigmas`` away, so that

    - noise across a step, of variance T, lengthens it from d to about ``sqrt(d² + T)``. T is
      known only up to the correlation of the two ends, between 0 and their sum: half of it is
      taken off, and the other half is counted as an error of the same sense at every step.
    - a step of length d that bends by the angle b cuts the corner. A smooth arc loses d b² / 24,
      a sharp reversal up to 2 d, d on average (b = π): d b² / 16 is added, less what noise bends,
      and the same is counted as an error.
    - noise along the steps cancels but for the two ends and the bends: a waypoint between steps of
      directions u and w has weight u − w.

    To and fro within the ruler is not part of the length. The length is unknown before the third
    step: that far an object may wander in place.
    """
    if path.num_steps < 3:
        return Quantity()
    newest = path.newest
    if newest is not path.waypoint:
        path = _step(path, newest)
    ends = float(path.direction @ newest.covariance @ path.direction)
    return Quantity(path.length, math.sqrt(path.variance + ends + path.bias**2))


def _step(path: Path, estimate: Estimate) -> Path:
    offset, covariance = chord(path.waypoint, estimate)
    distance = math.sqrt(float(offset @ offset))
    if distance == 0:
        return path
    direction = offset / distance
    _, across = split_variance(direction, covariance)
    straight = math.sqrt(max(distance**2 - across / 2, 0.0))
    swing = path.direction - direction
    corner = _cut_corner(path.direction, direction, distance, across) if path.num_steps else 0.0
    return replace(
        path,
        waypoint=estimate,
        direction=direction,
        length=path.length + straight + corner,
        variance=path.variance + float(swing @ path.waypoint.covariance @ swing),
        bias=path.bias + (distance - straight) + corner,
        num_steps=path.num_steps + 1,
    )


def top_speed(so_far: Quantity, recent: Sequence[Estimate], settings: PathSettings) -> Quantity:
    """Return the largest speed so far, with the newest estimate taken into account.

    The speed is that of the filter, or the distance over the last ``speed_window`` by its time,
    whichever is more certain; the largest change of the filter's velocity in that time is an
    uncertainty of the latter. The largest of many noisy numbers is too large: they are compared
    less three sigma.
    """
    speed = recent[-1].speed
    past = estimate_before(recent, settings.speed_window)
    if past is not None:
        window = [estimate for estimate in recent if estimate.stamp >= past.stamp]
        mean = _mean_speed(window)
        speed = mean if mean.sigma < speed.sigma else speed
    if so_far.known and speed.value - 3 * speed.sigma <= so_far.value - 3 * so_far.sigma:
        return so_far
    return speed


def _mean_speed(window: Sequence[Estimate]) -> Quantity:
    offset, covariance = chord(window[0], window[-1])
    dt = seconds(window[-1].stamp - window[0].stamp)
    distance = math.sqrt(float(offset @ offset))
    direction = offset / distance if distance else offset
    along, across = split_variance(direction, covariance)
    changes = np.array([estimate.velocity for estimate in window]) - window[-1].velocity  # (n, 3)
    change = float((changes**2).sum(axis=1).max())
    value = math.sqrt(max(distance**2 - across / 2, 0.0)) / dt
    return Quantity(value, math.hypot(math.sqrt(along) / dt, math.sqrt(change / 12)))


def _cut_corner(before: Array, after: Array, distance: float, across: float) -> float:
    """Return what a step that bends leaves out; ``across`` is the variance across it, m²."""
    bend = math.acos(min(1.0, max(-1.0, float(before @ after))))
    return distance * max(bend**2 - 1.5 * across / distance**2, 0.0) / 16
