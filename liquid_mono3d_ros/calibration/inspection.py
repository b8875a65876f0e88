"""What a rig can do, and what is wrong with it, from its numbers alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from liquid_mono3d_ros.calibration.projection import project_with_jacobians
from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.geometry.camera import Camera
from liquid_mono3d_ros.geometry.health import MIN_BASELINE
from liquid_mono3d_ros.geometry.rig import Rig

HONEST = 0.15
"""Depth sigma over depth up to which covariances are honest; beyond, points lie too far away."""
DISTANCES = (1.0, 2.0, 5.0, 10.0)
"""At which the depth is judged, m."""
ROOM = np.geomspace(0.2, 500.0, 40)
"""Distances at which cameras may have a view in common, m."""


@dataclass(frozen=True)
class CameraInspection:
    """One camera.

    Attributes:
        field_of_view: Across and down through the image's middle, (2,) rad; NaN beyond the lens.
        axis: Where it looks, unit vector in the world, (3,).
        invertible: Part of the image in which the distortion can be undone, 0 to 1.
    """

    field_of_view: Array
    axis: Array
    invertible: float


@dataclass(frozen=True)
class PairInspection:
    """Two cameras; distances are from the first one.

    Attributes:
        baseline: Between the centres, m.
        angle: Between the optical axes, rad.
        overlap: Part of the first one's image that the second one sees too, at ``DISTANCES``.
        depth_sigma: Median over that part of the standard deviation along the first one's ray when
            each coordinate of a pixel has 1 px, at ``DISTANCES``, m; NaN without a common view.
        reach: Distance up to which it is less than ``HONEST`` of the distance, m; infinite beyond
            500 m, NaN if they see nothing in common.
    """

    baseline: float
    angle: float
    overlap: Array
    depth_sigma: Array
    reach: float


@dataclass(frozen=True)
class Problem:
    """What is wrong, in a sentence that says what to do; an error leaves no use of the rig."""

    is_error: bool
    sentence: str


@dataclass(frozen=True)
class Inspection:
    """What a rig can do, and what is wrong with it."""

    cameras: Mapping[str, CameraInspection]
    pairs: Mapping[tuple[str, str], PairInspection]
    problems: tuple[Problem, ...]


def inspect_rig(rig: Rig) -> Inspection:
    """Return what a rig can do, and what is wrong with it."""
    cameras = {name: inspect_camera(camera) for name, camera in rig.cameras.items()}
    pairs = {
        (a.name, b.name): inspect_pair(a, b) for a, b in combinations(rig.cameras.values(), 2)
    }
    problems = (
        *_of_cameras(rig, cameras),
        *_of_pairs(pairs),
        *_of_views(rig, pairs),
        *_of_world(rig),
    )
    return Inspection(cameras, pairs, problems)


def inspect_camera(camera: Camera) -> CameraInspection:
    """Return what one camera sees."""
    invertible = np.isfinite(camera.undistort(_pixels(camera, 32, 24))).all(axis=1).mean()
    left, right, top, bottom = camera.undistort(_edges(camera))
    width = np.arctan(right[0]) - np.arctan(left[0])
    height = np.arctan(bottom[1]) - np.arctan(top[1])
    return CameraInspection(np.array([width, height]), camera.R_cw[2], float(invertible))


def inspect_pair(a: Camera, b: Camera) -> PairInspection:
    """Return what two cameras see together, and how well they tell the distance."""
    overlap, sigma = zip(*(_at_distance(a, b, distance) for distance in DISTANCES), strict=True)
    return PairInspection(
        baseline=float(np.linalg.norm(a.centre - b.centre)),
        angle=float(np.arccos(np.clip(a.R_cw[2] @ b.R_cw[2], -1.0, 1.0))),
        overlap=np.array(overlap),
        depth_sigma=np.array(sigma),
        reach=_reach(a, b),
    )


def _edges(camera: Camera) -> Array:
    """Return the middles of the left, right, upper and lower edge, (4, 2) px."""
    u, v = camera.width - 0.5, camera.height - 0.5
    cx, cy = (camera.width - 1) / 2, (camera.height - 1) / 2
    return np.array([[-0.5, cy], [u, cy], [cx, -0.5], [cx, v]])


def _pixels(camera: Camera, across: int, down: int) -> Array:
    """Return the middles of the cells of a grid over the image, (N, 2) px."""
    u = (np.arange(across) + 0.5) * camera.width / across - 0.5
    v = (np.arange(down) + 0.5) * camera.height / down - 0.5
    return np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 2)


def _at_distance(a: Camera, b: Camera, distance: float) -> tuple[float, float]:
    """Return the common part of the view, and the median depth sigma there, m."""
    rays = np.column_stack([a.undistort(_pixels(a, 12, 9)), np.ones(108)])
    rays = rays[np.isfinite(rays).all(axis=1)]
    if not len(rays):
        return 0.0, float("nan")
    directions = rays @ a.R_cw / np.linalg.norm(rays, axis=1)[:, None]  # in the world
    xyz = a.centre + distance * directions
    uv = b.project(xyz)
    seen = ((uv >= -0.5) & (uv <= (b.width - 0.5, b.height - 0.5))).all(axis=1)
    if not seen.any():
        return 0.0, float("nan")
    return float(seen.mean()), float(np.median(_depth_sigma(a, b, xyz[seen], directions[seen])))


def _depth_sigma(a: Camera, b: Camera, xyz: Array, directions: Array) -> Array:
    """Return the standard deviation along the rays by 1 px of noise, (N,) m; huge if unknown."""
    information = np.zeros((len(xyz), 3, 3))
    for camera in (a, b):
        xyz_camera = xyz @ camera.R_cw.T + camera.t_cw
        slope = project_with_jacobians(camera.model, camera.K, camera.D, xyz_camera)[1]
        slope = slope @ camera.R_cw  # (N, 2, 3) px/m
        information += slope.transpose(0, 2, 1) @ slope
    weakest = 1e-12 * np.trace(information, axis1=1, axis2=2)[:, None, None]
    covariance = np.linalg.inv(information + weakest * np.eye(3))
    return np.asarray(np.sqrt(np.einsum("ni,nij,nj->n", directions, covariance, directions)))


def _reach(a: Camera, b: Camera) -> float:
    """Return the farthest common distance at which the depth is known well enough."""
    ratio = np.array([_at_distance(a, b, distance)[1] / distance for distance in ROOM])
    good = np.flatnonzero(ratio <= HONEST)
    if np.isnan(ratio).all():
        return float("nan")
    if not len(good):
        return 0.0
    last = int(good[-1])
    if last + 1 == len(ROOM):
        return float("inf")
    if np.isnan(ratio[last + 1]):  # the views part before the depth gets too uncertain
        return float(ROOM[last])
    part = (HONEST - ratio[last]) / (ratio[last + 1] - ratio[last])
    return float(ROOM[last] + part * (ROOM[last + 1] - ROOM[last]))


def _of_cameras(rig: Rig, cameras: Mapping[str, CameraInspection]) -> Iterable[Problem]:
    for name, camera in rig.cameras.items():
        (fx, fy), (cx, cy) = camera.K[[0, 1], [0, 1]], camera.K[:2, 2]
        if not (0 <= cx < camera.width and 0 <= cy < camera.height):
            yield Problem(
                True,
                f"{name}: the principal point ({cx:.0f}, {cy:.0f}) is outside the image of "
                f"{camera.width}x{camera.height}: was it calibrated at another size?",
            )
        elif abs(cx / camera.width - 0.5) > 0.2 or abs(cy / camera.height - 0.5) > 0.2:
            yield Problem(
                False,
                f"{name}: the principal point ({cx:.0f}, {cy:.0f}) is far from the middle of "
                f"{camera.width}x{camera.height}: right for a cropped image only.",
            )
        if not 0.8 < fx / fy < 1.25:
            yield Problem(
                False,
                f"{name}: fx and fy differ, {fx:.0f} and {fy:.0f} px: right only if the image "
                "was stretched.",
            )
        if cameras[name].invertible < 1:
            yield Problem(
                False,
                f"{name}: the distortion cannot be undone in {1 - cameras[name].invertible:.0%} "
                "of the image, and tracks there are lost: calibrate with corners at the edges.",
            )
        if abs(camera.time_offset) > 1.0:
            yield Problem(
                False,
                f"{name}: a time_offset of {camera.time_offset:g} s is large: it is in seconds.",
            )


def _of_pairs(pairs: Mapping[tuple[str, str], PairInspection]) -> Iterable[Problem]:
    for (a, b), pair in pairs.items():
        if pair.baseline < MIN_BASELINE:
            yield Problem(
                True,
                f"{a} and {b} are {1000 * pair.baseline:.1f} mm apart, at one place, so they give "
                "no depth: measure their poses (liquid-mono3d calibrate).",
            )
        elif pair.reach < DISTANCES[1]:
            yield Problem(
                False,
                f"{a} and {b} are {pair.baseline:.3g} m apart, a weak baseline: beyond "
                f"{pair.reach:.1f} m the depth is uncertain by more than {HONEST:.0%}.",
            )


def _of_views(rig: Rig, pairs: Mapping[tuple[str, str], PairInspection]) -> Iterable[Problem]:
    for name in rig.cameras:
        own = [pair for names, pair in pairs.items() if name in names]
        if all(np.isnan(pair.reach) for pair in own):
            yield Problem(
                True,
                f"{name} looks away: it sees nothing that another camera sees, from 0.2 to 500 m. "
                "Is its pose R_cw, t_cw and not that of the camera in the world?",
            )


def _of_world(rig: Rig) -> Iterable[Problem]:
    if rig.up is None:
        yield Problem(
            False,
            "The world has no up, so nothing is said to rise or fall: add `up: [0, 0, 1]` if its "
            "z axis is up, or calibrate with --world board:NUMBER.",
        )
