"""Where rays meet, and how well that is known.

Everything is vectorised over C cameras and N points, in normalised coordinates (``camera``).
Inside, the points' axis comes first, so that the equations of a point lie side by side.
Covariances hold while the standard deviation along the ray is below about 15 % of the distance;
beyond, the error is skewed and the point biased away from the cameras.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from liquid_mono3d_ros.checks import Array, check_shape


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


@dataclass(frozen=True)
class Located:
    """N points with the views that agree on them; NaN when fewer than two do.

    Attributes:
        xyz: (N, 3) m.
        covariance: By white pixel noise, (N, 3, 3) m².
        residual_px: Measured minus projected, (C, N, 2) px, also of views left out; NaN unseen.
        used: Views behind the point, (C, N) bool.
    """

    xyz: Array
    covariance: Array
    residual_px: Array
    used: Array


def triangulate_dlt(P: Array, uv: Array, seen: Array) -> Array:
    """Locate each point from the pixels at which two or more cameras saw it.

    Every sighting gives two linear equations, ``u * P[2] - P[0]`` and ``v * P[2] - P[1]``; the
    point is the direction they shrink most. This minimises algebraic, not pixel, error. A point
    seen once is NaN; nearly parallel rays give a huge finite value: gate on parallax afterwards.

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
    equations = uv[..., None] * P[:, None, 2:] - P[:, None, :2]  # (C, N, 2, 4)
    equations = np.where(seen[..., None, None], equations, 0.0)
    A = equations.transpose(1, 0, 2, 3).reshape(N, 2 * C, 4)
    homogeneous = np.linalg.eigh(A.transpose(0, 2, 1) @ A)[1][:, :, 0]  # (N, 4)
    w = homogeneous[:, 3:]
    w = np.where(np.abs(w) < 1e-12, 1e-12, w)
    enough = np.count_nonzero(seen, axis=0) >= 2
    return np.where(enough[:, None], homogeneous[:, :3] / w + origin, np.nan)


def refine(xyz: Array, views: Views, *, iterations: int = 6) -> tuple[Array, Array, Array]:
    """Move each point to where the squared residuals over their variances are least.

    Gauss–Newton; a step that makes matters worse is not taken. The residuals are raw pixels, to
    first order in the distortion: the maximum-likelihood point for Gaussian pixel noise.

    Source: Hartley & Zisserman, 2nd ed., section 12.3; covariance (JᵀΣ⁻¹J)⁻¹, section 5.2.

    Args:
        xyz: Start, (N, 3) m.
        views: Of the points.
        iterations: At most; it stops when nothing improves.

    Returns:
        Points (N, 3) m, covariances (N, 3, 3) m², and residuals, measured minus projected,
        (C, N, 2) px. NaN for points seen by fewer than two cameras.
    """
    enough = np.count_nonzero(views.seen, axis=0) >= 2
    system = _System(views, enough)
    xyz = np.where(enough[:, None], xyz, 0.0)
    step, cost, covariance = system.solve(xyz)
    for _ in range(iterations):
        trial = xyz + step
        step, trial_cost, trial_covariance = system.solve(trial)
        worse = ~(trial_cost <= cost)
        if worse.any():
            trial = np.where(worse[:, None], xyz, trial)
            step = np.where(worse[:, None], 0.0, step)
            trial_cost = np.where(worse, cost, trial_cost)
            trial_covariance = np.where(worse[:, None, None], covariance, trial_covariance)
        gain = float((cost - trial_cost).max(initial=0.0))
        xyz, cost, covariance = trial, trial_cost, trial_covariance
        if gain < 1e-4:  # of a chi²: the point moved by less than 1 % of its sigma
            break
    xyz = np.where(enough[:, None], xyz, np.nan)
    covariance = np.where(enough[:, None, None], covariance, np.nan)
    return xyz, covariance, residuals_px(xyz, views)


def locate(views: Views, limit_px: Array) -> Located:
    """Locate points from the views that agree: DLT, Gauss–Newton, and leave views out if needed.

    While a view of a point is further off than ``limit_px`` and three or more are left, each is
    left out in turn and the best remainder kept. A point on which no two views agree is NaN.

    Args:
        views: Of the points.
        limit_px: Largest residual of a good view, (C, N) px.
    """
    used = views.seen & (np.count_nonzero(views.seen, axis=0) >= 2)
    xyz, covariance, residual_px = _solve(views)
    for _ in range(len(used) - 1):
        where = np.flatnonzero(_worst(residual_px, used, limit_px) > 1.0)
        if len(where) == 0:
            break
        part = replace(views, seen=used).of(where)
        used[:, where], xyz[where], covariance[where] = _leave_one_out(part, limit_px[:, where])
        residual_px = residuals_px(xyz, views)
    return Located(xyz, covariance, residual_px, used)


