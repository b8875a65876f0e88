"""Kalman filter of points in an image, many at a time: constant velocity, pure functions.

State ``x`` is (u, v, u̇, v̇) in px and px/s, covariance ``P``; the velocity is disturbed by white
acceleration, so two steps of half the length equal one. ``H = [I 0]`` observes the position.

Source: Bar-Shalom, Li, Kirubarajan, Estimation with Applications to Tracking and Navigation,
sections 5.2 (filter) and 6.2.2 (model).
"""

from __future__ import annotations

import numpy as np

from liquid_mono3d_ros.checks import Array


def start(uv: Array, sigma_px: Array, speed: float) -> tuple[Array, Array]:
    """Begin at a pixel, with a velocity of which only the size is known.

    Args:
        uv: (N, 2) px.
        sigma_px: One standard deviation of ``uv``, (N,) px.
        speed: One standard deviation of each velocity component, px/s.

    Returns:
        ``x`` (N, 4) and ``P`` (N, 4, 4).
    """
    x = np.concatenate([uv, np.zeros_like(uv)], axis=1)  # (N, 4)
    P = np.zeros((len(uv), 4, 4))
    P[:, 0, 0] = P[:, 1, 1] = sigma_px**2
    P[:, 2, 2] = P[:, 3, 3] = speed**2
    return x, P


def predict(x: Array, P: Array, dt: Array, noise: float) -> tuple[Array, Array]:
    """Move each state on by its own time.

    Args:
        x: (N, 4) px, px/s.
        P: (N, 4, 4).
        dt: (N,) s, not negative.
        noise: Standard deviation that the velocity gains in one second, px/s per √s.

    Returns:
        ``x`` and ``P`` after ``dt``.
    """
    F = np.tile(np.eye(4), (len(x), 1, 1))  # (N, 4, 4)
    F[:, 0, 2] = F[:, 1, 3] = dt
    Q = np.zeros_like(F)
    Q[:, 0, 0] = Q[:, 1, 1] = dt**3 / 3
    Q[:, 0, 2] = Q[:, 2, 0] = Q[:, 1, 3] = Q[:, 3, 1] = dt**2 / 2
    Q[:, 2, 2] = Q[:, 3, 3] = dt
    return (F @ x[:, :, None])[:, :, 0], F @ P @ F.transpose(0, 2, 1) + noise**2 * Q


def update(x: Array, P: Array, uv: Array, sigma_px: Array) -> tuple[Array, Array]:
    """Take one measured pixel into each state.

    The covariance is updated in Joseph's form, which keeps it symmetric and positive.

    Args:
        x: (N, 4) px, px/s.
        P: (N, 4, 4).
        uv: (N, 2) px.
        sigma_px: One standard deviation of ``uv``, (N,) px.

    Returns:
        ``x`` and ``P`` after the measurement.
    """
    R = sigma_px[:, None, None] ** 2 * np.eye(2)  # (N, 2, 2)
    K = P[:, :, :2] @ np.linalg.inv(P[:, :2, :2] + R)  # (N, 4, 2)
    kept = np.tile(np.eye(4), (len(x), 1, 1))
    kept[:, :, :2] -= K  # I - K H
    innovation = (uv - x[:, :2])[:, :, None]  # (N, 2, 1)
    P = kept @ P @ kept.transpose(0, 2, 1) + K @ R @ K.transpose(0, 2, 1)
    return x + (K @ innovation)[:, :, 0], P
