"""Pixels of points in the camera frame, and how they change with the point, the lens, the pose."""

from __future__ import annotations

import cv2
import numpy as np

from liquid_mono3d_ros.checks import Array

_SKEW = np.array(
    [
        [[0, 0, 0], [0, 0, -1], [0, 1, 0]],
        [[0, 0, 1], [0, 0, 0], [-1, 0, 0]],
        [[0, -1, 0], [1, 0, 0], [0, 0, 0]],
    ],
    dtype=float,
)


def project_with_jacobians(
    model: str, K: Array, D: Array, xyz_camera: Array
) -> tuple[Array, Array, Array]:
    """Return raw pixels and their derivatives by the point and by the lens.

    Args:
        model: As in ``Camera``.
        K: (3, 3) px.
        D: Distortion coefficients, (n,).
        xyz_camera: Points in front of the camera, in its optical frame, (N, 3) m.

    Returns:
        ``uv`` (N, 2) px, by ``xyz_camera`` (N, 2, 3) px/m, by ``fx fy cx cy D`` (N, 2, 4 + n).
    """
    points = np.ascontiguousarray(xyz_camera, dtype=float)[:, None]  # (N, 1, 3)
    n, zero = len(D), np.zeros(3)
    coefficients = D if n else np.zeros(4)
    if model == "equidistant":
        uv, jacobian = cv2.fisheye.projectPoints(points, zero, zero, K, coefficients)
        lens, moved = np.r_[: 4 + n], slice(11, 14)  # OpenCV: f c k rotation translation skew
    else:
        uv, jacobian = cv2.projectPoints(points, zero, zero, K, coefficients)
        lens, moved = np.r_[6 : 10 + n], slice(3, 6)  # OpenCV: rotation translation f c k
    jacobian = jacobian.reshape(-1, 2, jacobian.shape[1])
    return uv[:, 0], jacobian[..., moved], jacobian[..., lens]


def by_turn(offset: Array) -> Array:
    """Return d (exp(w) @ offset) / d w at w = 0, (N, 3, 3), of vectors (N, 3)."""
    return np.asarray(-np.einsum("nk,kij->nij", offset, _SKEW))


def exponential(rotvec: Array) -> Array:
    """Return the rotation matrix (3, 3) of a rotation vector (3,), rad."""
    return np.asarray(cv2.Rodrigues(np.asarray(rotvec, dtype=float))[0])


def turned_and_moved(R: Array, t: Array, step: Array) -> tuple[Array, Array]:
    """Return the pose after a step (6,): a turn in the target frame, rad, then a shift of it, m.

    ``x_target = R x + t`` becomes ``exp(w) (R x + t) + d``.
    """
    turn = exponential(step[:3])
    return turn @ R, turn @ t + step[3:]
