"""Poses and clocks of the free cameras, and the objects they saw, as one least-squares problem."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from liquid_mono3d_ros.calibration.adjustment import Equations, Solution, minimise, stack
from liquid_mono3d_ros.calibration.observations import Observations
from liquid_mono3d_ros.calibration.projection import (
    by_turn,
    project_with_jacobians,
    turned_and_moved,
)
from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.geometry.camera import Camera
from liquid_mono3d_ros.geometry.rig import Rig
from liquid_mono3d_ros.settings import Settings, setting


@dataclass(frozen=True)
class RefinementSettings(Settings):
    """Values of the refinement.

    The sigmas are those of priors that let a camera come much farther at little cost (Cauchy).
    """

    free: tuple[str, ...] = setting((), "Cameras to move; empty for those that disagree")
    shifts: bool = setting(True, "Whether their positions are estimated too")
    clocks: bool = setting(True, "Whether their clock offsets are estimated too")
    focal: bool = setting(False, "Whether their focal lengths are estimated too")
    turn_sigma: float = setting(
        0.02, "Expected turn of a knocked camera", unit="rad", bounds=(1e-6, 3.0)
    )
    shift_sigma: float = setting(
        0.05, "Expected shift of a knocked camera", unit="m", bounds=(1e-6, 100.0)
    )
    clock_sigma: float = setting(
        0.02, "Expected error of its clock", unit="s", bounds=(1e-6, 10.0)
    )
    focal_sigma: float = setting(
        0.01, "Expected error of its focal length, of one", bounds=(1e-6, 1.0)
    )
    simple_enough: float = setting(
        1.1,
        "If noise does not explain what the held cameras see, a turn alone is kept if all cameras"
        " then agree to this many times what the held ones do",
        bounds=(0.0, 100.0),
    )
    robust_scale: float = setting(
        3.0, "Residuals far above this many sigmas count by their logarithm", bounds=(0.5, 1e3)
    )
    max_columns: int = setting(
        3000, "Instants of objects used, evenly chosen", bounds=(10, 1_000_000)
    )


@dataclass(frozen=True)
class Change:
    """How one camera was changed, with standard deviations where the pixels are white noise.

    Attributes:
        turn: Angle, rad, and the sigma of its largest part.
        shift: Of the centre, m, and its sigma; NaN if it was held.
        clock: Added to ``time_offset``, s; sigma NaN if it was held.
        focal: Factor of fx and fy; sigma NaN if it was held.
    """

    turn: tuple[float, float]
    shift: tuple[float, float]
    clock: tuple[float, float]
    focal: tuple[float, float]


@dataclass(frozen=True)
class State:
    """The free cameras as they are now, and the objects, (N, 3) m."""

    cameras: Mapping[str, Camera]
    xyz: Array


class PoseProblem:
    """Residuals of all sightings and priors; a step is 8 numbers a free camera, then the points.

    The 8: a turn (3), a shift in the camera frame (3), the clock (s), the logarithm of the focal
    length. What is not to be estimated has a prior of nearly no width.
    """

    def __init__(
        self,
        rig: Rig,
        observations: Observations,
        free: tuple[str, ...],
        settings: RefinementSettings,
        noise: float,
    ) -> None:
        self._rig, self._free, self._settings = rig, free, settings
        self._noise, self._all = noise, observations
        if settings.clocks:
            self._all = _where_clocks_show(observations, free)

    def solve(self, xyz: Array) -> Solution[State]:
        """Return the best cameras and points, from the points as the judges see them."""
        ahead = np.isfinite(xyz).all(axis=1)
        for name, seen in zip(self._all.cameras, self._all.seen, strict=True):
            ahead &= ~seen | self._rig.cameras[name].in_front(np.nan_to_num(xyz))
        ahead &= np.count_nonzero(self._all.seen, axis=0) >= 2
        if np.count_nonzero(ahead) < 10:
            cure = "Let an object move where the cameras see it."
            got = f"{np.count_nonzero(ahead)}"
            raise ValueError(complain("observations", "10 or more located points", got, cure))
        self._used = columns_of(self._all, np.flatnonzero(ahead))
        state = State({name: self._rig.cameras[name] for name in self._free}, xyz[ahead])
        self._scale = self._widest(state)  # first nearly plain squares, so that all pull
        state = minimise(state, self.equations, self.moved, iterations=30, tolerance=1e-3).state
        self._scale = self._settings.robust_scale
        return minimise(state, self.equations, self.moved)

    @property
    def num_points(self) -> int:
        """Columns used."""
        return len(self._used)

    @property
    def num_sightings(self) -> int:
        """Of all cameras together."""
        return int(np.count_nonzero(self._used.seen))

    def equations(self, state: State) -> Equations:
        """Return whitened residuals: of sightings, two each, then of the priors."""
        residuals, blocks, points, row = [], [], [], 0
        for c, name in enumerate(self._used.cameras):
            camera = state.cameras.get(name, self._rig.cameras[name])
            n = np.flatnonzero(self._used.seen[c])
            residual, by_xyz, by_camera = self._sightings(c, n, camera, state.xyz[n])
            rows = np.arange(row, row + residual.size)
            row += residual.size
            residuals.append(residual.ravel())
            points.append((rows, n, by_xyz))
            if name in state.cameras:
                columns = np.arange(8) + 8 * self._free.index(name)
                blocks.append((rows, columns, by_camera.reshape(-1, 8)))
        sightings = row
        for k, name in enumerate(self._free):
            residuals.append(self._prior(state.cameras[name], self._rig.cameras[name]))
            blocks.append(
                (np.arange(row, row + 8), np.arange(8) + 8 * k, np.diag(1 / self._sigma))
            )
            row += 8
        width = 8 * len(self._free)
        shape = (row, width + state.xyz.size)
        jacobian = stack(blocks, shape) + _by_points(points, width, shape)
        prior_groups = np.array([0, 0, 0, 1, 1, 1, 2, 3])
        groups = [np.arange(sightings) // 2] + [
            sightings // 2 + 4 * k + prior_groups for k in range(len(self._free))
        ]
        scale = np.full(sightings // 2 + 4 * len(self._free), 1.0)
        scale[: sightings // 2] = self._scale
        return Equations(np.concatenate(residuals), jacobian, np.concatenate(groups), scale)

    def moved(self, state: State, step: Array) -> State:
        """Return the state after a step."""
        cameras = {}
        for k, name in enumerate(self._free):
            camera, own = state.cameras[name], step[8 * k : 8 * k + 8]
            R_cw, t_cw = turned_and_moved(camera.R_cw, camera.t_cw, own[:6])
            K = camera.K.copy()
            K[[0, 1], [0, 1]] *= np.exp(np.clip(own[7], -1.0, 1.0))
            U, _, Vt = np.linalg.svd(R_cw)  # rounding would add up
            cameras[name] = dataclasses.replace(
                camera, R_cw=U @ Vt, t_cw=t_cw, K=K, time_offset=camera.time_offset + float(own[6])
            )
        return State(cameras, state.xyz + step[8 * len(self._free) :].reshape(-1, 3))

    def change(self, name: str, solution: Solution[State]) -> Change:
        """Return how a camera differs from what it was."""
        old, new = self._rig.cameras[name], solution.state.cameras[name]
        covariance = solution.covariance(np.arange(8) + 8 * self._free.index(name))
        sigma = np.sqrt(np.diag(covariance))  # turns are about the centre, shifts are of it
        angle = np.arccos(np.clip((np.trace(new.R_cw @ old.R_cw.T) - 1) / 2, -1.0, 1.0))
        return Change(
            turn=(float(angle), float(sigma[:3].max())),
            shift=(
                float(np.linalg.norm(new.centre - old.centre)),
                float(sigma[3:6].max()) if self._settings.shifts else float("nan"),
            ),
            clock=(
                new.time_offset - old.time_offset,
                float(sigma[6]) if self._settings.clocks else float("nan"),
            ),
            focal=(
                float(new.K[0, 0] / old.K[0, 0]),
                float(sigma[7]) if self._settings.focal else float("nan"),
            ),
        )

    @property
    def _sigma(self) -> Array:
        """Widths of the priors of a camera's 8 numbers."""
        s, held = self._settings, 1e-9
        shift = s.shift_sigma if s.shifts else held
        clock = s.clock_sigma if s.clocks else held
        focal = s.focal_sigma if s.focal else held
        return np.array([*[s.turn_sigma] * 3, *[shift] * 3, clock, focal])

    def _widest(self, state: State) -> float:
        """Return twice the median whitened residual of the free cameras."""
        lengths = []
        for name in self._free:
            c = self._used.cameras.index(name)
            n = np.flatnonzero(self._used.seen[c])
            residual = self._sightings(c, n, state.cameras[name], state.xyz[n])[0]
            lengths.append(np.median(np.hypot(residual[:, 0], residual[:, 1])))
        return max(2 * float(max(lengths)), self._settings.robust_scale)

    def _sightings(
        self, c: int, n: Array, camera: Camera, xyz: Array
    ) -> tuple[Array, Array, Array]:
        """Return whitened residuals (n, 2), slopes by points (n, 2, 3) and camera (n, 2, 8)."""
        xyz_camera = xyz @ camera.R_cw.T + camera.t_cw
        xyz_camera = np.where(
            xyz_camera[:, 2:] > 1e-6, xyz_camera, np.nan
        )  # behind: no step there
        uv, by_xyz, by_lens = project_with_jacobians(camera.model, camera.K, camera.D, xyz_camera)
        velocity = np.nan_to_num(self._used.velocity[c, n])
        late = camera.time_offset - self._rig.cameras[camera.name].time_offset
        inverse = 1.0 / (self._noise * self._used.sigma_px[c, n])
        residual = (self._used.uv[c, n] - velocity * late - uv) * inverse[:, None]
        focal = by_lens[..., 0] * camera.K[0, 0] + by_lens[..., 1] * camera.K[1, 1]
        by_camera = np.concatenate(
            [by_xyz @ by_turn(xyz_camera), by_xyz, velocity[..., None], focal[..., None]], axis=2
        )
        whiten = -inverse[:, None, None]
        return residual, whiten * (by_xyz @ camera.R_cw), whiten * by_camera

    def _prior(self, camera: Camera, old: Camera) -> Array:
        """Return how far a camera came, in sigmas, (8,): turn, shift, clock, focal."""
        turn = camera.R_cw @ old.R_cw.T
        small = np.array(
            [turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]
        )
        shift = camera.t_cw - turn @ old.t_cw
        clock = camera.time_offset - old.time_offset
        focal = np.log(camera.K[0, 0] / old.K[0, 0])
        return np.array([*(small / 2), *shift, clock, focal]) / self._sigma


