"""States as a filter leaves them: off by errors that last, with a covariance that says so.

The errors are those of a Kalman filter along each axis of the triangulation's ellipsoid, run on
its own model: every state is the one before, carried on and corrected, so errors are correlated in
time, and in position and velocity, as the filter's covariance claims. The true motion does not
enter: an error that the motion itself causes (a bend the filter did not expect) is left out.
"""

from __future__ import annotations

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.synth.encounters import OBJECTS, Encounters
from liquid_mono3d_ros.synth.staging import Staging, log_uniform

AGE = 12
"""States before the first, in which the filter settles: a track is confirmed, not new."""
AGILITY = (0.25, 2.5)
"""Acceleration that the filter allows for, m/s² times the root of s, whatever the motion is."""


def draw_estimates(
    encounters: Encounters, stamp: Array, staging: Staging, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Draw states (N, 2, K, 6) and their covariances (N, 2, K, 6, 6) at stamps (N, K) s."""
    xyz, velocity = encounters.at(stamp)
    sigma, axes = _measured(encounters, xyz, staging, rng)
    errors, P = _filtered(sigma, np.diff(stamp, axis=1), rng)
    n, _, num = xyz.shape[:3]
    state = np.concatenate([xyz, velocity], axis=3)
    for part, rows in enumerate((slice(0, 3), slice(3, 6))):
        state[..., rows] += errors[..., part] @ axes.transpose(0, 1, 3, 2)
    covariance = np.empty((n, OBJECTS, num, 6, 6))
    spread = axes[:, :, None]
    for i, rows in enumerate((slice(0, 3), slice(3, 6))):
        for j, columns in enumerate((slice(0, 3), slice(3, 6))):
            block = (spread * P[..., None, :, i, j]) @ spread.swapaxes(3, 4)
            covariance[..., rows, columns] = block
    return state, covariance


def _measured(
    encounters: Encounters, xyz: Array, staging: Staging, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Return sigmas (N, 2, K, 3) m of measured points along axes (N, 2, 3, 3), columns."""
    layout, n = staging.layout, len(xyz)
    most = layout.num_cameras[1]
    present = np.arange(most) < rng.integers(layout.num_cameras[0], most + 1, (n, 1))
    far = np.linalg.norm(encounters.place - encounters.centre[:, None], axis=2).mean(axis=1)
    angle = rng.uniform(0, 2 * np.pi, (n, most))
    aside = np.stack([np.cos(angle), np.sin(angle), 0.0 * angle], axis=2) @ encounters.R_cw
    baseline = rng.uniform(*layout.baseline, (n, most, 1)) * far[:, None, None]
    baseline[:, 0] = 0.0
    sigma_px = rng.uniform(*layout.sigma_px, n)
    centre = encounters.centre[:, None] + baseline * aside  # (N, C, 3)
    ray = xyz[:, None] - centre[:, :, None, None]  # (N, C, 2, K, 3)
    distance = np.linalg.norm(ray, axis=4)
    weight = (encounters.focal / sigma_px)[:, None, None, None] ** 2 / distance**2
    weight = weight * present[:, :, None, None]
    unit = ray / distance[..., None]
    information = weight.sum(axis=1)[..., None, None] * np.eye(3) - np.einsum(
        "ncok,ncoki,ncokj->nokij", weight, unit, unit, optimize=True
    )
    _, axes = np.linalg.eigh(information[:, :, information.shape[2] // 2])
    along = np.einsum("noia,nokij,noja->noka", axes, information, axes, optimize=True)
    return 1 / np.sqrt(along), axes


def _filtered(sigma: Array, dt: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return errors (N, 2, K, 3, 2) and covariances (N, 2, K, 3, 2, 2) of position and velocity.

    Along each axis: constant velocity, driven by white acceleration.
    """
    n, objects, num, _ = sigma.shape
    agility = log_uniform(AGILITY, (n, objects, 1), rng)
    white = rng.normal(size=(AGE + num, 3, n, objects, 3))
    variance = sigma[:, :, 0] ** 2
    # Born of two measurements a tenth of a second apart.
    a, b, c = variance, variance / 0.1, 2 * variance / 0.01
    e = np.sqrt(a) * white[0, 0]
    f = b / a * e + np.sqrt(c - b * b / a) * white[0, 1]
    errors, P = np.empty((n, objects, num, 3, 2)), np.empty((n, objects, num, 3, 2, 2))
    for k in range(AGE + num):
        at = max(k - AGE, 0)
        step = (dt[:, at - 1] if at else dt.mean(axis=1))[:, None, None]
        variance = sigma[:, :, at] ** 2
        q = agility**2 * step
        driven, tied = white[k, 0], white[k, 1]
        e = e + step * f - np.sqrt(q) * step * (driven / 2 + tied / np.sqrt(12.0))
        f = f - np.sqrt(q) * driven
        a, b, c = a + 2 * step * b + step**2 * (c + q / 3), b + step * (c + q / 2), c + q
        innovation = e - np.sqrt(variance) * white[k, 2]
        gain, turn = a / (a + variance), b / (a + variance)
        e, f = e - gain * innovation, f - turn * innovation
        c = c - turn * b
        a, b = (1 - gain) * a, (1 - gain) * b
        if k >= AGE:
            errors[:, :, at, :, 0], errors[:, :, at, :, 1] = e, f
            P[:, :, at, :, 0, 0], P[:, :, at, :, 1, 1] = a, c
            P[:, :, at, :, 0, 1] = P[:, :, at, :, 1, 0] = b
    return errors, P
