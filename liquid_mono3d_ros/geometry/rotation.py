"""Quaternions ↔ rotation matrices, always through transforms3d, the order always in the name.

Convention: ``quat_wxyz`` as in transforms3d, ``quat_xyzw`` as in ROS messages. Both signs of a
quaternion are the same rotation; what is returned has w ≥ 0.
"""

from __future__ import annotations

import numpy as np
from transforms3d import axangles, quaternions

from liquid_mono3d_ros.checks import Array, check_finite, check_shape, complain


def wxyz_from_xyzw(quat_xyzw: Array) -> Array:
    """Reorder a quaternion of a ROS message for transforms3d, shape (4,)."""
    return np.roll(quat_xyzw, 1)


def xyzw_from_wxyz(quat_wxyz: Array) -> Array:
    """Reorder a quaternion of transforms3d for a ROS message, shape (4,)."""
    return np.roll(quat_wxyz, -1)


def matrix_from_quat_wxyz(quat_wxyz: Array) -> Array:
    """Return the rotation matrix (3, 3) of a quaternion (4,).

    Raises:
        ValueError: If the length is not within 0.1 % of one.
    """
    quat_wxyz = np.asarray(quat_wxyz, dtype=float)
    check_shape("quat_wxyz", quat_wxyz, (4,))
    _check_unit("quat_wxyz", quat_wxyz)
    return np.asarray(quaternions.quat2mat(quat_wxyz))


def matrix_from_quat_xyzw(quat_xyzw: Array) -> Array:
    """Return the rotation matrix (3, 3) of a quaternion (4,) in the order of ROS messages.

    Raises:
        ValueError: If the length is not within 0.1 % of one.

    Example:
        >>> matrix_from_quat_xyzw(np.array([0.0, 0.0, 1.0, 0.0])).round()
        array([[-1.,  0.,  0.],
               [ 0., -1.,  0.],
               [ 0.,  0.,  1.]])
    """
    quat_xyzw = np.asarray(quat_xyzw, dtype=float)
    check_shape("quat_xyzw", quat_xyzw, (4,))
    _check_unit("quat_xyzw", quat_xyzw)
    return matrix_from_quat_wxyz(wxyz_from_xyzw(quat_xyzw))


def quat_wxyz_from_matrix(R: Array) -> Array:
    """Return the quaternion (4,) of a rotation matrix (3, 3)."""
    return np.asarray(quaternions.mat2quat(R))


def quat_xyzw_from_matrix(R: Array) -> Array:
    """Return the quaternion (4,) of a rotation matrix (3, 3), in the order of ROS messages."""
    return xyzw_from_wxyz(quat_wxyz_from_matrix(R))


def slerp(R0: Array, R1: Array, fraction: float) -> Array:
    """Return the rotation a fraction of the way from ``R0`` to ``R1``, at constant rate.

    Source: Shoemake, Animating rotation with quaternion curves, 1985.

    Args:
        R0: Rotation matrix at fraction 0, (3, 3).
        R1: Rotation matrix at fraction 1, (3, 3), less than half a turn away.
        fraction: Below 0 and above 1 the rotation goes on at the same rate.
    """
    axis, angle = quaternions.quat2axangle(quat_wxyz_from_matrix(R0.T @ R1))
    return np.asarray(R0 @ axangles.axangle2mat(axis, fraction * angle))


def rotation_between(a: Array, b: Array) -> Array:
    """Return the smallest rotation (3, 3) that turns unit vector ``a`` (3,) into ``b`` (3,).

    Opposite vectors have no smallest one: half a turn about any axis across them is returned.
    """
    axis = np.cross(a, b)
    if np.linalg.norm(axis) < 1e-12:
        axis = np.cross(a, np.eye(3)[np.argmin(np.abs(a))])
    return np.asarray(
        axangles.axangle2mat(axis, np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b))
    )


def check_rotation(argument: str, R: Array) -> None:
    """Check that a matrix (3, 3) is a rotation to five digits.

    Raises:
        ValueError: If it is not orthonormal, or a reflection.
    """
    check_shape(argument, R, (3, 3))
    check_finite(argument, R)
    error = float(np.abs(R @ R.T - np.eye(3)).max())
    if error > 1e-5:
        got = f"|R Rᵀ − I| = {error:.2g}"
        raise ValueError(complain(argument, "a rotation", got, "Write it with seven digits."))
    if np.linalg.det(R) < 0:
        cure = "Check the axes: x right, y down, z forward."
        raise ValueError(complain(argument, "a rotation", "a reflection", cure))


def _check_unit(argument: str, quat: Array) -> None:
    length = float(np.linalg.norm(quat))
    if not abs(length - 1.0) < 1e-3:
        got = f"length {length:.4g}"
        raise ValueError(complain(argument, "of length 1", got, "Normalise the quaternion."))