def _where_clocks_show(observations: Observations, free: tuple[str, ...]) -> Observations:
    """Return the observations without those of a free camera whose velocity is not known there.

    Beside others that are, they would say that its clock is right. Where none is known, the clock
    stays what it was.
    """
    seen = observations.seen.copy()
    for c, name in enumerate(observations.cameras):
        known = seen[c] & np.isfinite(observations.velocity[c]).all(axis=1)
        if name in free and known.any():
            seen[c] = known
    return dataclasses.replace(observations, seen=seen)


def columns_of(observations: Observations, chosen: Array) -> Observations:
    """Return some of the columns, given by index."""
    return Observations(
        observations.cameras,
        observations.time[chosen],
        observations.uv[:, chosen],
        observations.velocity[:, chosen],
        observations.sigma_px[:, chosen],
        observations.seen[:, chosen],
        observations.track_id[chosen],
    )


def _by_points(
    parts: list[tuple[Array, Array, Array]], width: int, shape: tuple[int, int]
) -> sparse.csr_matrix:
    """Return the slopes by the points: two rows and three columns a sighting."""
    rows = np.concatenate([np.repeat(rows, 3) for rows, _, _ in parts])
    columns = np.concatenate(
        [np.repeat(width + 3 * n[:, None] + np.arange(3), 2, axis=0).ravel() for _, n, _ in parts]
    )
    values = np.concatenate([by_xyz.ravel() for _, _, by_xyz in parts])
    return sparse.csr_matrix((values, (rows, columns)), shape=shape)
