"""Recordings of many objects, and what triangulation makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.geometry.triangulation import (
    Views,
    depth,
    descend,
    systematic_covariance,
    triangulate_dlt,
)
from liquid_mono3d_ros.synth.conditions import Conditions, draw
from liquid_mono3d_ros.synth.exposures import Exposures, Interpolated, expose, interpolate
from liquid_mono3d_ros.synth.flight_table import Flights
from liquid_mono3d_ros.synth.motions import families_named
from liquid_mono3d_ros.synth.paths import GRAVITY
from liquid_mono3d_ros.synth.random_rigs import MOST, Rigs

Measured = tuple[Array, Array, Array, Array]
"""Of one track: seen (T,), z (T, 3), R and B (T, 3, 3)."""

CHUNK = 40
"""Recordings drawn from one seed."""
FARTHEST = 500.0
"""A point beyond is not measured, m, as in ``GeometrySettings.max_range``."""
ASTRAY = (0.3, 3.0)
"""How far a false measurement is from the object, m; at most 0.4 of its depth."""


@dataclass(frozen=True)
class Recordings:
    """What ``CHUNK`` rigs recorded, before anything is measured in it.

    Attributes:
        conditions: Under which they were made.
        family: Index into ``FAMILIES``, (N,).
        exposures: The pixels.
        calibration: As claimed, one sigma per axis, (N,) rad.
        clock: As claimed, one sigma, (N,) s.
        false: Which instants give a false measurement, (N, T) bool.
        astray: Where it is instead, relative to the object, (N, T, 3) m.
        turn: Of the world, applied at the end, (N, 3, 3).
    """

    conditions: Conditions
    family: Array
    exposures: Exposures
    calibration: Array
    clock: Array
    false: Array
    astray: Array
    turn: Array


def record(number: int, conditions: Conditions, seed: int) -> Recordings:
    """Draw the chunk of that number."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))
    families = families_named(conditions.families)
    family = families[(number * CHUNK + np.arange(CHUNK)) % len(families)]
    turn = haar(CHUNK, rng)
    if not conditions.rotate:
        turn = np.eye(3) + 0.0 * turn
    calibration = np.deg2rad(draw(conditions.calibration_deg, CHUNK, rng))
    clock = 1e-3 * draw(conditions.clock_ms, CHUNK, rng)
    exposures = expose(family, conditions, calibration, clock, rng)
    if conditions.claimed_calibration_deg is not None:
        calibration = np.deg2rad(draw(conditions.claimed_calibration_deg, CHUNK, rng))
    if conditions.claimed_clock_ms is not None:
        clock = 1e-3 * draw(conditions.claimed_clock_ms, CHUNK, rng)
    false, astray = _false_points(conditions, exposures, rng)
    return Recordings(conditions, family, exposures, calibration, clock, false, astray, turn)


def measure(recordings: Recordings) -> Flights:
    """Triangulate what the cameras saw, and turn the world."""
    exposures = recordings.exposures
    t = exposures.instants
    xyz, _ = exposures.truth(t)
    images = interpolate(exposures, recordings.conditions)
    wanted = np.count_nonzero(images.seen, axis=1) >= 2  # (N, T)
    shifts = _shifts(exposures.rigs, xyz, recordings, wanted)
    images = replace(images, uv=images.uv + shifts)
    found = [_locate(n, recordings, images, wanted[n]) for n in range(len(t))]
    return with_measurements(recordings, range(len(t)), found)


def with_measurements(
    recordings: Recordings, rows: Sequence[int], found: Sequence[Measured]
) -> Flights:
    """Return the flights of some of the recordings from what was measured in them."""
    seen, z, R, B = (np.stack(column) for column in zip(*found, strict=True))
    t = recordings.exposures.instants
    xyz, velocity = recordings.exposures.truth(t)
    chosen = list(rows)
    return Flights(
        t=t[chosen],
        seen=seen,
        z=z,
        R=R,
        B=B,
        xyz=xyz[chosen],
        velocity=velocity[chosen],
        gravity=np.array([0.0, 0.0, -GRAVITY]) + np.zeros((len(chosen), 3)),
        family=recordings.family[chosen],
        outlier=recordings.false[chosen] & seen,
    ).turned(recordings.turn[chosen])