def residuals_px(xyz: Array, views: Views) -> Array:
    """Return measured minus projected raw pixels, (C, N, 2) px; NaN where not seen."""
    xyz_camera = xyz @ views.P[:, :, :3].transpose(0, 2, 1) + views.P[:, None, :, 3]  # (C, N, 3)
    residual = views.uv - xyz_camera[..., :2] / _away_from_zero(xyz_camera[..., 2:])
    residual_px = np.einsum("cnij,cnj->cni", views.scale, residual)
    return np.where(views.seen[..., None], residual_px, np.nan)


def systematic_covariance(
    xyz: Array, views: Views, velocity: Array, *, calibration_sigma: float, clock_sigma: float
) -> Array:
    """Return the covariance (N, 3, 3) m² by errors that stay from frame to frame.

    Each camera is turned by an unknown angle about the two axes across the ray, and its clock is
    off by an unknown time, in which the object moves on: ``M Σ Mᵀ`` with ``M = d xyz / d uv``.

    Args:
        xyz: Points, (N, 3) m, already refined.
        views: On which they rest.
        velocity: Of ``views.uv``, (C, N, 2) 1/s. NaN makes the result NaN unless ``clock_sigma``
            is 0.
        calibration_sigma: Per camera and axis, rad.
        clock_sigma: Per camera, s.
    """
    known = np.isfinite(xyz).all(axis=1) & (np.count_nonzero(views.seen, axis=0) >= 2)
    seen = views.seen & known
    effect = _System(views, known).effect(np.where(known[:, None], xyz, 0.0))  # (N, C, 3, 2)
    turned = turning(np.where(seen[..., None], views.uv, 0.0)) * calibration_sigma
    causes = effect @ turned.transpose(1, 0, 2, 3)  # (N, C, 3, 3)
    total = np.einsum("ncik,ncjk->nij", causes, causes)
    if clock_sigma > 0:
        moved = np.where(seen[..., None], velocity, 0.0) * clock_sigma
        shift = np.einsum("ncij,cnj->nci", effect, moved)
        total = total + np.einsum("nci,ncj->nij", shift, shift)
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
        seen = (views.seen & enough).T  # (N, C)
        self._P = views.P
        self._whitening = _whiten(views, seen)  # (N, C, 2, 2), zero where not seen
        uv = np.where(seen[..., None], views.uv.transpose(1, 0, 2), 0.0)
        self._uv = np.einsum("ncij,ncj->nci", self._whitening, uv)
        self._R = self._whitening @ views.P[:, :2, :3]  # (N, C, 2, 3)
        self._spare = np.where(enough, 0.0, 1.0)[:, None, None] * np.eye(3)  # keeps it invertible

    def solve(self, xyz: Array) -> tuple[Array, Array, Array]:
        """Return the Gauss–Newton step (N, 3), the cost (N,) and the covariance (N, 3, 3)."""
        residual, jacobian = self._linearise(xyz)
        covariance = _inverse(jacobian.transpose(0, 2, 1) @ jacobian + self._spare)
        step = covariance @ (residual[:, None] @ jacobian).transpose(0, 2, 1)
        return step[..., 0], np.einsum("nk,nk->n", residual, residual), covariance

    def effect(self, xyz: Array) -> Array:
        """Return d xyz / d normalised coordinates of each view, (N, C, 3, 2)."""
        jacobian = self._linearise(xyz)[1]
        covariance = _inverse(jacobian.transpose(0, 2, 1) @ jacobian + self._spare)
        gain = (covariance @ jacobian.transpose(0, 2, 1)).reshape(len(xyz), 3, -1, 2)
        return gain.transpose(0, 2, 1, 3) @ self._whitening

    def _linearise(self, xyz: Array) -> tuple[Array, Array]:
        """Return whitened residuals (N, 2C) and d whitened projection / d xyz (N, 2C, 3)."""
        N, C = self._uv.shape[:2]
        axes = self._P[:, :, :3].reshape(-1, 3)  # (3C, 3)
        xyz_camera = (xyz @ axes.T).reshape(N, C, 3) + self._P[:, :, 3]
        inverse_depth = 1.0 / _away_from_zero(xyz_camera[..., 2:])  # (N, C, 1)
        projected = xyz_camera[..., :2] * inverse_depth
        projected = np.einsum("ncij,ncj->nci", self._whitening, projected)
        jacobian = self._R - projected[..., None] * self._P[:, None, 2, :3]
        jacobian *= inverse_depth[..., None]
        return (self._uv - projected).reshape(N, -1), jacobian.reshape(N, -1, 3)


