"""Which cameras do not agree with the rest on what they saw."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from scipy import stats

from liquid_mono3d_ros.calibration.observations import Observations
from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.geometry.rig import Rig
from liquid_mono3d_ros.geometry.triangulation import Views, refine, residuals_px, triangulate_dlt

AGREE = 1.3
"""Cameras whose residuals are at most this many times what their noise explains agree."""
RELIEF, PAIR_RELIEF = 1.3, 3.0
"""A camera is to blame if the others agree this many times better without it. Two others must
agree much better: two cameras can only disagree across their epipolar lines."""


def disagreeing(rig: Rig, observations: Observations) -> tuple[str, ...]:
    """Return the cameras to blame: the fewest without which the others agree.

    Every set of cameras is tried, the small ones first; each further camera that is blamed must
    bring its own relief. With two cameras nobody can say which one is wrong, and none is named.
    """
    cameras = observations.cameras
    blamed: tuple[str, ...] = ()
    least = misfit(rig, observations, cameras)
    for count in range(1, len(cameras) - 1):
        if least <= AGREE:
            break
        without = {
            some: misfit(rig, observations, [name for name in cameras if name not in some])
            for some in combinations(cameras, count)
        }
        worst = min(without, key=lambda some: without[some])
        relief = PAIR_RELIEF if len(cameras) - count == 2 else RELIEF
        if without[worst] * relief ** (count - len(blamed)) < least:
            blamed, least = worst, without[worst]
    return blamed


def misfit(rig: Rig, observations: Observations, cameras: Sequence[str]) -> float:
    """Return how many times larger the residuals are than the noise explains; 1 is right.

    The median over all points of χ² over its own median, so that gross errors do not count. NaN
    if no point was seen by two of the cameras.
    """
    views = views_of(rig, observations, cameras)
    residual_px = refine(triangulate_dlt(views.P, views.uv, views.seen), views)[2]
    chi2 = np.nansum(np.square(residual_px).sum(axis=2) / views.covariance_px[..., 0, 0], axis=0)
    count = np.count_nonzero(views.seen, axis=0)
    located = count >= 2
    if not located.any():
        return float("nan")
    expected = stats.chi2.median(2 * count[located] - 3)
    return float(np.sqrt(np.median(chi2[located] / expected)))


def located_by(rig: Rig, observations: Observations, cameras: Sequence[str]) -> Array:
    """Return where some of the cameras see each object, (N, 3) m; NaN with fewer than two."""
    views = views_of(rig, observations, cameras)
    return refine(triangulate_dlt(views.P, views.uv, views.seen), views)[0]


def residuals_of(rig: Rig, observations: Observations, xyz: Array) -> Array:
    """Return measured minus projected in every camera, (C, N, 2) px; NaN where not seen."""
    return residuals_px(xyz, views_of(rig, observations, observations.cameras))


def views_of(rig: Rig, observations: Observations, cameras: Sequence[str]) -> Views:
    """Return the observations without distortion, as only some of the cameras saw them."""
    uv = np.zeros(observations.uv.shape)
    scale = np.zeros((*observations.uv.shape, 2)) + np.eye(2)
    seen = observations.seen.copy()
    for c, name in enumerate(observations.cameras):
        seen[c] &= name in cameras
        rows = np.flatnonzero(seen[c])
        uv[c, rows], scale[c, rows] = rig.cameras[name].undistort_with_jacobian(
            observations.uv[c, rows]
        )
        seen[c] &= np.isfinite(uv[c]).all(axis=1)
    variance = np.where(seen, observations.sigma_px, 1.0) ** 2
    P = np.array([rig.cameras[name].P for name in observations.cameras])
    return Views(P, uv, seen, variance[..., None, None] * np.eye(2), scale)
