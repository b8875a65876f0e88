"""Points from the views that agree, when some of them may be wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.geometry.triangulation import (
    Views,
    depth,
    descend,
    residuals_px,
    triangulate_dlt,
)

RIVAL_COST = 9.0
"""A pair of views is believed when every other pair that agrees fits worse by three sigmas."""


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


def locate(views: Views, limit_px: Array) -> Located:
    """Locate points from the views that agree: linear start, Gauss–Newton, search if needed.

    Where a view is further off than ``limit_px``, the largest set of two or more views that agree
    with their common point is looked for among all sets; of equally large ones that with the
    smallest residuals is taken. A point on which no two views agree, or of which two pairs of
    views tell different stories about as well as each other, is NaN.

    Args:
        views: Of the points.
        limit_px: Largest residual of a good view, (C, N) px.
    """
    used = views.seen & (np.count_nonzero(views.seen, axis=0) >= 2)
    xyz, covariance, _ = _solve(views)
    residual_px = residuals_px(xyz, views)
    where = np.flatnonzero(_worst(residual_px, used, limit_px) > 1.0)
    if len(where):
        part = _search(views.of(where), limit_px[:, where])
        xyz[where], covariance[where], used[:, where] = part
        residual_px[:, where] = residuals_px(xyz[where], views.of(where))
    return Located(xyz, covariance, residual_px, used)


def _solve(views: Views) -> tuple[Array, Array, Array]:
    return descend(triangulate_dlt(views.P, views.uv, views.seen), views)


def _worst(residual_px: Array, used: Array, limit_px: Array) -> Array:
    """Return each point's largest residual of a used view in units of its limit, (N,)."""
    ratio = np.hypot(residual_px[..., 0], residual_px[..., 1]) / limit_px
    return np.where(used, ratio, 0.0).max(axis=0)  # type: ignore[no-any-return]


def _search(views: Views, limit_px: Array) -> tuple[Array, Array, Array]:
    """Return (xyz, covariance, seen) of each point by its largest set of views that agree."""
    C, N = views.seen.shape
    xyz, covariance = np.full((N, 3), np.nan), np.full((N, 3, 3), np.nan)
    used = np.zeros((C, N), dtype=bool)
    unsolved = np.ones(N, dtype=bool)
    for size in range(C - 1, 1, -1):
        points, seen = _subsets(views.seen & unsolved, size)
        if len(points) == 0:
            continue
        trial = replace(views.of(points), seen=seen)
        at, spread, cost = _solve(trial)
        worst = _worst(residuals_px(at, trial), seen, limit_px[:, points])
        ahead = (np.where(seen, depth(at, views.P), np.inf) > 0).all(axis=0)
        cost = np.where((worst <= 1.0) & ahead, cost, np.inf)
        best, decided = _least(cost, points, RIVAL_COST if size == 2 else 0.0)
        xyz[points[decided]], covariance[points[decided]] = at[decided], spread[decided]
        used[:, points[decided]] = seen[:, decided]
        unsolved[points[best]] = False
    return xyz, covariance, used


def _least(cost: Array, points: Array, lead: float) -> tuple[Array, Array]:
    """Return the trials of least finite cost, one per point, and those no rival comes near.

    Args:
        cost: Of M trials, (M,).
        points: To which point each trial belongs, (M,).
        lead: By how much the best trial of a point must beat the next one.
    """
    order = np.lexsort((cost, points))
    is_first = np.diff(points[order], prepend=-1) > 0
    rival = np.append(cost[order][1:], np.inf)
    rival[np.append(is_first[1:], True)] = np.inf  # the next trial is of another point
    best = is_first & np.isfinite(cost[order])
    return order[best], order[best & (rival - np.where(best, cost[order], 0.0) >= lead)]


def _subsets(seen: Array, size: int) -> tuple[Array, Array]:
    """Return each set of ``size`` views, fewer than saw the point: points (M,), seen (C, M)."""
    C = len(seen)
    chosen = np.array([[c in s for c in range(C)] for s in combinations(range(C), size)])  # (S, C)
    contained = ~(chosen[:, :, None] & ~seen).any(axis=1)  # (S, N)
    subset, point = np.nonzero(contained & (np.count_nonzero(seen, axis=0) > size))
    return point, chosen[subset].T
