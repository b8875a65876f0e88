"""Kalman filter of points in an image, many at a time: constant velocity, pure functions.

State ``x`` is (u, v, u̇, v̇) in px and px/s; the velocity is disturbed by white acceleration, so two
steps of half the length equal one. Pixel error and acceleration are the same along u and v, so
both axes share one covariance and none is needed between them: ``p`` holds the variance of the
position, its covariance with the velocity and the variance of the velocity, and the whole
covariance is ``P = [[p0, p1], [p1, p2]] ⊗ I``.

Convention: here and in ``motion`` components come first and tracks last, so that each of the few
formulas runs along memory.
Source: Bar-Shalom, Li, Kirubarajan, Estimation with Applications to Tracking and Navigation,
sections 5.2 (filter) and 6.2.2 (model).
"""

from __future__ import annotations

import numpy as np

from liquid_mono3d_ros.checks import Array


def start(uv: Array, sigma_px: Array, speed: float) -> tuple[Array, Array]:
    """Begin at a pixel, with a velocity of which only the size is known.

    Args:
        uv: (2, ...) px.
        sigma_px: One standard deviation of ``uv``, (...) px.
        speed: One standard deviation of each velocity component, px/s.

    Returns:
        ``x`` (4, ...) and ``p`` (3, ...).
    """
    x = np.zeros((4, *sigma_px.shape))
    p = np.zeros((3, *sigma_px.shape))
    x[:2] = uv
    p[0] = sigma_px**2
    p[2] = speed**2
    return x, p


def predict(x: Array, p: Array, dt: float, noise: float | Array) -> tuple[Array, Array]:
    """Move each state on.

    Args:
        x: (4, ...) px, px/s.
        p: (3, ...).
        dt: Not negative, s.
        noise: Standard deviation that the velocity gains in one second, px/s per √s; one for all
            or of a shape that broadcasts to (...).

    Returns:
        ``x`` and ``p`` after ``dt``.
    """
    moved, spread = x.copy(), np.empty_like(p)
    moved[:2] += dt * x[2:]
    Q = np.square(noise) * dt
    spread[0] = p[0] + dt * (2 * p[1] + dt * p[2]) + Q * (dt**2 / 3)
    spread[1] = p[1] + dt * p[2] + Q * (dt / 2)
    spread[2] = p[2] + Q
    return moved, spread


def update(x: Array, p: Array, uv: Array, sigma_px: Array) -> tuple[Array, Array, Array]:
    """Take one measured pixel into each state.

    Args:
        x: (4, ...) px, px/s.
        p: (3, ...).
        uv: (2, ...) px.
        sigma_px: One standard deviation of ``uv``, (...) px.

    Returns:
        ``x`` and ``p`` after the measurement, and the natural logarithm of the density that it had
        before, (...) px⁻².
    """
    R = np.square(sigma_px)
    S = p[0] + R
    K = p[:2] / S  # gain of position and velocity
    innovation = uv - x[:2]
    after, spread = x.copy(), np.empty_like(p)
    after[:2] += K[0] * innovation
    after[2:] += K[1] * innovation
    spread[:2] = K * R
    spread[2] = p[2] - K[1] * p[1]
    distance2 = (innovation[0] ** 2 + innovation[1] ** 2) / S
    return after, spread, -0.5 * distance2 - np.log(2 * np.pi * S)


def full_covariance(p: Array) -> Array:
    """Return ``P``, (N, 4, 4), of ``p``, (3, N)."""
    P = np.zeros((p.shape[1], 4, 4))
    for axis in (0, 1):
        P[:, axis, axis] = p[0]
        P[:, axis, axis + 2] = P[:, axis + 2, axis] = p[1]
        P[:, axis + 2, axis + 2] = p[2]
    return P