def haar(n: int, rng: np.random.Generator) -> Array:
    """Return rotations drawn evenly from all there are, (n, 3, 3)."""
    w, x, y, z = (q := rng.normal(size=(4, n))) / np.linalg.norm(q, axis=0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.asarray(np.moveaxis(np.array(rows), 2, 0))


def _false_points(
    conditions: Conditions, exposures: Exposures, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Draw which instants are false, and by how much.

    Half are wrong matches, which err along the ray of the first camera; half are other things,
    anywhere about.
    """
    t = exposures.instants
    false = rng.random(t.shape) < draw(conditions.outliers, len(t), rng)[:, None]
    xyz, _ = exposures.truth(t)
    ray = xyz - exposures.rigs.centre[:, :1]
    far = np.linalg.norm(ray, axis=2)
    along = rng.random(t.shape) < 0.5
    anywhere = rng.normal(size=xyz.shape)
    anywhere = anywhere / np.linalg.norm(anywhere, axis=2, keepdims=True)
    way = np.where(along[..., None], ray / far[..., None], anywhere)
    length = ASTRAY[0] * (ASTRAY[1] / ASTRAY[0]) ** rng.random(t.shape)
    length = np.minimum(length, 0.4 * far) * rng.choice([-1.0, 1.0], t.shape)
    return false, way * length[..., None]


def _shifts(rigs: Rigs, xyz: Array, recordings: Recordings, wanted: Array) -> Array:
    """Return by how much the pixels of false measurements are off, (N, C, T, 2) px."""
    n, k = np.nonzero(recordings.false & wanted)
    shifts = np.zeros((len(xyz), MOST, xyz.shape[1], 2))
    if len(n):
        those = rigs.rows(n)
        pair = np.stack([xyz[n, k], xyz[n, k] + recordings.astray[n, k]], axis=1)  # (M, 2, 3)
        uv, _ = those.project(np.repeat(pair[:, None], MOST, axis=1))
        moved = np.nan_to_num(uv[:, :, 1] - uv[:, :, 0]) * those.focal[..., None]
        shifts[n, :, k] = moved
    return shifts


def _locate(n: int, recordings: Recordings, images: Interpolated, wanted: Array) -> Measured:
    """Triangulate one track."""
    rigs = recordings.exposures.rigs
    seen, z = wanted.copy(), np.zeros((len(wanted), 3))
    R, B = np.zeros((len(wanted), 3, 3)) + np.eye(3), np.zeros((len(wanted), 3, 3))
    if not wanted.any():
        return seen, z, R, B
    cameras = np.flatnonzero(rigs.present[n])
    pick = np.ix_(np.array([n]), cameras, np.flatnonzero(wanted))
    focal = rigs.focal[n, cameras][:, None, None]
    views = Views(
        P=rigs.rows(np.array([n])).P[0, cameras],
        uv=images.uv[pick][0] / focal,
        seen=images.seen[pick][0],
        covariance_px=images.variance[pick][0][..., None, None] * np.eye(2),
        scale=focal[..., None] * np.eye(2) + np.zeros((1, np.count_nonzero(wanted), 1, 1)),
    )
    xyz, covariance, _ = descend(triangulate_dlt(views.P, views.uv, views.seen), views)
    ahead = np.where(views.seen, depth(xyz, views.P), np.inf).min(axis=0)
    good = (ahead > 0) & (np.abs(xyz).max(axis=1) < FARTHEST)  # NaN is not
    seen[wanted] = good
    z[seen], R[seen] = xyz[good], covariance[good]
    if recordings.calibration[n] > 0 or recordings.clock[n] > 0:
        systematic = systematic_covariance(
            xyz,
            views,
            images.velocity[pick][0] / focal,
            calibration_sigma=float(recordings.calibration[n]),
            clock_sigma=float(recordings.clock[n]),
        )
        B[seen] = systematic[good]
    return seen, z, R, B
