"""Rigs, points and pixels whose truth is known, for the bench of the triangulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.geometry.camera import Camera
from liquid_mono3d_ros.geometry.triangulation import Views
from liquid_mono3d_ros.synth.rigs import pinhole, ring_rig, stereo_rig

Cameras = list[Camera]
BARREL = np.array([-0.25, 0.08, 5e-4, -3e-4, 0.0])
FISHEYE = np.array([0.05, -0.01, 2e-3, -5e-4])


def room() -> Cameras:
    """Return four 1920×1080 cameras of 1400 px in the upper corners of a room of 6 × 6 m."""
    corners = ((3.0, 3.0), (-3.0, 3.0), (-3.0, -3.0), (3.0, -3.0))
    middle = np.array([0.0, 0.0, 1.0])
    return [
        pinhole(f"corner{k}", np.array([x, y, 2.5]), middle, width=1920, height=1080, focal=1400.0)
        for k, (x, y) in enumerate(corners)
    ]


def in_room(rng: np.random.Generator, num: int) -> Array:
    """Return points where people move in the room, (N, 3) m."""
    return rng.uniform([-1.5, -1.5, 0.0], [1.5, 1.5, 2.0], (num, 3))


def ahead(rng: np.random.Generator, num: int, distance: float) -> Array:
    """Return points about so far in front of a stereo pair, (N, 3) m."""
    return rng.uniform([0.9, -0.25, -0.2], [1.1, 0.25, 0.2], (num, 3)) * distance + [0, 0, 1.0]


def rigs() -> dict[str, tuple[Cameras, float]]:
    """Return cameras by name, with the distance of the points before a pair, m; NaN in a room."""
    ring = list(ring_rig(6).cameras.values())
    wide = [
        replace(c, K=np.array([[320.0, 0, 319.5], [0, 320.0, 239.5], [0, 0, 1]])) for c in ring
    ]
    return {
        "room of 4": (room(), np.nan),
        "ring of 6": (ring, np.nan),
        "ring of 3": (list(ring_rig(3).cameras.values()), np.nan),
        "room, barrel distortion": ([replace(c, D=BARREL) for c in room()], np.nan),
        "ring of 6, fisheye": (
            [replace(c, D=FISHEYE, model="equidistant") for c in wide],
            np.nan,
        ),
        "stereo 0.3 m, at 4 m": (list(stereo_rig(0.3).cameras.values()), 4.0),
        "stereo 0.3 m, at 10 m": (list(stereo_rig(0.3).cameras.values()), 10.0),
        "stereo 1 m, at 10 m": (list(stereo_rig(1.0).cameras.values()), 10.0),
    }


def points_for(rng: np.random.Generator, num: int, distance: float) -> Array:
    """Return points that all cameras of a rig see, (N, 3) m."""
    return in_room(rng, num) if np.isnan(distance) else ahead(rng, num, distance)


def look(cameras: Sequence[Camera], xyz: Array) -> Array:
    """Return the pixels of points (N, 3) in every camera, (C, N, 2)."""
    return np.array([camera.project(xyz) for camera in cameras])


def views_of(cameras: Sequence[Camera], uv: Array, sigma_px: Array | float = 1.0) -> Views:
    """Return pixels (C, N, 2) as the triangulation takes them.

    Args:
        cameras: C.
        uv: Raw pixels, (C, N, 2).
        sigma_px: Standard deviation of each, broadcast to (C, N).
    """
    pairs = [c.undistort_with_jacobian(seen) for c, seen in zip(cameras, uv, strict=True)]
    variance = np.broadcast_to(np.square(sigma_px), uv.shape[:2])
    normalised = np.array([pair[0] for pair in pairs])
    return Views(
        P=np.array([camera.P for camera in cameras]),
        uv=normalised,
        seen=np.isfinite(normalised).all(axis=2),
        covariance_px=variance[..., None, None] * np.eye(2),
        scale=np.array([pair[1] for pair in pairs]),
    )


def spoil(rng: np.random.Generator, uv: Array, kind: str, share: float = 0.05) -> Array:
    """Return the pixels with gross errors in a share of all sightings.

    Args:
        rng: Of the draws.
        uv: (C, N, 2) px, of 1920×1080 images.
        kind: ``moved`` by 70 px (one sigma per axis), or ``anywhere`` in the image.
        share: Of the sightings.
    """
    bad = rng.random(uv.shape[:2]) < share
    count = np.count_nonzero(bad)
    spoiled = uv.copy()
    if kind == "moved":
        spoiled[bad] += rng.normal(0.0, 70.0, (count, 2))
    else:
        spoiled[bad] = rng.uniform([0.0, 0.0], [1920.0, 1080.0], (count, 2))
    return spoiled


def turned(camera: Camera, rotation: Array) -> Camera:
    """Return a camera turned about its centre by a rotation vector in its own axes, (3,) rad."""
    R_cw = cv2.Rodrigues(rotation)[0] @ camera.R_cw
    return camera.at_pose(R_cw, -R_cw @ camera.centre)
