"""One measured estimate in the facts frame, and the chord between two of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.records import Quantity, seconds


@dataclass(frozen=True)
class Estimate:
    """Where an object was and how fast, in the facts frame.

    Attributes:
        stamp: Of the measurement, ns.
        xyz: (3,) m.
        covariance: Of ``xyz``, (3, 3) m².
        velocity: (3,) m/s.
        velocity_covariance: (3, 3) m²/s².
    """

    stamp: int
    xyz: Array
    covariance: Array
    velocity: Array
    velocity_covariance: Array

    @cached_property
    def speed(self) -> Quantity:
        """Length of the velocity, less what noise across it adds on average, m/s."""
        speed = math.sqrt(float(self.velocity @ self.velocity))
        if speed == 0:
            return Quantity(0.0, math.sqrt(total_variance(self.velocity_covariance)))
        along, across = split_variance(self.velocity / speed, self.velocity_covariance)
        return Quantity(math.sqrt(max(speed**2 - across, 0.0)), math.sqrt(along))


def split_variance(direction: Array, covariance: Array) -> tuple[float, float]:
    """Split a covariance into its variance along a unit vector and the sum of those across."""
    along = float(direction @ covariance @ direction)
    return along, max(total_variance(covariance) - along, 0.0)


def total_variance(covariance: Array) -> float:
    """Return the trace of a covariance, (3, 3)."""
    return float(covariance[0, 0] + covariance[1, 1] + covariance[2, 2])


def chord(start: Estimate, end: Estimate) -> tuple[Array, Array]:
    """Return the way from one estimate to another, (3,) m, and its covariance, (3, 3) m².

    Takes the two errors as independent. A filter's errors at nearby times are not; they cancel in
    the difference, so the covariance is an upper bound.
    """
    return end.xyz - start.xyz, start.covariance + end.covariance


def ruler(covariance: Array, shortest: float, sigmas: float) -> float:
    """Return the length, m, at which a chord of this covariance stands clear of its noise."""
    return max(shortest, sigmas * math.sqrt(max(float(np.linalg.eigvalsh(covariance)[-1]), 0.0)))


def estimate_before(recent: Sequence[Estimate], span: float) -> Estimate | None:
    """Return the newest estimate at least ``span`` seconds old; None if that is 1.5 spans ago."""
    newest = recent[-1].stamp
    for estimate in reversed(recent):
        age = seconds(newest - estimate.stamp)
        if age >= span:
            return estimate if age <= 1.5 * span else None
    return None
