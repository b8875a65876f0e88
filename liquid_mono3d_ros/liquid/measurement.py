"""Points3D → linear measurements: which points can be used, what each says of a position."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.liquid.motion import I3
from liquid_mono3d_ros.liquid.rows import Chosen, Rows
from liquid_mono3d_ros.records import Kind, Points3D

SMALLEST_SIGMA = 1e-5
"""No camera measures better than this, m. Added to every noise, it keeps matrices invertible."""

LARGEST = 1e8
"""Largest position and standard deviation taken for real, m; float64 is good to 10 nm there."""


# numpy takes plain numbers faster than enumerations.
_POINT, _BEARING = int(Kind.POINT), int(Kind.BEARING)


@dataclass(frozen=True)
class Measurement(Rows):
    """N linear measurements of D numbers, z = H xyz + slow error + noise.

    Attributes:
        z: (N, D) m.
        H: (N, D, 3).
        R: Covariance of the white noise, (N, D, D) m².
        B: Covariance of the slow error, (N, 3, 3) m², for D = 3; (N, 0, 0) when no measurement
            has one.
    """

    z: Array
    H: Array
    R: Array
    B: Array = field(default_factory=lambda: np.zeros((0, 0, 0)))

    def __post_init__(self) -> None:
        if len(self.B) != len(self.z):
            object.__setattr__(self, "B", np.zeros((len(self.z), 0, 0)))

    @property
    def is_position(self) -> bool:
        """Whether the whole position is measured."""
        return bool(self.z.shape[1] == 3)

    def among(self, rows: Chosen, n: int) -> Measurement:
        """Return measurements of N tracks: these of the chosen ones, nothing of the others."""
        d = self.z.shape[1]
        spread = Measurement(
            np.zeros((n, d)), np.zeros((n, d, 3)), np.zeros((n, d, d)) + np.eye(d),
            np.zeros((n, *self.B.shape[1:])),
        ).put(rows, self)  # fmt: skip
        if self.B.size:
            root = np.zeros((n, 3, 3))
            root[rows] = self.root
            spread.__dict__["root"] = root
        return spread

    @cached_property
    def root(self) -> Array:
        """Symmetric root of ``B``: turns with the world, and is the same for the same ``B``."""
        variance, axes = np.linalg.eigh(self.B)
        sigma = np.sqrt(np.maximum(variance, 0.0))
        root: Array = (axes * sigma[:, None]) @ axes.swapaxes(-1, -2)
        return root


def sift(points: Points3D) -> tuple[Array, Counter[str]]:
    """Say which points can be used, and count the others by what is wrong with them.

    Returns:
        Mask (N,), and reason → number of points.
    """
    usable = np.ones(len(points), dtype=bool)
    refused: Counter[str] = Counter()
    if _are_ordinary(points):
        return usable, refused
    for reason, wrong in _faults(points).items():
        refused[reason] += int(np.count_nonzero(wrong & usable))
        usable &= ~wrong
    return usable, +refused


def measure_position(points: Points3D, rows: Array) -> Measurement:
    """Take the chosen points as measurements of the whole position, D = 3.

    The systematic covariance, where it is known, is that of the slow error.
    """
    R, B = points.covariance[rows], points.systematic_covariance[rows]
    R = (R + R.swapaxes(-1, -2)) / 2 + SMALLEST_SIGMA**2 * I3
    B = np.where(np.isnan(B).any(axis=(1, 2), keepdims=True), 0.0, B)
    B = (B + B.swapaxes(-1, -2)) / 2 if B.any() else B[:, :0, :0]
    return Measurement(points.xyz[rows], np.zeros_like(R) + I3, R, B)


def measure_across_ray(points: Points3D, xyz: Array, rows: Array) -> Measurement:
    """Take the chosen bearings as measurements of the position across the ray, D = 2.

    An angle becomes metres at the predicted range. The record does not say how the two angles of
    ``ray_covariance`` lie in space, so the larger variance stands for both.

    Args:
        points: Bearings.
        xyz: Predicted positions of the chosen ones, in front of the camera, m.
        rows: Numbers of the chosen ones.
    """
    origin, direction = points.ray_origin[rows], points.ray_direction[rows]
    direction = direction / np.linalg.norm(direction, axis=-1, keepdims=True)
    across = _across(direction)  # (N, 2, 3)
    range_squared = ((xyz - origin) * direction).sum(axis=-1) ** 2
    variance = np.linalg.eigvalsh(points.ray_covariance[rows])[:, -1] * range_squared
    R = (variance + SMALLEST_SIGMA**2)[:, None, None] * np.eye(2)
    return Measurement((across @ origin[..., None])[..., 0], across, R)


def is_in_front(points: Points3D, xyz: Array, rows: Array) -> Array:
    """Say which positions lie in front of the camera of their bearing, (N,) bool."""
    ahead: Array = ((xyz - points.ray_origin[rows]) * points.ray_direction[rows]).sum(axis=-1)
    return ahead > 0


def chi2_gate(probability: float, degrees: int) -> float:
    """Return the squared distance inside which a right measurement falls with ``probability``.

    Args:
        probability: Between 0 and 1.
        degrees: 2 or 3.
    """
    if degrees == 2:
        return -2.0 * math.log1p(-probability)
    low, high = 0.0, 1e3
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        tail = math.sqrt(2 * middle / math.pi) * math.exp(-middle / 2)
        beyond = math.erfc(math.sqrt(middle / 2)) + tail
        low, high = (middle, high) if beyond > 1 - probability else (low, middle)
    return high


def _are_ordinary(points: Points3D) -> bool:
    """Say at little cost whether all are positions without a fault; NaN compares as a fault."""
    if not len(points) or not (points.kind == _POINT).all():
        return False
    white, systematic = points.covariance, points.systematic_covariance
    P = white if np.isnan(systematic).all() else np.concatenate((white, systematic))
    if not (np.abs(points.xyz).max() <= LARGEST and np.abs(P).max() <= LARGEST**2):
        return False
    distinct = len(set(points.track_id.tolist())) == len(points)
    return distinct and bool(_are_covariances(P).all())


def _faults(points: Points3D) -> dict[str, Array]:
    """Return reason → mask of the points that have the fault."""
    n = len(points)
    bearing = points.kind == _BEARING
    place = np.where(bearing[:, None], points.ray_origin, points.xyz)
    # Both covariances, or that of the ray; NaN in the systematic one means unknown.
    P = np.stack((points.covariance, points.systematic_covariance), axis=1)  # (N, 2, 3, 3)
    P[:, 1][np.isnan(P[:, 1]).any(axis=(1, 2))] = 0.0
    P[bearing] = 0.0
    P[bearing, 0, :2, :2] = points.ray_covariance[bearing]
    direction = np.where(bearing[:, None], points.ray_direction, I3[0])
    numbers = np.concatenate((place, direction, P.reshape(n, 18)), axis=1)
    finite = np.isfinite(numbers).all(axis=1)
    sound = finite & (np.abs(numbers) <= LARGEST**2).all(axis=1)
    P = np.where(sound[:, None, None, None], P, 0.0)
    direction = np.where(sound[:, None], direction, I3[0])
    return {
        "duplicate_id": _repeated(points.track_id),
        "unknown_kind": ~bearing & (points.kind != _POINT),
        "not_finite": ~finite,
        "out_of_range": ~sound | (np.abs(place) > LARGEST).any(axis=1),
        "covariance_not_positive": ~_are_covariances(P).all(axis=1),
        "ray_not_unit": np.abs((direction**2).sum(axis=1) - 1.0) > 1e-3,
    }


def _are_covariances(P: Array) -> Array:
    """Say which matrices (..., D, D) are symmetric and positive semi-definite."""
    scale = np.abs(P).max(axis=(-1, -2))
    symmetric = np.abs(P - P.swapaxes(-1, -2)).max(axis=(-1, -2)) <= 1e-6 * scale
    covariances: Array = symmetric & (np.linalg.eigvalsh(P)[..., 0] >= -1e-9 * scale)
    return covariances


def _repeated(track_id: Array) -> Array:
    """Say which ids occurred before in the array, (N,) bool."""
    repeated = np.ones(len(track_id), dtype=bool)
    repeated[np.unique(track_id, return_index=True)[1]] = False
    return repeated


def _across(direction: Array) -> Array:
    """Return two unit vectors across each unit vector, (N, 2, 3).

    The rows of the reflection that takes the vector to its nearest axis, less that axis.
    """
    n = len(direction)
    axis = np.abs(direction).argmax(axis=-1)
    reflected = direction.copy()
    reflected[np.arange(n), axis] += np.sign(direction[np.arange(n), axis])
    scale = 2.0 / (reflected**2).sum(axis=-1)[:, None, None]
    householder = I3 - scale * reflected[:, :, None] * reflected[:, None, :]  # (N, 3, 3)
    others = (axis[:, None] + np.array([1, 2])) % 3
    return np.take_along_axis(householder, others[:, :, None], axis=1)
