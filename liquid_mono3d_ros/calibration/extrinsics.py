"""All cameras and all board poses in one least-squares problem → Rig with standard deviations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from liquid_mono3d_ros.calibration.adjustment import Equations, Solution, minimise, stack
from liquid_mono3d_ros.calibration.boards import Board, Corners
from liquid_mono3d_ros.calibration.intrinsics import (
    CalibrationSettings,
    Intrinsics,
    Pose,
    calibrate_intrinsics,
)
from liquid_mono3d_ros.calibration.projection import (
    by_turn,
    project_with_jacobians,
    turned_and_moved,
)
from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.geometry.camera import Camera
from liquid_mono3d_ros.geometry.rig import Rig

Views = Mapping[str, Mapping[int, Corners]]
"""Camera → number of the image set → corners found in its image."""


@dataclass(frozen=True)
class Calibration:
    """A rig made from views of a board.

    Attributes:
        rig: World: the optical frame of the first camera.
        boards: Image set → pose of the board in the world.
        residual_px: Camera → image set → seen minus projected, (N, 2) px.
        lens_sigma: Camera → one standard deviation of fx, fy, cx, cy and D, (4 + n,).
        baseline_sigma: Camera but the first → of its distance from the first camera, m.
        left_out: Camera → image set → why its image was not used.
    """

    rig: Rig
    boards: Mapping[int, Pose]
    residual_px: Mapping[str, Mapping[int, Array]]
    lens_sigma: Mapping[str, Array]
    baseline_sigma: Mapping[str, float]
    left_out: Mapping[str, Mapping[int, str]]


@dataclass(frozen=True)
class _State:
    """Lenses, poses of the cameras in the world, poses of the boards in the world."""

    lenses: Mapping[str, tuple[Array, Array]]
    cameras: Mapping[str, Pose]
    boards: Mapping[int, Pose]


def calibrate_rig(
    board: Board,
    views: Views,
    sizes: Mapping[str, tuple[int, int]],
    settings: CalibrationSettings | None = None,
) -> Calibration:
    """Return the rig that explains all views best.

    Each lens comes from its own camera's views; chained poses of the boards place the cameras;
    then lenses, cameras and boards are moved together to the least squared residuals. Standard
    deviations rest on the residuals that remain, as if they were white.

    Args:
        board: That all images show.
        views: Of each camera; the first camera gives the world.
        sizes: Camera → width and height of its images, px.
        settings: Model and limits.

    Raises:
        ValueError: If there are too few views, or a camera shares too few with the others.
    """
    settings = settings or CalibrationSettings()
    if len(views) < 2:
        cure = "Name the images of each camera: 'left=left*.jpg' 'right=right*.jpg'."
        raise ValueError(complain("images", "of two or more cameras", f"{len(views)}", cure))
    lenses = {
        name: calibrate_intrinsics(name, board, views[name], sizes[name], settings)
        for name in views
    }
    start = _chain(lenses, settings.min_views)
    used = {
        name: {k: views[name][k] for k in lens.poses if k in start.boards}
        for name, lens in lenses.items()
    }
    problem = _Problem(board, used, settings.model)
    solution = minimise(start, problem.equations, problem.moved)
    lens_sigma, baseline_sigma = problem.sigmas(solution)
    cameras = {
        name: Camera(
            name, *sizes[name], K, D, settings.model, *solution.state.cameras[name],
            frame_id=f"{name}_optical_frame",
        )
        for name, (K, D) in solution.state.lenses.items()
    }  # fmt: skip
    return Calibration(
        rig=Rig(cameras, world_frame=f"{next(iter(cameras))}_optical_frame"),
        boards=solution.state.boards,
        residual_px=problem.residuals(solution.state),
        left_out={name: lens.left_out for name, lens in lenses.items()},
        lens_sigma=lens_sigma,
        baseline_sigma=baseline_sigma,
    )


def world_on_board(calibration: Calibration, number: int) -> Rig:
    """Return the rig with its world on the board of an image set, z up out of the board.

    Convention: x along the board's columns, y against its rows, z towards the cameras.

    Raises:
        ValueError: If the board was not seen there.
    """
    if number not in calibration.boards:
        rule = f"one of {', '.join(map(str, sorted(calibration.boards)))}"
        cure = "Choose a set in which the board was found."
        raise ValueError(complain("world", rule, f"board:{number}", cure))
    R, t = calibration.boards[number]
    R_flip = np.diag([1.0, -1.0, -1.0])
    cameras = {
        name: camera.at_pose(camera.R_cw @ R @ R_flip, camera.R_cw @ t + camera.t_cw)
        for name, camera in calibration.rig.cameras.items()
    }
    return Rig(cameras, world_frame="world", up=np.array([0.0, 0.0, 1.0]))


def _chain(lenses: Mapping[str, Intrinsics], min_shared: int) -> _State:
    """Place each camera by the one it shares most boards with, from the first on."""
    first = next(iter(lenses))
    cameras: dict[str, Pose] = {first: (np.eye(3), np.zeros(3))}
    while len(cameras) < len(lenses):
        shared = {
            (known, new): sorted(set(lenses[known].poses) & set(lenses[new].poses))
            for known in cameras
            for new in lenses
            if new not in cameras
        }
        known, new = max(shared, key=lambda pair: len(shared[pair]))
        sets = shared[known, new]
        if len(sets) < min_shared:
            rule = f"seen with another camera in {min_shared} or more image sets"
            cure = "Hold the board where both see it, and check how the images are paired."
            raise ValueError(complain(f"board of {new}", rule, f"{len(sets)}", cure))
        R, t = _relative(lenses[known], lenses[new], sets)
        R_known, t_known = cameras[known]
        cameras[new] = R @ R_known, R @ t_known + t
    boards: dict[int, Pose] = {}
    for name, (R, t) in cameras.items():
        for k, (R_board, t_board) in lenses[name].poses.items():
            boards.setdefault(k, (R.T @ R_board, R.T @ (t_board - t)))
    ordered = {name: cameras[name] for name in lenses}
    return _State({name: (lens.K, lens.D) for name, lens in lenses.items()}, ordered, boards)


def _relative(a: Intrinsics, b: Intrinsics, sets: list[int]) -> Pose:
    """Return the pose a → b on which most boards agree: the median one."""
    turns = np.array([b.poses[k][0] @ a.poses[k][0].T for k in sets])
    apart = np.linalg.norm(turns[:, None] - turns, axis=(2, 3)).sum(axis=1)
    R = turns[np.argmin(apart)]
    return R, np.median([b.poses[k][1] - R @ a.poses[k][1] for k in sets], axis=0)


class _Problem:
    """The residuals of all views; the first camera is held at the origin.

    A step is, for each camera, its lens, then its pose but for the first; then each board's pose.
    """

    def __init__(self, board: Board, views: Views, model: str) -> None:
        self._xyz, self._views, self._model = board.xyz, views, model
        lens = 4 + {"plumb_bob": 5, "rational_polynomial": 8, "equidistant": 4}[model]
        count = 0
        self._lens: dict[str, Array] = {}
        self._pose: dict[str, Array] = {}
        self._board: dict[int, Array] = {}
        for c, name in enumerate(views):
            self._lens[name] = np.arange(count, count + lens)
            self._pose[name] = np.arange(count + lens, count + lens + (6 if c else 0))
            count += lens + len(self._pose[name])
        for k in sorted({k for seen in views.values() for k in seen}):
            self._board[k] = np.arange(count, count + 6)
            count += 6
        self._count = count

    def equations(self, state: _State) -> Equations:
        """Return residuals in px and their slopes, without robust weights: boards are clean."""
        blocks, residuals, row = [], [], 0
        for name, seen in self._views.items():
            (K, D), (R, t) = state.lenses[name], state.cameras[name]
            for k, corners in seen.items():
                R_board, t_board = state.boards[k]
                xyz = self._xyz[corners.index] @ R_board.T + t_board
                xyz_camera = xyz @ R.T + t
                uv, by_xyz, by_lens = project_with_jacobians(self._model, K, D, xyz_camera)
                rows = np.arange(row, row + uv.size)
                row += uv.size
                residuals.append((corners.uv - uv).ravel())
                columns = [self._lens[name], self._board[k]]
                slopes = [by_lens, _by_pose(by_xyz @ R, xyz)]
                if len(self._pose[name]):
                    columns.append(self._pose[name])
                    slopes.append(_by_pose(by_xyz, xyz_camera))
                slope = -np.concatenate(slopes, axis=2).reshape(uv.size, -1)
                blocks.append((rows, np.concatenate(columns), slope))
        residual = np.concatenate(residuals)
        group = np.arange(row) // 2
        scale = np.full(row // 2, np.inf)
        return Equations(residual, stack(blocks, (row, self._count)), group, scale)

    def moved(self, state: _State, step: Array) -> _State:
        """Return the state after a step."""
        lenses, cameras = {}, dict(state.cameras)
        for name, (K, D) in state.lenses.items():
            change = step[self._lens[name]]
            K = K.copy()
            K[[0, 1, 0, 1], [0, 1, 2, 2]] += change[:4]
            lenses[name] = K, D + change[4:]
            if len(self._pose[name]):
                cameras[name] = turned_and_moved(*cameras[name], step[self._pose[name]])
        boards = {
            k: turned_and_moved(*pose, step[self._board[k]]) if k in self._board else pose
            for k, pose in state.boards.items()
        }
        return _State(lenses, cameras, boards)

    def residuals(self, state: _State) -> dict[str, dict[int, Array]]:
        """Return seen minus projected, camera → image set → (N, 2) px."""
        flat = iter(self.equations(state).residual.reshape(-1, 2))
        return {
            name: {k: np.array([next(flat) for _ in corners.index]) for k, corners in seen.items()}
            for name, seen in self._views.items()
        }

    def sigmas(self, solution: Solution[_State]) -> tuple[dict[str, Array], dict[str, float]]:
        """Return the standard deviations of the lenses and baselines."""
        residual = self.equations(solution.state).residual
        variance = np.square(residual).sum() / max(1, len(residual) - self._count)
        lens_sigma, baseline_sigma = {}, {}
        for name in self._views:
            own = np.concatenate([self._lens[name], self._pose[name]])
            covariance = variance * solution.covariance(own)
            size = len(self._lens[name])
            lens_sigma[name] = np.sqrt(np.diag(covariance)[:size])
            if len(self._pose[name]):
                t = solution.state.cameras[name][1]
                along = t / np.linalg.norm(t)  # |t| changes by the part of its shift along t
                shift = covariance[size + 3 :, size + 3 :]
                baseline_sigma[name] = float(np.sqrt(along @ shift @ along))
        return lens_sigma, baseline_sigma


def _by_pose(by_xyz: Array, xyz: Array) -> Array:
    """Return the slopes by a turn and a shift of what ``xyz`` (N, 3) is given in, (N, 2, 6)."""
    return np.concatenate([by_xyz @ by_turn(xyz), by_xyz], axis=2)
