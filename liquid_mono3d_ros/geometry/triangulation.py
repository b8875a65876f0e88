"""Where rays meet, and how well that is known.

Everything is vectorised over C cameras and N points, in normalised coordinates (``camera``).
Inside, the points' axis comes last, so that each operation runs along all points; [A | b] are the
linear equations of a point, and [A | b]ᵀ[A | b] all that is needed of them.
Covariances hold while the standard deviation along the ray is below about 15 % of the distance;
beyond, the error is skewed and the point biased away from the cameras: by 1 % at 10 %, 3 % at
15 %, 14 % at 30 % (``bench triangulation``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from liquid_mono3d_ros.checks import Array, check_shape
from liquid_mono3d_ros.geometry.small_matrices import away_from_zero, inverse, solve_or_far


@dataclass(frozen=True)
class Views:
    """What C cameras saw of N points.

    Attributes:
        P: World metres to normalised coordinates, (C, 3, 4).
        uv: Normalised coordinates, (C, N, 2). This and the rest is ignored where not ``seen``.
        seen: (C, N) bool.
        covariance_px: Of the raw pixels, (C, N, 2, 2) px².
        scale: d raw pixel / d normalised, (C, N, 2, 2) px.
    """

    P: Array
    uv: Array
    seen: Array
    covariance_px: Array
    scale: Array

    def __post_init__(self) -> None:
        C = check_shape("P", self.P, ("C", 3, 4))["C"]
        N = check_shape("uv", self.uv, (C, "N", 2))["N"]
        check_shape("seen", self.seen, (C, N))
        check_shape("covariance_px", self.covariance_px, (C, N, 2, 2))
        check_shape("scale", self.scale, (C, N, 2, 2))

    def of(self, points: Array) -> Views:
        """Return the views of some of the points, given by index (M,)."""
        arrays = (self.uv, self.seen, self.covariance_px, self.scale)
        return Views(self.P, *(array[:, points] for array in arrays))


def triangulate_dlt(P: Array, uv: Array, seen: Array) -> Array:
    """Locate each point from the pixels at which two or more cameras saw it.

    Every sighting gives two linear equations, ``u * P[2] - P[0]`` and ``v * P[2] - P[1]``; the
    point, its fourth coordinate held at one, is their least-squares solution. This minimises
    algebraic, not pixel, error. A point seen once is NaN; nearly parallel rays give a huge finite
    value: gate on parallax afterwards.

    Convention: ``uv`` is undistorted; ``P`` maps world metres to those pixels or, better
    conditioned, to normalised coordinates.
    Source: Hartley & Zisserman, Multiple View Geometry, 2nd ed., section 12.2.

    Args:
        P: Projection matrices, shape (C, 3, 4).
        uv: Pixel positions, shape (C, N, 2). Ignored where ``seen`` is False.
        seen: Which camera saw which point, shape (C, N).

    Returns:
        Positions in the world frame, metres, shape (N, 3).

    Raises:
        ValueError: If the shapes disagree on C or N.
    """
    C = check_shape("P", P, ("C", 3, 4))["C"]
    N = check_shape("uv", uv, (C, "N", 2))["N"]
    check_shape("seen", seen, (C, N))
    origin = -np.linalg.solve(P[:, :, :3], P[:, :, 3:]).mean(axis=0)[:, 0]  # amid the cameras
    P = np.concatenate([P[:, :, :3], P[:, :, 3:] + P[:, :, :3] @ origin[:, None]], axis=2)
    combined = np.zeros((C, 3, 2, N))  # rows of P, for either equation
    combined[:, 0, 0] = combined[:, 1, 1] = -1.0 * seen
    combined[:, 2] = np.where(seen[..., None], uv, 0.0).swapaxes(1, 2)
    M = _products((P.swapaxes(1, 2) @ combined.reshape(C, 3, 2 * N)).reshape(C, 4, 2, N))
    xyz = origin - solve_or_far(M[:3, :3], M[:3, 3]).T
    enough = np.count_nonzero(seen, axis=0) >= 2
    return np.where(enough[:, None], xyz, np.nan)


def refine(xyz: Array, views: Views, *, iterations: int = 6) -> tuple[Array, Array, Array]:
    """Move each point to where the squared residuals over their variances are least.

    Gauss–Newton; a step that makes matters worse is not taken. The residuals are raw pixels, to
    first order in the distortion: the maximum-likelihood point for Gaussian pixel noise, to 1 %
    of its standard deviation.

    Source: Hartley & Zisserman, 2nd ed., section 12.3; covariance (JᵀΣ⁻¹J)⁻¹, section 5.2.

    Args:
        xyz: Start, (N, 3) m.
        views: Of the points.
        iterations: At most; it stops when little is left to gain.

    Returns:
        Points (N, 3) m, covariances (N, 3, 3) m², and residuals, measured minus projected,
        (C, N, 2) px. NaN for points seen by fewer than two cameras.
    """
    xyz, covariance, _ = descend(xyz, views, iterations)
    return xyz, covariance, residuals_px(xyz, views)


def residuals_px(xyz: Array, views: Views) -> Array:
    """Return measured minus projected raw pixels, (C, N, 2) px; NaN where not seen."""
    xyz_camera = xyz @ views.P[:, :, :3].transpose(0, 2, 1) + views.P[:, None, :, 3]  # (C, N, 3)
    residual = views.uv - xyz_camera[..., :2] / away_from_zero(xyz_camera[..., 2:])
    residual_px = np.einsum("cnij,cnj->cni", views.scale, residual)
    return np.where(views.seen[..., None], residual_px, np.nan)


def systematic_covariance(
    xyz: Array,
    views: Views,
    velocity: Array,
    *,
    calibration_sigma: float,
    clock_sigma: float | Array,
) -> Array:
    """Return the covariance (N, 3, 3) m² by errors that stay from frame to frame.

    Each camera is turned by an unknown angle about each of its three axes, and its clock is off by
    an unknown time, in which the object moves on: ``M Σ Mᵀ`` with ``M = d xyz / d uv``.

    Args:
        xyz: Points, (N, 3) m, already refined.
        views: On which they rest.
        velocity: Of ``views.uv``, (C, N, 2) 1/s. NaN makes the result NaN unless ``clock_sigma``
            is 0.
        calibration_sigma: Per camera and axis, rad.
        clock_sigma: Per camera, s; one number for all, or (C,).
    """
    known = np.isfinite(xyz).all(axis=1) & (np.count_nonzero(views.seen, axis=0) >= 2)
    seen = (views.seen & known)[..., None]
    shifts = np.zeros((*views.uv.shape, 4))  # of uv, by one sigma of each cause
    shifts[..., :3] = turning(np.where(seen, views.uv, 0.0)) * calibration_sigma
    late = np.broadcast_to(clock_sigma, len(seen))[:, None, None]
    moving = seen & (late > 0)
    shifts[..., 3] = np.where(moving, velocity, 0.0) * late
    system = _System(views, known)
    rows = system.linearise(np.where(known[:, None], xyz, 0.0).T)  # (C, 4, 2, N)
    whitened = np.einsum("cjkn,cnjm->ckmn", system.whitening, shifts)
    pushes = np.einsum("cikn,ckmn->cimn", rows[:, :3], whitened)
    spread = inverse(system.normal(rows)[0])
    moved = np.einsum("ijn,cjmn->cimn", spread, pushes)  # of the point, by each cause
    total = np.einsum("cimn,cjmn->nij", moved, moved)
    return np.where(known[:, None, None], total, np.nan)


def turning(uv: Array) -> Array:
    """Return d normalised coordinates / d small rotation of the camera, (..., 2, 3) per rad."""
    x, y = uv[..., 0], uv[..., 1]
    rates = np.empty((*uv.shape, 3))
    rates[..., 0, 0], rates[..., 0, 1], rates[..., 0, 2] = -x * y, 1 + x * x, -y
    rates[..., 1, 0], rates[..., 1, 1], rates[..., 1, 2] = -1 - y * y, x * y, x
    return rates


def depth(xyz: Array, P: Array) -> Array:
    """Return the distance along each optical axis, (C, N) m; negative is behind the camera."""
    return np.asarray(P[:, 2, :3] @ xyz.T + P[:, 2, 3:])


def parallax(xyz: Array, centres: Array, used: Array) -> Array:
    """Return the largest angle between two used rays of each point, (N,) rad.

    Args:
        xyz: (N, 3) m.
        centres: Of the cameras, (C, 3) m.
        used: (C, N) bool.
    """
    rays = xyz[:, None] - centres  # (N, C, 3)
    rays = rays / np.sqrt(np.einsum("ncj,ncj->nc", rays, rays))[..., None]
    apart = rays[:, :, None] - rays[:, None]  # (N, C, C, 3)
    chord2 = np.einsum("nabj,nabj->nab", apart, apart)
    chord2 = np.where(used.T[:, :, None] & used.T[:, None], chord2, 0.0)
    return np.asarray(2 * np.arcsin(np.minimum(np.sqrt(chord2.max(axis=(1, 2))) / 2, 1.0)))


class _System:
    """The whitened equations of N points; what does not change with the points is made once."""

    def __init__(self, views: Views, enough: Array) -> None:
        seen = views.seen & enough
        self._P = views.P
        self.whitening = _whiten(views, seen)  # (C, 2, 2, N)
        uv = np.where(seen[..., None], views.uv, 0.0)
        self._uv = _whitened(self.whitening, uv[..., 0], uv[..., 1])  # (C, 2, N)
        self._spare = np.where(enough, 0.0, np.eye(3)[..., None])  # keeps it invertible

    def solve(self, xyz: Array) -> tuple[Array, Array, Array, Array]:
        """Return the Gauss–Newton step (3, N), gain and cost (N,) and covariance (3, 3, N).

        The gain is what the step takes off the cost, were the equations linear.
        """
        H, g, cost = self.normal(self.linearise(xyz))
        covariance = inverse(H)
        step = np.einsum("ijn,jn->in", covariance, g)
        return step, np.einsum("in,in->n", step, g), cost, covariance

    def normal(self, rows: Array) -> tuple[Array, Array, Array]:
        """Return JᵀJ (3, 3, N), Jᵀr (3, N) and rᵀr (N,)."""
        M = _products(rows)
        return M[:3, :3] + self._spare, M[:3, 3], M[3, 3]

    def linearise(self, xyz: Array) -> Array:
        """Return [J | r] at points (3, N), as (C, 4, 2, N).

        J is d whitened projection / d xyz, r the whitened residual.
        """
        C, _, N = self._uv.shape
        R = self._P[:, :, :3]
        xyz_camera = R @ xyz + self._P[:, :, 3:]  # (C, 3, N)
        inverse_depth = 1.0 / away_from_zero(xyz_camera[:, 2])
        u, v = xyz_camera[:, 0] * inverse_depth, xyz_camera[:, 1] * inverse_depth
        projected = _whitened(self.whitening, u, v)
        by_camera = np.empty((C, 3, 2, N))  # d / d xyz_camera
        by_camera[:, :2] = self.whitening * inverse_depth[:, None, None]
        by_camera[:, 2] = -projected * inverse_depth[:, None]
        rows = np.empty((C, 4, 2, N))
        jacobian = R.swapaxes(1, 2) @ by_camera.reshape(C, 3, 2 * N)
        rows[:, :3] = jacobian.reshape(C, 3, 2, N)
        rows[:, 3] = self._uv - projected
        return rows


def descend(xyz: Array, views: Views, iterations: int = 6) -> tuple[Array, Array, Array]:
    """Refine points and return them (N, 3), their covariances (N, 3, 3) and costs, chi² (N,)."""
    enough = np.count_nonzero(views.seen, axis=0) >= 2
    system = _System(views, enough)
    xyz = np.where(enough, xyz.T, 0.0)
    step, gain, cost, covariance = system.solve(xyz)
    for _ in range(iterations):
        if not (gain > 1e-4 * (1.0 + cost)).any():  # of a chi²: 1 % of the point's sigma
            break
        trial = xyz + step
        step, gain, trial_cost, trial_covariance = system.solve(trial)
        worse = ~(trial_cost <= cost)
        if worse.any():
            trial, step = np.where(worse, xyz, trial), np.where(worse, 0.0, step)
            gain, trial_cost = np.where(worse, 0.0, gain), np.where(worse, cost, trial_cost)
            trial_covariance = np.where(worse, covariance, trial_covariance)
        xyz, cost, covariance = trial, trial_cost, trial_covariance
    xyz, covariance = np.where(enough, xyz, np.nan), np.where(enough, covariance, np.nan)
    return xyz.T, covariance.transpose(2, 0, 1), cost


def _products(rows: Array) -> Array:
    """Return [A | b]ᵀ[A | b] of each point, (4, 4, N), from [A | b] as (C, 4, 2, N)."""
    C, _, _, N = rows.shape
    by_column = rows.transpose(1, 0, 2, 3).reshape(4, 2 * C, N)
    return np.asarray(np.einsum("ikn,jkn->ijn", by_column, by_column))


def _whitened(whitening: Array, u: Array, v: Array) -> Array:
    """Return the whitened pixel (C, 2, N) of coordinates (C, N) and (C, N)."""
    return np.asarray(whitening[:, 0] * u[:, None] + whitening[:, 1] * v[:, None])


def _whiten(views: Views, seen: Array) -> Array:
    """Return what turns normalised residuals into ones of unit variance, (C, 2, 2, N).

    It is ``(L⁻¹ · scale)ᵀ`` with L the Cholesky factor [[a, 0], [b, c]] of the covariance.
    """
    S, scale = views.covariance_px, views.scale
    if not seen.all():
        S = np.where(seen[..., None, None], S, np.eye(2))
        scale = np.where(seen[..., None, None], scale, 0.0)
    a = np.sqrt(S[..., 0, 0])
    b = S[..., 1, 0] / a
    c = np.sqrt(S[..., 1, 1] - b * b)
    whitening = np.empty((len(S), 2, 2, S.shape[1]))
    for axis in (0, 1):
        whitening[:, axis, 0] = scale[..., 0, axis] / a
        whitening[:, axis, 1] = (scale[..., 1, axis] - b * whitening[:, axis, 0]) / c
    return whitening
