"""Lens and image centre of one camera, from its own views of a board."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from liquid_mono3d_ros.calibration.boards import Board, Corners
from liquid_mono3d_ros.calibration.projection import project_with_jacobians
from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.settings import Settings, setting

Pose = tuple[Array, Array]
"""Rotation (3, 3) and translation (3,) m: ``x_target = R x + t``."""


@dataclass(frozen=True)
class CalibrationSettings(Settings):
    """Values of the calibration with a board."""

    model: str = setting(
        "plumb_bob",
        "Lens: plumb_bob (ordinary), rational_polynomial (wide), equidistant (fisheye)",
        choices=("plumb_bob", "rational_polynomial", "equidistant"),
    )
    min_views: int = setting(
        3, "Views of the board without which nothing is known", bounds=(3, 99)
    )
    outlier_ratio: float = setting(
        3.0,
        "A view whose RMS is more than this many times the median of the camera is left out",
        bounds=(1.0, 1e6),
    )
    outlier_px: float = setting(0.5, "And more than this", unit="px", bounds=(0.0, 1e6))


@dataclass(frozen=True)
class Intrinsics:
    """One calibrated lens; a view is known by the number of its image set.

    Attributes:
        model: As in ``Camera``.
        K: (3, 3) px.
        D: Distortion coefficients, (n,).
        poses: View → pose of the board in the camera.
        rms_px: View → root mean square of the lengths of its residuals, px.
        left_out: View → why it was not used.
    """

    model: str
    K: Array
    D: Array
    poses: Mapping[int, Pose]
    rms_px: Mapping[int, float]
    left_out: Mapping[int, str]


def calibrate_intrinsics(
    name: str,
    board: Board,
    views: Mapping[int, Corners],
    size: tuple[int, int],
    settings: CalibrationSettings,
) -> Intrinsics:
    """Return the lens that explains the views best, without those that contradict the rest.

    Source: Zhang, A flexible new technique for camera calibration, 2000, as OpenCV implements it.

    Args:
        name: Of the camera, for the errors.
        board: What is seen.
        views: Number of the image set → corners.
        size: Width and height of the images, px.
        settings: Model and limits.

    Raises:
        ValueError: If there are too few views, or they do not determine the lens.
    """
    left_out: dict[int, str] = {}
    while True:
        used = {k: corners for k, corners in views.items() if k not in left_out}
        if len(used) < settings.min_views:
            rule = f"{settings.min_views} or more in which the board is found"
            cure = "Take 15 or more, the whole board visible, and check the board's numbers."
            raise ValueError(complain(f"images of {name}", rule, f"{len(used)}", cure))
        K, D, poses = _solve(name, board, used, size, settings.model)
        rms = {
            k: view_rms(settings.model, K, D, board, poses[k], corners)
            for k, corners in used.items()
        }
        median = float(np.median(list(rms.values())))
        worst = max(rms, key=lambda k: rms[k])
        limit = max(settings.outlier_ratio * median, settings.outlier_px)
        if rms[worst] <= limit:
            return Intrinsics(settings.model, K, D, poses, rms, left_out)
        left_out[worst] = f"RMS {rms[worst]:.2f} px, {rms[worst] / median:.1f} times the median"


def view_rms(model: str, K: Array, D: Array, board: Board, pose: Pose, corners: Corners) -> float:
    """Return the root mean square distance of seen and projected corners, px."""
    R, t = pose
    uv = project_with_jacobians(model, K, D, board.xyz[corners.index] @ R.T + t)[0]
    return float(np.sqrt(np.square(corners.uv - uv).sum(axis=1).mean()))


def _solve(
    name: str, board: Board, views: Mapping[int, Corners], size: tuple[int, int], model: str
) -> tuple[Array, Array, dict[int, Pose]]:
    xyz = [board.xyz[corners.index].astype(np.float32) for corners in views.values()]
    uv = [corners.uv.astype(np.float32) for corners in views.values()]
    solve = _fisheye if model == "equidistant" else _pinhole
    try:
        K, D, rotations, shifts = solve(xyz, uv, size, model)
    except cv2.error as error:
        cure = "Take views from more sides, or choose another model."
        reason = str(error).strip().splitlines()[-1]
        rule = f"enough to determine a {model} lens"
        raise ValueError(complain(f"images of {name}", rule, reason, cure)) from None
    length = {"plumb_bob": 5, "rational_polynomial": 8, "equidistant": 4}[model]
    K = np.array([[K[0, 0], 0, K[0, 2]], [0, K[1, 1], K[1, 2]], [0, 0, 1]])  # no skew
    poses = {
        k: (np.asarray(cv2.Rodrigues(rotation)[0]), np.asarray(shift, dtype=float).reshape(3))
        for k, rotation, shift in zip(views, rotations, shifts, strict=True)
    }
    return K, np.asarray(D, dtype=float).ravel()[:length], poses


def _pinhole(
    xyz: list[Array], uv: list[Array], size: tuple[int, int], model: str
) -> tuple[Any, Any, Any, Any]:
    flags = cv2.CALIB_RATIONAL_MODEL if model == "rational_polynomial" else 0
    guess: Any = None
    return cv2.calibrateCamera(xyz, uv, size, guess, guess, flags=flags)[1:]


def _fisheye(
    xyz: list[Array], uv: list[Array], size: tuple[int, int], _model: str
) -> tuple[Any, Any, Any, Any]:
    """Calibrate with OpenCV's fisheye model, which wants other shapes and types."""
    points = [x.astype(float).reshape(1, -1, 3) for x in xyz]
    pixels = [x.astype(float).reshape(1, -1, 2) for x in uv]
    names = cv2.fisheye if hasattr(cv2.fisheye, "CALIB_FIX_SKEW") else cv2  # OpenCV 4, 5
    flags = names.CALIB_RECOMPUTE_EXTRINSIC | names.CALIB_FIX_SKEW
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 200, 1e-9)
    return cv2.fisheye.calibrate(
        points, pixels, size, np.eye(3), np.zeros(4), flags=flags, criteria=stop
    )[1:]
