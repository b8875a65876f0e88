"""A calibrated camera: world ↔ raw pixels, pinhole and fisheye."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from liquid_mono3d_ros.checks import Array, check_finite, check_shape, complain
from liquid_mono3d_ros.geometry.rotation import check_rotation

MODELS = {"plumb_bob": (0, 4, 5), "rational_polynomial": (8, 12, 14), "equidistant": (0, 4)}
"""Distortion model as in CameraInfo → allowed numbers of coefficients."""


@dataclass(frozen=True, eq=False)
class Camera:
    """One calibrated camera.

    Normalised coordinates are ``x/z, y/z`` in the camera's optical frame, without distortion.
    Rays 90° or more off the axis have none, so a fisheye is used up to there.

    Convention: ``x_camera = R_cw @ x_world + t_cw``; the centre is ``-R_cw.T @ t_cw``.

    Attributes:
        name: As in ``Tracks2D.camera``.
        width: Of the image, px.
        height: Of the image, px.
        K: Focal lengths and principal point, (3, 3) px, without skew.
        D: Distortion coefficients in OpenCV's order, (n,); empty for none.
        model: ``plumb_bob``, ``rational_polynomial`` or ``equidistant`` (fisheye).
        R_cw: Rotation from world to camera, (3, 3).
        t_cw: World origin in the camera frame, (3,) m.
        frame_id: The optical frame.
        time_offset: True time minus stamp, s.
        readout: Time from the first row's exposure to the last one's, s; 0 for a global shutter.
        sigma_px: One standard deviation of a detection, px, in place of the covariance of the
            tracks; NaN to believe the tracks.
    """

    name: str
    width: int
    height: int
    K: Array
    D: Array
    model: str
    R_cw: Array
    t_cw: Array
    frame_id: str = ""
    time_offset: float = 0.0
    readout: float = 0.0
    sigma_px: float = math.nan

    def __post_init__(self) -> None:
        for name in ("K", "D", "R_cw", "t_cw"):
            object.__setattr__(self, name, np.array(getattr(self, name), dtype=float))
        if self.width <= 0 or self.height <= 0:
            got = f"{self.width}x{self.height}"
            cure = "Give width and height in px."
            raise ValueError(complain("image size", "positive", got, cure))
        _check_intrinsics("K", self.K)
        _check_distortion(self.model, self.D)
        check_rotation("R_cw", self.R_cw)
        check_shape("t_cw", self.t_cw, (3,))
        check_finite("t_cw", self.t_cw)
        _check_clock(self.time_offset, self.readout, self.sigma_px)

    @cached_property
    def centre(self) -> Array:
        """Where the camera is in the world, (3,) m."""
        return np.asarray(-self.R_cw.T @ self.t_cw)

    @cached_property
    def P(self) -> Array:
        """Projection (3, 4) from world metres to normalised coordinates: ``[R_cw | t_cw]``."""
        return np.column_stack([self.R_cw, self.t_cw])

    def at_pose(self, R_cw: Array, t_cw: Array) -> Camera:
        """Return the camera moved to another pose."""
        return dataclasses.replace(self, R_cw=R_cw, t_cw=t_cw)

    def in_front(self, xyz: Array) -> Array:
        """Return which points (N, 3) lie in front of the camera, (N,) bool."""
        return np.asarray(xyz @ self.R_cw[2] + self.t_cw[2] > 0)

    def project(self, xyz: Array) -> Array:
        """Return the raw pixels (N, 2) of points (N, 3) m; NaN behind the camera."""
        check_shape("xyz", xyz, ("N", 3))
        xyz_camera = xyz @ self.R_cw.T + self.t_cw  # (N, 3)
        depth = np.where(xyz_camera[:, 2] > 0, xyz_camera[:, 2], np.nan)
        return self.distort(xyz_camera[:, :2] / depth[:, None])

    def distort(self, normalised: Array) -> Array:
        """Return the raw pixels (N, 2) of normalised coordinates (N, 2)."""
        return self._distort_with_jacobian(normalised)[0]

    def undistort(self, uv: Array) -> Array:
        """Return the normalised coordinates (N, 2) of raw pixels (N, 2).

        NaN where the distortion polynomial has no inverse: far outside the image.
        """
        return self.undistort_with_jacobian(uv)[0]

    def undistort_with_jacobian(self, uv: Array) -> tuple[Array, Array]:
        """Return normalised coordinates (N, 2) and d uv / d normalised there, (N, 2, 2) px.

        OpenCV's fixed-point iteration gives the start; Newton's method makes it exact.
        """
        check_shape("uv", uv, ("N", 2))
        if self._is_linear or len(uv) == 0:
            straight = (uv - self.K[:2, 2]) / self._focal
            return straight, self._distort_with_jacobian(straight)[1]
        source = np.ascontiguousarray(uv, dtype=float)[:, None]  # (N, 1, 2)
        undistort = cv2.fisheye.undistortPoints if self._is_fisheye else cv2.undistortPoints
        normalised = undistort(source, self.K, self._D)[:, 0]
        for _ in range(8):
            predicted, jacobian = self._distort_with_jacobian(normalised)
            error = uv - predicted
            step, det = _solve_2x2(jacobian, error)
            normalised = normalised + step
            if not np.nanmax(np.abs(error), initial=0.0) > 1e-5:
                break
        invertible = (np.abs(error) < 1e-2).all(axis=1) & (det > 0)
        return np.where(invertible[:, None], normalised, np.nan), jacobian

    def _distort_with_jacobian(self, normalised: Array) -> tuple[Array, Array]:
        """Return raw pixels (N, 2) and their derivatives by the coordinates (N, 2, 2)."""
        n = len(normalised)
        if self._is_linear or n == 0:
            jacobian = np.zeros((n, 2, 2))
            jacobian[:, 0, 0], jacobian[:, 1, 1] = self._focal
            return normalised * self._focal + self.K[:2, 2], jacobian
        rays = np.ones((n, 1, 3))
        rays[:, 0, :2] = normalised
        zero = np.zeros(3)
        if self._is_fisheye:
            uv, full = cv2.fisheye.projectPoints(rays, zero, zero, self.K, self._D)
            by_translation = full[:, 11:13]
        else:
            uv, full = cv2.projectPoints(rays, zero, zero, self.K, self._D)
            by_translation = full[:, 3:5]
        return uv[:, 0], by_translation.reshape(n, 2, 2)  # moving a ray's end = moving x/z, y/z

    @cached_property
    def _is_fisheye(self) -> bool:
        return self.model == "equidistant"

    @cached_property
    def _is_linear(self) -> bool:
        return not self._is_fisheye and not self.D.any()

    @cached_property
    def _focal(self) -> Array:
        return self.K[[0, 1], [0, 1]]

    @cached_property
    def _D(self) -> Array:
        return self.D if self.D.size else np.zeros(4)


def camera_from_info(
    name: str,
    *,
    width: int,
    height: int,
    K: Array,
    D: Array,
    R: Array,
    P: Array,
    model: str,
    rectified: bool,
    binning: tuple[int, int] = (1, 1),
    roi: tuple[int, int, int, int] = (0, 0, 0, 0),
    frame_id: str = "",
) -> Camera:
    """Return the camera that a ``sensor_msgs/CameraInfo`` describes.

    The world is the rectified frame of the first (left) camera, where ``P[:, 3]`` puts this one.
    Raw pixels are undistorted with K and D and turned by R into the rectified frame; rectified
    pixels are those of P itself.

    Convention: K and P hold for the full image; binning averages pixels, whose centres thus move
    by half a pixel: ``(c - offset + 0.5) / binning - 0.5``. (image_geometry leaves out the half.)
    Source: sensor_msgs/CameraInfo, its comments.

    Args:
        name: Of the camera.
        width: Of the full image, px.
        height: Of the full image, px.
        K: (3, 3) or 9 numbers.
        D: (n,).
        R: Rectifying rotation, (3, 3) or 9 numbers.
        P: (3, 4) or 12 numbers; all zero leaves a raw camera at the origin.
        model: ``distortion_model``; may be empty when D is.
        rectified: Whether the tracks come from ``image_rect``.
        binning: Along x and y; 0 means 1.
        roi: x offset, y offset, width, height in full pixels; a width of 0 means the full image.
        frame_id: The optical frame.

    Raises:
        ValueError: If the camera is uncalibrated, or a value breaks the rules of ``Camera``.
    """
    K, R, P = (np.asarray(a, dtype=float).reshape(3, -1) for a in (K, R, P))
    needed, matrix = ("P", P) if rectified else ("K", K)
    if not matrix.any():
        got = f"all zeros: {name} is uncalibrated"
        cure = "Calibrate it (camera_calibration), or give a rig file."
        raise ValueError(complain(needed, "set in CameraInfo", got, cure))
    across, down = (max(1, b) for b in binning)
    x, y, roi_width, roi_height = roi if roi[2] else (0, 0, width, height)
    crop = np.array(
        [[1 / across, 0, (0.5 - x) / across - 0.5], [0, 1 / down, (0.5 - y) / down - 0.5]]
    )
    crop = np.vstack([crop, [0, 0, 1]])
    baseline = np.linalg.solve(P[:, :3], P[:, 3]) if P.any() else np.zeros(3)
    if not rectified:
        check_rotation("R", R)
    if rectified or (not model and not np.any(D)):
        model, D = "plumb_bob", np.zeros(0)
    return Camera(
        name=name,
        width=roi_width // across,
        height=roi_height // down,
        K=crop @ (P[:, :3] if rectified else K),
        D=D,
        model=model,
        R_cw=np.eye(3) if rectified else R.T,
        t_cw=baseline if rectified else R.T @ baseline,
        frame_id=frame_id,
    )


def _solve_2x2(A: Array, b: Array) -> tuple[Array, Array]:
    """Return ``A⁻¹ b`` of each pair (N, 2, 2), (N, 2), and the determinants; NaN if singular."""
    det = A[:, 0, 0] * A[:, 1, 1] - A[:, 0, 1] * A[:, 1, 0]
    x = A[:, 1, 1] * b[:, 0] - A[:, 0, 1] * b[:, 1]
    y = A[:, 0, 0] * b[:, 1] - A[:, 1, 0] * b[:, 0]
    return np.stack([x, y], axis=1) / np.where(det == 0, np.nan, det)[:, None], det


def _check_intrinsics(argument: str, K: Array) -> None:
    check_shape(argument, K, (3, 3))
    check_finite(argument, K)
    if K[0, 0] <= 0 or K[1, 1] <= 0:
        got = f"{K[0, 0]:g} and {K[1, 1]:g}: uncalibrated"
        raise ValueError(complain(argument, "of positive focal lengths", got, "Calibrate it."))
    if K[0, 1] != 0 or K[1, 0] != 0 or (K[2] != (0, 0, 1)).any():
        rule = "[[fx, 0, cx], [0, fy, cy], [0, 0, 1]]"
        cure = "Calibrate without skew, as OpenCV does."
        raise ValueError(complain(argument, rule, str(K.tolist()), cure))


def _check_distortion(model: str, D: Array) -> None:
    if model not in MODELS:
        rule = f"one of {', '.join(MODELS)}"
        raise ValueError(complain("model", rule, repr(model), "Calibrate with one of them."))
    check_shape("D", D, ("n",))
    check_finite("D", D)
    if len(D) not in MODELS[model]:
        rule = f"of length {' or '.join(map(str, MODELS[model]))} for {model}"
        raise ValueError(complain("D", rule, f"length {len(D)}", "Check the distortion model."))


def _check_clock(time_offset: float, readout: float, sigma_px: float) -> None:
    if not math.isfinite(time_offset):
        raise ValueError(
            complain("time_offset", "finite", f"{time_offset}", "Give seconds; 0 if unknown.")
        )
    if not 0 <= readout < 1:
        cure = "Give the seconds from first to last row."
        raise ValueError(complain("readout", "in 0 to 1 s", f"{readout:g}", cure))
    if sigma_px <= 0:
        cure = "Leave it out to believe the tracks."
        raise ValueError(complain("sigma_px", "positive", f"{sigma_px:g}", cure))
