"""How good a calibration is: numbers per camera and pair, and sentences on what to do better."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from liquid_mono3d_ros.calibration.boards import Board, Corners
from liquid_mono3d_ros.calibration.extrinsics import Calibration, Views
from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.geometry.camera import Camera

ENOUGH_VIEWS = 10
ENOUGH_TILT = np.radians(20)
ENOUGH_COVERAGE = 0.5
GOOD_RMS = 1.0
GOOD_FOCAL_SIGMA = 0.01
GRID = (8, 6)
"""Cells across and down in which corners are counted."""


@dataclass(frozen=True)
class CameraQuality:
    """How well one camera is known.

    Attributes:
        num_views: Images used.
        rms_px: Root mean square of the lengths of the residuals, px.
        focal: fx and fy, (2,) px.
        focal_sigma: Of them, (2,) px.
        coverage: Part of the image's cells in which there is a corner, 0 to 1.
        tilt: Largest angle between the board and the image plane, rad.
    """

    num_views: int
    rms_px: float
    focal: Array
    focal_sigma: Array
    coverage: float
    tilt: float


@dataclass(frozen=True)
class PairQuality:
    """How well two cameras agree.

    Attributes:
        num_shared: Image sets in which both see the board.
        epipolar_px: Distance of each corner from the line of its partner, (N,) px.
        baseline: Between the centres, m.
    """

    num_shared: int
    epipolar_px: Array
    baseline: float


def camera_quality(
    calibration: Calibration, board: Board, views: Views
) -> dict[str, CameraQuality]:
    """Return how well each camera is known; ``views`` as they were given to the calibration."""
    return {
        name: _camera(calibration, camera, board, views[name])
        for name, camera in calibration.rig.cameras.items()
    }


def pair_quality(calibration: Calibration, views: Views) -> dict[tuple[str, str], PairQuality]:
    """Return how well each two cameras agree."""
    pairs = {}
    for a, b in combinations(calibration.rig.cameras.values(), 2):
        shared = sorted(
            set(calibration.residual_px[a.name]) & set(calibration.residual_px[b.name])
        )
        distances = [_epipolar(a, b, views[a.name][k], views[b.name][k]) for k in shared]
        pairs[a.name, b.name] = PairQuality(
            len(shared),
            np.concatenate([np.zeros(0), *distances]),
            float(np.linalg.norm(a.centre - b.centre)),
        )
    return pairs


def advice(
    board: Board,
    cameras: Mapping[str, CameraQuality],
    pairs: Mapping[tuple[str, str], PairQuality],
) -> Iterable[str]:
    """Yield a sentence for each thing that could be better, with what to do."""
    if board.is_ambiguous:
        yield (
            f"A chessboard of {board.columns}x{board.rows} inner corners looks the same upside "
            "down: use one with an odd and an even number."
        )
    for name, camera in cameras.items():
        if camera.num_views < ENOUGH_VIEWS:
            yield f"{name}: {camera.num_views} views are few: take 15 or more."
        if camera.tilt < ENOUGH_TILT:
            yield (
                f"{name}: the board was never tilted by more than {np.degrees(camera.tilt):.0f} "
                "deg, so focal length and distance are mixed up: tilt it by 30 deg, both ways."
            )
        if camera.coverage < ENOUGH_COVERAGE:
            yield (
                f"{name}: corners cover {camera.coverage:.0%} of the image: bring the board into "
                "its corners and edges, or the distortion there is a guess."
            )
        if camera.rms_px > GOOD_RMS:
            yield (
                f"{name}: RMS {camera.rms_px:.2f} px is much: is the board flat, the image sharp "
                "and the model right?"
            )
        if (camera.focal_sigma > GOOD_FOCAL_SIGMA * camera.focal).any():
            yield f"{name}: the focal length is known to worse than 1 %: take near, tilted views."
    for (a, b), pair in pairs.items():
        if 0 < pair.num_shared < ENOUGH_VIEWS:
            yield f"{a} and {b} share {pair.num_shared} views: take 10 or more that both see."
        if len(pair.epipolar_px) and np.median(pair.epipolar_px) > GOOD_RMS:
            yield (
                f"{a} and {b} disagree by {np.median(pair.epipolar_px):.1f} px: are the images of "
                "a set taken at the same time, and paired rightly?"
            )


def _camera(
    calibration: Calibration, camera: Camera, board: Board, views: Mapping[int, Corners]
) -> CameraQuality:
    residual = calibration.residual_px[camera.name]
    lengths2 = np.concatenate([np.square(r).sum(axis=1) for r in residual.values()])
    uv = np.concatenate([views[k].uv for k in residual])
    normals = [camera.R_cw @ calibration.boards[k][0][:, 2] for k in residual]
    return CameraQuality(
        num_views=len(residual),
        rms_px=float(np.sqrt(lengths2.mean())),
        focal=camera.K[[0, 1], [0, 1]],
        focal_sigma=calibration.lens_sigma[camera.name][:2],
        coverage=_coverage(uv, camera.width, camera.height),
        tilt=float(max(np.arccos(min(1.0, abs(normal[2]))) for normal in normals)),
    )


def _coverage(uv: Array, width: int, height: int) -> float:
    """Return the part of the cells of a grid over the image that hold a corner."""
    cells = np.floor((uv + 0.5) / (width, height) * GRID).astype(int)
    inside = ((cells >= 0) & (cells < GRID)).all(axis=1)
    return len(np.unique(cells[inside], axis=0)) / (GRID[0] * GRID[1])


def _epipolar(a: Camera, b: Camera, seen_a: Corners, seen_b: Corners) -> Array:
    """Return how far b's corners lie from the epipolar lines of a's, without distortion, px."""
    _, in_a, in_b = np.intersect1d(seen_a.index, seen_b.index, return_indices=True)
    rays_a = np.column_stack([a.undistort(seen_a.uv[in_a]), np.ones(len(in_a))])
    rays_b = np.column_stack([b.undistort(seen_b.uv[in_b]), np.ones(len(in_b))])
    R = b.R_cw @ a.R_cw.T
    lines = np.cross(b.t_cw - R @ a.t_cw, rays_a @ R.T)  # (N, 3) in b, normalised coordinates
    gap = np.einsum("ni,ni->n", lines, rays_b)
    focal = b.K[[0, 1], [0, 1]]
    return np.asarray(np.abs(gap) / np.linalg.norm(lines[:, :2] / focal, axis=1))
