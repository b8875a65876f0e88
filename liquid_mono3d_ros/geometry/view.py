"""One camera's tracks at the common time, undistorted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.geometry.camera import Camera
from liquid_mono3d_ros.geometry.timing import Evaluated
from liquid_mono3d_ros.geometry.triangulation import turning


@dataclass(frozen=True)
class View:
    """N tracks of one camera, in normalised coordinates.

    Attributes:
        camera: At its pose of that instant.
        rows: track_id → row.
        uv: Normalised coordinates, (N, 2).
        scale: d raw pixel / d normalised, (N, 2, 2) px.
        inverse_scale: Of ``scale``, (N, 2, 2) 1/px.
        covariance_px: Of the raw pixels, (N, 2, 2) px².
        velocity: Of ``uv``, (N, 2) 1/s; NaN when not known.
        fresh: A detection stands behind it, (N,) bool.
        measured: Not extrapolated, (N,) bool.
        class_id: One word per track, empty when not known; or no words at all.
        stamp: Of the newest image used, ns.
    """

    camera: Camera
    rows: dict[int, int]
    uv: Array
    scale: Array
    inverse_scale: Array
    covariance_px: Array
    velocity: Array
    fresh: Array
    measured: Array
    class_id: tuple[str, ...]
    stamp: int

    @cached_property
    def rays(self) -> Array:
        """The ray of each track in the world, one metre deep, (N, 3)."""
        R_cw = self.camera.R_cw
        return np.asarray(self.uv @ R_cw[:2] + R_cw[2])

    @cached_property
    def covariance(self) -> Array:
        """Of ``uv``, (N, 2, 2)."""
        inverse = self.inverse_scale
        return np.asarray(inverse @ self.covariance_px @ inverse.transpose(0, 2, 1))

    @cached_property
    def pixel_area(self) -> Array:
        """Covariance of ``uv`` by pixels of unit variance, (N, 2, 2)."""
        return np.asarray(self.inverse_scale @ self.inverse_scale.transpose(0, 2, 1))

    @cached_property
    def turned_area(self) -> Array:
        """Covariance of ``uv`` by a camera turned by one radian per axis, (N, 2, 2)."""
        turned = turning(self.uv)
        return np.asarray(turned @ turned.transpose(0, 2, 1))


def view(camera: Camera, tracks: Evaluated) -> View:
    """Undistort a camera's tracks; those outside the domain of its distortion are left out."""
    if tracks.pose is not None:
        camera = camera.at_pose(*tracks.pose)
    uv, scale = camera.undistort_with_jacobian(tracks.uv)
    names, words = tracks.track_id, tracks.class_id
    keep: Array | slice = slice(None)  # costs no copies
    invertible = np.isfinite(uv).all(axis=1)
    if not invertible.all():
        keep = np.flatnonzero(invertible)
        names = [names[row] for row in keep]
        words = tuple(words[row] for row in keep) if words else ()
    inverse_scale = _inverse_2x2(scale[keep])
    return View(
        camera=camera,
        rows={name: row for row, name in enumerate(names)},
        uv=uv[keep],
        scale=scale[keep],
        inverse_scale=inverse_scale,
        covariance_px=tracks.covariance[keep],
        velocity=(inverse_scale @ tracks.velocity[keep][..., None])[..., 0],
        fresh=tracks.fresh[keep],
        measured=tracks.measured[keep],
        class_id=words,
        stamp=tracks.stamp,
    )


def _inverse_2x2(A: Array) -> Array:
    inverse = np.empty(A.shape)
    inverse[..., 0, 0], inverse[..., 1, 1] = A[..., 1, 1], A[..., 0, 0]
    inverse[..., 0, 1], inverse[..., 1, 0] = -A[..., 0, 1], -A[..., 1, 0]
    det = A[..., 0, 0] * A[..., 1, 1] - A[..., 0, 1] * A[..., 1, 0]
    return np.asarray(inverse / det[..., None, None])
