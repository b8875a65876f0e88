"""Rigs without a calibration file: two cameras side by side, N cameras in a ring."""

from __future__ import annotations

import math

import numpy as np

from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.geometry.camera import Camera
from liquid_mono3d_ros.geometry.rig import Rig

UP = np.array([0.0, 0.0, 1.0])


def look_at(centre: Array, target: Array) -> tuple[Array, Array]:
    """Return R_cw (3, 3) and t_cw (3,) of an upright camera at ``centre``, looking at ``target``.

    Convention: optical frame, z forward, x right, y down; the world is z-up.

    Raises:
        ValueError: If the camera would look straight up or down, where upright has no meaning.
    """
    forward = (target - centre) / np.linalg.norm(target - centre)
    right = np.cross(forward, UP)
    if not np.linalg.norm(right) > 1e-9:
        raise ValueError(
            complain("target", "beside the camera", "straight above or below", "Move it aside.")
        )
    right = right / np.linalg.norm(right)
    R_cw = np.stack([right, np.cross(forward, right), forward])
    return R_cw, -R_cw @ centre


def pinhole(
    name: str, centre: Array, target: Array, *, width: int, height: int, focal: float
) -> Camera:
    """Return a camera without distortion, its principal point in the middle of the image."""
    R_cw, t_cw = look_at(centre, target)
    return Camera(
        name=name,
        width=width,
        height=height,
        K=np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]]),
        D=np.zeros(0),
        model="plumb_bob",
        R_cw=R_cw,
        t_cw=t_cw,
        frame_id=f"{name}_optical_frame",
    )


def stereo_rig(
    baseline: float = 0.3,
    *,
    height_above_floor: float = 1.0,
    width: int = 640,
    height: int = 480,
    focal: float = 500.0,
) -> Rig:
    """Return ``left`` and ``right``, ``baseline`` metres apart about the z axis, looking along x.

    Args:
        baseline: Between the centres, m.
        height_above_floor: Of both centres, m.
        width: Of the images, px.
        height: Of the images, px.
        focal: Focal length, px.
    """
    if baseline <= 0:
        raise ValueError(complain("baseline", "positive, m", f"{baseline:g}", "Move them apart."))
    cameras = {}
    for name, y in (("left", baseline / 2), ("right", -baseline / 2)):
        centre = np.array([0.0, y, height_above_floor])
        ahead = centre + np.array([1.0, 0.0, 0.0])
        cameras[name] = pinhole(name, centre, ahead, width=width, height=height, focal=focal)
    return Rig(cameras, "world", UP)


def ring_rig(
    num_cameras: int = 4,
    *,
    radius: float = 4.0,
    height_above_floor: float = 2.0,
    target: tuple[float, float, float] = (0.0, 0.0, 1.0),
    width: int = 640,
    height: int = 480,
    focal: float = 500.0,
) -> Rig:
    """Return ``camera0`` … on a level circle about the target, evenly spread, looking at it.

    Args:
        num_cameras: Two or more. The first stands at +x of the target.
        radius: Of the circle, m.
        height_above_floor: Of the cameras, m.
        target: What they look at, m.
        width: Of the images, px.
        height: Of the images, px.
        focal: Focal length, px.
    """
    aim = np.asarray(target, dtype=float)
    cameras = {}
    for k in range(num_cameras):
        angle = 2 * math.pi * k / num_cameras
        x, y = aim[:2] + radius * np.array([math.cos(angle), math.sin(angle)])
        centre, name = np.array([x, y, height_above_floor]), f"camera{k}"
        cameras[name] = pinhole(name, centre, aim, width=width, height=height, focal=focal)
    return Rig(cameras, "world", UP)