def _whiten(views: Views, seen: Array) -> Array:
    """Return what turns a normalised residual into one of unit variance, (N, C, 2, 2).

    It is ``L⁻¹ · scale`` with L the Cholesky factor [[a, 0], [b, c]] of the covariance.
    """
    S = np.where(seen[..., None, None], views.covariance_px.transpose(1, 0, 2, 3), np.eye(2))
    scale = views.scale.transpose(1, 0, 2, 3)
    a = np.sqrt(S[..., 0, 0])[..., None]
    b = S[..., 1, 0, None] / a
    c = np.sqrt(S[..., 1, 1, None] - b * b)
    whitening = np.empty(S.shape)
    whitening[..., 0, :] = scale[..., 0, :] / a
    whitening[..., 1, :] = (scale[..., 1, :] - b * whitening[..., 0, :]) / c
    whitening[~seen] = 0.0
    return whitening


def _inverse(A: Array) -> Array:
    """Return the inverses of symmetric matrices (N, 3, 3) by cofactors: few, small, and fast."""
    a, b, c = A[:, 0, 0], A[:, 0, 1], A[:, 0, 2]
    d, e, f = A[:, 1, 1], A[:, 1, 2], A[:, 2, 2]
    inverse = np.empty_like(A)
    inverse[:, 0, 0] = d * f - e * e
    inverse[:, 0, 1] = inverse[:, 1, 0] = c * e - b * f
    inverse[:, 0, 2] = inverse[:, 2, 0] = b * e - c * d
    inverse[:, 1, 1] = a * f - c * c
    inverse[:, 1, 2] = inverse[:, 2, 1] = b * c - a * e
    inverse[:, 2, 2] = a * d - b * b
    det = a * inverse[:, 0, 0] + b * inverse[:, 0, 1] + c * inverse[:, 0, 2]
    return inverse / _away_from_zero(det, 1e-300)[:, None, None]


def _away_from_zero(value: Array, least: float = 1e-12) -> Array:
    return np.where(np.abs(value) < least, least, value)


def _solve(views: Views) -> tuple[Array, Array, Array]:
    return refine(triangulate_dlt(views.P, views.uv, views.seen), views)


def _worst(residual_px: Array, used: Array, limit_px: Array) -> Array:
    """Return each point's largest residual of a used view in units of its limit, (N,)."""
    ratio = np.hypot(residual_px[..., 0], residual_px[..., 1]) / limit_px
    return np.where(used, ratio, 0.0).max(axis=0)  # type: ignore[no-any-return]


def _leave_one_out(views: Views, limit_px: Array) -> tuple[Array, Array, Array]:
    """Return (seen, xyz, covariance) of each point without the view that fits least.

    Points with only two views left lose both: nobody can say which one is wrong.
    """
    C, N = views.seen.shape
    kept = views.seen & ~np.eye(C, dtype=bool)[:, :, None]  # (left out, C, N)
    repeated = np.tile(np.arange(N), C)
    trial = replace(views.of(repeated), seen=kept.transpose(1, 0, 2).reshape(C, C * N))
    xyz, covariance, residual_px = _solve(trial)
    worst = _worst(residual_px, trial.seen, limit_px[:, repeated]).reshape(C, N)
    possible = views.seen & (np.count_nonzero(views.seen, axis=0) >= 3) & np.isfinite(worst)
    best = np.where(possible, worst, np.inf).argmin(axis=0)  # (N,)
    found = possible.any(axis=0)
    chosen = best * N + np.arange(N)
    seen = trial.seen[:, chosen] & found
    xyz = np.where(found[:, None], xyz[chosen], np.nan)
    return seen, xyz, np.where(found[:, None, None], covariance[chosen], np.nan)
