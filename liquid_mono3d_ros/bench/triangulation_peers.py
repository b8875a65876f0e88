"""Other ways to triangulate, and ours, as functions of cameras and pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
from scipy.optimize import least_squares

from liquid_mono3d_ros.bench.triangulation_scenes import look, views_of
from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.geometry.agreement import locate
from liquid_mono3d_ros.geometry.camera import Camera
from liquid_mono3d_ros.geometry.triangulation import triangulate_dlt

Method = Callable[[Sequence[Camera], Array], Array]
"""Cameras and raw pixels (C, N, 2) → points (N, 3) m; NaN without an answer."""


def ours(cameras: Sequence[Camera], uv: Array) -> Array:
    """Locate with views left out beyond four sigmas of 1 px."""
    return locate(views_of(cameras, uv), np.full(uv.shape[:2], 4.0)).xyz


def dlt(cameras: Sequence[Camera], uv: Array) -> Array:
    """Solve the linear equations of all views, as our start does."""
    views = views_of(cameras, uv)
    return triangulate_dlt(views.P, views.uv, views.seen)


def opencv_pair(cameras: Sequence[Camera], uv: Array) -> Array:
    """``cv2.triangulatePoints`` of the first two cameras; it takes no more."""
    views = views_of(cameras, uv)
    found = cv2.triangulatePoints(views.P[0], views.P[1], views.uv[0].T, views.uv[1].T)
    return np.asarray(found[:3] / found[3]).T


def huber(cameras: Sequence[Camera], uv: Array) -> Array:
    """``scipy.optimize.least_squares``, Huber loss at 1.345 px, from the DLT, one by one."""

    def fit(start: Array, seen: Array) -> Array:
        def residual(xyz: Array) -> Array:
            error = look(cameras, xyz[None])[:, 0] - seen
            return np.where(np.isfinite(error), error, 1e3).ravel()

        return np.asarray(least_squares(residual, start, loss="huber", f_scale=1.345).x)

    starts = dlt(cameras, uv)
    return np.array([fit(start, uv[:, n]) for n, start in enumerate(starts)])


def aniposelib_linear(cameras: Sequence[Camera], uv: Array) -> Array:
    """``CameraGroup.triangulate`` of aniposelib."""
    return np.asarray(_group(cameras).triangulate(uv))


def aniposelib_ransac(cameras: Sequence[Camera], uv: Array) -> Array:
    """``CameraGroup.triangulate_ransac`` of aniposelib."""
    return np.asarray(_group(cameras).triangulate_ransac(uv, min_cams=2)[0])


def _group(cameras: Sequence[Camera]) -> Any:
    from aniposelib.cameras import Camera as Peer
    from aniposelib.cameras import CameraGroup

    peers = []
    for c in cameras:
        rotation = cv2.Rodrigues(c.R_cw)[0][:, 0]
        dist = np.pad(c.D, (0, 5 - len(c.D)))
        size = (c.width, c.height)
        peers.append(Peer(c.K, dist, size=size, rvec=rotation, tvec=c.t_cw, name=c.name))
    return CameraGroup(peers)
