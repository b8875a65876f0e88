"""Could two pixels in two cameras be one object?"""

from __future__ import annotations

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.geometry.view import View

IMPOSSIBLE = 1e6
"""Distance between tracks that cannot be one object: behind a camera, or of another class."""


def epipolar_distance(
    a: View, b: View, *, calibration_sigma: float, min_parallax: float
) -> tuple[Array, Array]:
    """Return how far each pair of tracks is from one common point.

    To first order (Sampson) the smallest correction of both pixels that makes their rays meet,
    once over its standard deviation, squared, and once in pixels. Objects on one epipolar plane
    cannot be told apart in one image pair: average over time.

    Source: Hartley & Zisserman, 2nd ed., section 11.4.3.

    Args:
        a: N tracks of one camera.
        b: M tracks of another.
        calibration_sigma: Unknown turn of each camera, rad, part of the standard deviation.
        min_parallax: Rays less apart than this, rad, are not asked whether they meet in front.

    Returns:
        Mahalanobis distance squared (N, M), and distance (N, M) px.
    """
    baseline = b.camera.centre - a.camera.centre
    rays_a, rays_b = a.rays, b.rays  # (N, 3), (M, 3)
    normals_a, normals_b = _cross(baseline, rays_a), -_cross(baseline, rays_b)
    gap = normals_a @ rays_b.T  # (N, M)
    by_a = normals_b @ a.camera.R_cw[:2].T  # (M, 2): d gap / d a.uv depends on b alone
    by_b = normals_a @ b.camera.R_cw[:2].T  # (N, 2)
    slow = calibration_sigma**2
    square_a, square_b = _squares(by_a), _squares(by_b)
    variance = (square_a @ _packed(a.covariance + slow * a.turned_area)).T
    variance = variance + square_b @ _packed(b.covariance + slow * b.turned_area)
    variance_px = (square_a @ _packed(a.pixel_area)).T + square_b @ _packed(b.pixel_area)
    impossible = ~_meet_in_front(baseline, rays_a, rays_b, min_parallax) | _other_class(a, b)
    impossible |= ~(variance_px > 0)
    safe = np.where(impossible, 1.0, variance), np.where(impossible, 1.0, variance_px)
    mahalanobis2 = np.where(impossible, IMPOSSIBLE, gap * gap / safe[0])
    return mahalanobis2, np.where(impossible, IMPOSSIBLE, np.abs(gap) / np.sqrt(safe[1]))


def _cross(a: Array, b: Array) -> Array:
    """Return a (3,) × b (N, 3); np.cross takes ten times as long."""
    x, y, z = a
    return np.asarray(b @ np.array([[0, z, -y], [-z, 0, x], [y, -x, 0]]))


def _squares(g: Array) -> Array:
    """Return of gradients (M, 2) what times ``_packed`` covariances is gᵀ Σ g, (M, 3)."""
    x, y = g[:, 0], g[:, 1]
    return np.stack([x * x, 2 * x * y, y * y], axis=1)


def _packed(covariance: Array) -> Array:
    """Return the three different elements of symmetric matrices (N, 2, 2), (3, N)."""
    return np.asarray(covariance[:, [0, 0, 1], [0, 1, 1]].T)


def _meet_in_front(baseline: Array, rays_a: Array, rays_b: Array, min_parallax: float) -> Array:
    """Return whether the rays come closest in front of both cameras, (N, M)."""
    aa = np.einsum("ni,ni->n", rays_a, rays_a)[:, None]
    bb = np.einsum("ni,ni->n", rays_b, rays_b)
    ab = rays_a @ rays_b.T
    along_a, along_b = (rays_a @ baseline)[:, None], rays_b @ baseline
    depth_a = bb * along_a - ab * along_b  # times a positive number
    depth_b = ab * along_a - aa * along_b
    apart = aa * bb - ab * ab > aa * bb * min_parallax**2
    return ((depth_a > 0) & (depth_b > 0)) | ~apart  # type: ignore[no-any-return]


def _other_class(a: View, b: View) -> Array:
    """Return whether both tracks have a class, and not the same, (N, M)."""
    if not (a.class_id and b.class_id):
        return np.zeros((len(a.rows), len(b.rows)), dtype=bool)
    words_a, words_b = np.array(a.class_id)[:, None], np.array(b.class_id)
    return (words_a != words_b) & (words_a != "") & (words_b != "")  # type: ignore[no-any-return]
