"""Random rigs of two to four cameras, one for each of many motions.

A rig is kept when every camera sees the whole way and the geometry is one that triangulation is
made for: the standard deviation of a point is ``FINEST`` to ``COARSEST`` and at most ``NOISY``
of its distance, and what a wrong calibration does to it at most ``BENT`` of the distance; for any
two of the cameras alone, at most twice as much. Large calibration errors thus come with wide
baselines: a narrow pair so badly calibrated has no depth.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.geometry.small_matrices import inverse
from liquid_mono3d_ros.geometry.triangulation import turning

MOST = 4
"""Cameras of a rig, at most."""
BASELINE = (0.1, 3.0)
"""From the first camera, m."""
DISTANCE = (2.0, 15.0)
"""Of the first camera from the middle of the way, m."""
FOCAL = (400.0, 1200.0)
"""Focal lengths, px."""
WIDTH = (640, 1280)
"""Of the images, px; their height is 0.75 or 0.5625 of it."""
FINEST, COARSEST = 0.003, 0.3
"""Standard deviation of a point, root of the summed variances, m."""
NOISY, BENT = 0.07, 0.08
"""Largest standard deviation by pixel noise, and by calibration errors, over the distance."""
TRIES = 160
"""Rigs drawn at a time, at least four for each motion."""
JUDGED = 4
"""Every so many points of the way are judged."""
ROUNDS = 200
"""How often rigs are drawn before giving up."""


@dataclass(frozen=True)
class Rigs:
    """N rigs of up to C pinhole cameras; no distortion.

    Attributes:
        R_cw: (N, C, 3, 3).
        centre: (N, C, 3) m.
        focal: (N, C) px.
        size: Width and height, (N, C, 2) px.
        present: Which cameras there are, the first always, (N, C) bool.
    """

    R_cw: Array
    centre: Array
    focal: Array
    size: Array
    present: Array

    @property
    def P(self) -> Array:
        """World metres to normalised coordinates, (N, C, 3, 4)."""
        t_cw = -self.R_cw @ self.centre[..., None]
        return np.concatenate([self.R_cw, t_cw], axis=3)

    @property
    def principal(self) -> Array:
        """Principal point, the middle of the image, (N, C, 2) px."""
        return (self.size - 1) / 2

    def rows(self, rows: Array) -> Rigs:
        """Return some of the rigs, by index."""
        return Rigs(**{name: values[rows] for name, values in vars(self).items()})

    def turned(self, rotvec: Array) -> Rigs:
        """Return the rigs with each camera turned about its centre, (N, C, 3) rad."""
        return Rigs(rotation(rotvec) @ self.R_cw, self.centre, self.focal, self.size, self.present)

    def project(self, xyz: Array) -> tuple[Array, Array]:
        """Return normalised coordinates (N, C, S, 2) and depths (N, C, S) of points.

        Points are (N, C, S, 3) m. What lies behind a camera has no coordinates: NaN.
        """
        xyz_camera = (xyz - self.centre[:, :, None]) @ self.R_cw.transpose(0, 1, 3, 2)
        depth = xyz_camera[..., 2]
        ahead = np.where(depth > 0.1, depth, np.nan)
        return xyz_camera[..., :2] / ahead[..., None], depth

    def inside(self, uv: Array, margin: float = 0.0) -> Array:
        """Return which normalised coordinates (N, C, S, 2) lie in the image, (N, C, S)."""
        away = np.abs(uv) * self.focal[..., None, None]
        half = self.size[:, :, None] / 2 - margin
        return np.asarray((away < half).all(axis=3))  # NaN is not


def rotation(rotvec: Array) -> Array:
    """Return the rotation matrices (..., 3, 3) of rotation vectors (..., 3), rad; Rodrigues."""
    angle = np.linalg.norm(rotvec, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(rotvec, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1)
    cross = cross.reshape(*x.shape, 3, 3)
    half = np.sinc(angle / 2 / np.pi)
    return np.asarray(
        np.eye(3) + np.sinc(angle / np.pi) * cross + half * half / 2 * (cross @ cross)
    )


def draw_rigs(
    way: Array, radius: Array, sigma_px: Array, calibration: Array, rng: np.random.Generator
) -> Rigs:
    """Draw a rig for each motion, which goes about the origin.

    Args:
        way: Points of each motion, (N, S, 3) m.
        radius: Of the ball that holds it, (N,) m.
        sigma_px: Pixel noise, (N,) px.
        calibration: Turn of each camera, one sigma per axis, (N,) rad.
        rng: Source of everything drawn.

    Raises:
        ValueError: If no good rig is found for a motion.
    """
    n = len(way)
    kept: dict[str, Array] = {}
    open_rows = np.arange(n)
    for _ in range(ROUNDS):
        tries = max(4, TRIES // len(open_rows))
        rows = np.repeat(open_rows, tries)
        tried = _propose(radius[rows], sigma_px[rows], calibration[rows], rng)
        good = _judge(tried, way[rows], sigma_px[rows], calibration[rows])
        good = good.reshape(-1, tries)
        found = good.any(axis=1)
        first = (np.arange(len(open_rows)) * tries + good.argmax(axis=1))[found]
        for name, values in vars(tried).items():
            into = kept.setdefault(name, np.zeros((n, *values.shape[1:]), values.dtype))
            into[open_rows[found]] = values[first]
        open_rows = open_rows[~found]
        if not len(open_rows):
            return Rigs(**kept)
    got = f"{np.rad2deg(calibration[open_rows]).max():.2g} degrees, {sigma_px.max():.2g} px"
    cure = "Lower calibration_deg, or take another sigma_px."
    raise ValueError(complain("conditions", "such that a rig can locate the way", got, cure))


def _propose(radius: Array, sigma_px: Array, calibration: Array, rng: np.random.Generator) -> Rigs:
    """Draw rigs; what stands no chance is left out: too near, too narrow, with too long a lens."""
    n, radius = len(radius), np.maximum(radius, 0.05)
    width = np.rint(rng.uniform(*WIDTH, n))
    height = np.rint(width * rng.choice([0.75, 0.5625], n))
    nearest = 0.9 * radius * np.hypot(1.0, 2 * FOCAL[0] / height)
    distance = _between(np.clip(nearest, DISTANCE[0], 0.95 * DISTANCE[1]), DISTANCE[1], rng)
    longest = np.clip(0.7 * height * distance / radius, 1.05 * FOCAL[0], FOCAL[1])
    focal = _between(np.full(n, FOCAL[0]), longest, rng)[:, None] * rng.uniform(
        0.9, 1.1, (n, MOST)
    )
    centre = _places(distance, sigma_px / focal[:, 0], calibration, rng)
    target = rng.normal(0.0, 0.04, (n, MOST, 3)) * distance[:, None, None]
    return Rigs(
        R_cw=_facing(centre, target, rng.normal(0.0, 0.05, (n, MOST))),
        centre=centre,
        focal=np.clip(focal, *FOCAL),
        size=np.stack([width, height], axis=1)[:, None] + np.zeros((n, MOST, 1)),
        present=np.arange(MOST) < rng.integers(2, MOST + 1, (n, 1)),
    )


def _places(distance: Array, noise: Array, calibration: Array, rng: np.random.Generator) -> Array:
    """Return where the cameras stand, (N, C, 3) m: the first so far away, the others beside it."""
    n, up = len(distance), np.array([0.0, 0.0, 1.0])
    azimuth, elevation = rng.uniform(0, 2 * np.pi, n), rng.uniform(-0.17, 0.79, n)
    level = np.stack([np.cos(azimuth), np.sin(azimuth), np.zeros(n)], axis=1)
    towards = np.cos(elevation)[:, None] * level + np.sin(elevation)[:, None] * up
    aside = rng.choice([-1.0, 1.0], (n, MOST, 1)) * np.cross(up, level)[:, None]
    lift, depth = rng.normal(0.0, 0.5, (n, MOST, 1)), rng.normal(0.0, 0.3, (n, MOST, 1))
    way = aside + lift * up + depth * towards[:, None]
    way = way / np.linalg.norm(way, axis=2, keepdims=True)
    worst = np.minimum(COARSEST / distance, NOISY)
    least = distance * np.maximum(calibration / BENT, noise / worst)
    least = np.clip(least, BASELINE[0], 0.7 * BASELINE[1])[:, None, None]
    baseline = _between(least + np.zeros((n, MOST, 1)), BASELINE[1], rng)
    baseline[:, 0] = 0.0
    return np.asarray(distance[:, None, None] * towards[:, None] + baseline * way)


def _between(low: Array, high: Array | float, rng: np.random.Generator) -> Array:
    """Draw numbers whose logarithms are uniform."""
    return np.asarray(low * (high / low) ** rng.random(low.shape))


def _facing(centre: Array, target: Array, roll: Array) -> Array:
    """Return R_cw (N, C, 3, 3) of upright cameras that look at targets, then rolled."""
    forward = target - centre
    forward = forward / np.linalg.norm(forward, axis=2, keepdims=True)
    right = np.cross(forward, np.array([0.0, 0.0, 1.0]))
    right = right / np.linalg.norm(right, axis=2, keepdims=True)
    upright = np.stack([right, np.cross(forward, right), forward], axis=2)
    axis = np.zeros((*roll.shape, 3))
    axis[..., 2] = roll
    return np.asarray(rotation(axis) @ upright)


def _judge(rigs: Rigs, way: Array, sigma_px: Array, calibration: Array) -> Array:
    """Return which rigs are kept, (N,) bool; the dear rules see only what is left."""
    good = _sees_all(rigs, way)
    for rule in (_together, _in_pairs):
        left = np.flatnonzero(good)
        if not len(left):
            break
        good[left] = rule(
            rigs.rows(left), way[left][:, ::JUDGED], sigma_px[left], calibration[left]
        )
    return good


def _sees_all(rigs: Rigs, way: Array) -> Array:
    """Return whether every camera sees the whole way, (N,) bool."""
    uv, _ = rigs.project(np.repeat(way[:, None], MOST, axis=1))
    inside = rigs.inside(uv, margin=10.0) | ~rigs.present[..., None]
    return np.asarray(inside.all(axis=(1, 2)))


def _together(rigs: Rigs, way: Array, sigma_px: Array, calibration: Array) -> Array:
    """Return whether all cameras together locate the way well enough, (N,) bool."""
    information, pushes, far = _equations(rigs, way, sigma_px)
    white, bent = _spread(information, pushes, calibration)
    good = (white > FINEST) & (white < np.minimum(COARSEST, NOISY * far)) & (bent < BENT * far)
    return np.asarray(good.all(axis=1))


def _in_pairs(rigs: Rigs, way: Array, sigma_px: Array, calibration: Array) -> Array:
    """Return whether any two of the cameras still do, at twice the limits, (N,) bool."""
    information, pushes, far = _equations(rigs, way, sigma_px)
    good = np.ones(far.shape, dtype=bool)
    for pair in map(list, combinations(range(MOST), 2)):
        white, bent = _spread(information[:, pair], pushes[:, pair], calibration)
        fair = (white < 2 * np.minimum(COARSEST, NOISY * far)) & (bent < 2 * BENT * far)
        good &= fair | ~np.all(rigs.present[:, pair], axis=1, keepdims=True)
    return np.asarray(good.all(axis=1))


def _equations(rigs: Rigs, way: Array, sigma_px: Array) -> tuple[Array, Array, Array]:
    """Return JᵀΣ⁻¹J and JᵀΣ⁻¹ d pixel / d turn, (N, C, S, 3, 3), and the least depth (N, S) m."""
    uv, depth = rigs.project(np.repeat(way[:, None], MOST, axis=1))
    uv, depth = np.nan_to_num(uv), np.maximum(depth, 0.1)
    weight = (rigs.focal * rigs.present / sigma_px[:, None])[..., None, None, None]
    R = rigs.R_cw[:, :, None]  # (N, C, 1, 3, 3)
    slope = (R[..., :2, :] - uv[..., None] * R[..., 2:, :]) / depth[..., None, None] * weight
    columns = slope.swapaxes(3, 4)
    far = np.where(rigs.present[..., None], depth, np.inf).min(axis=1)
    return columns @ slope, columns @ turning(uv) * weight, far


def _spread(information: Array, pushes: Array, calibration: Array) -> tuple[Array, Array]:
    """Return a point's standard deviations by noise and by turned cameras, (N, S) m.

    Args:
        information: JᵀΣ⁻¹J of each camera, (N, C, S, 3, 3) 1/m².
        pushes: JᵀΣ⁻¹ d pixel / d turn, (N, C, S, 3, 3) 1/m.
        calibration: Turn of each camera, one sigma per axis, (N,) rad.
    """
    columns = np.moveaxis(information.sum(axis=1), (-2, -1), (0, 1)).reshape(3, 3, -1)
    spread = inverse(columns + 1e-9 * np.eye(3)[..., None])
    spread = np.moveaxis(spread, 2, 0).reshape(len(pushes), 1, -1, 3, 3)
    white = np.sqrt(np.trace(spread[:, 0], axis1=2, axis2=3))
    moved = spread @ pushes  # of the point, per rad
    return white, calibration[:, None] * np.sqrt(np.square(moved).sum(axis=(1, 3, 4)))
