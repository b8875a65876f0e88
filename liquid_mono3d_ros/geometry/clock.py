"""How far each camera's clock is off, told by the tracks themselves.

A camera whose clock is off by δ shows a moving object where it will be, or was: its rays miss
those of the others by the image velocity times δ. What they miss at rest is the calibration's,
which is therefore estimated beside it, and not used.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.geometry.triangulation import Views, refine, triangulate_dlt, turning
from liquid_mono3d_ros.records import seconds
from liquid_mono3d_ros.settings import Settings, setting

OFFSET, DRIFT, TURN = 0, 1, slice(2, 5)
"""Places in the state of a camera: s, s/s, rad about its three axes."""
SIZE = 5
GATE = 4.0
"""Innovations further off than this many sigmas are not used."""
MOVES = 3.0
"""Image velocities below this many sigmas count as rest: noise must not pass for motion."""
MEMORY = 100
"""Points over which the size and the correlation of the errors are averaged."""
SETTLED = 1.5e-3
"""A clock known so well is looked at less often, s."""
DOUBT = 2.0, 0.8
"""Both before they are known: errors twice as large (squared) as said, and much alike."""


@dataclass(frozen=True)
class ClockSettings(Settings):
    """Whether and how fast the clocks of the cameras are believed to be off."""

    estimate: str = setting(
        "report",
        "off; report: tell how far each clock is off; apply: correct it",
        choices=("off", "report", "apply"),
    )
    prior_sigma: float = setting(
        0.05,
        "Offset of a clock before anything is seen, one standard deviation",
        unit="s",
        bounds=(1e-6, 10.0),
    )
    walk: float = setting(
        3e-4, "What an offset gains at random in 1 s", unit="s/s^0.5", bounds=(0.0, 1.0)
    )
    wandering: tuple[str, ...] = setting(
        (), "Cameras whose clock wanders, such as phones with a variable frame rate"
    )
    wander: float = setting(
        5e-3, "What the offset of those gains instead", unit="s/s^0.5", bounds=(0.0, 1.0)
    )
    drift_sigma: float = setting(
        1e-4, "Rate error of a clock; crystals have 5e-5", unit="s/s", bounds=(0.0, 0.1)
    )
    max_offset: float = setting(
        0.5,
        "Offsets looked for when a camera's tracks fit no other camera's",
        unit="s",
        bounds=(0.0, 1.0),
    )
    rate: float = setting(30.0, "Instants looked at", unit="Hz", bounds=(0.1, 100.0))


@dataclass(frozen=True)
class ClockEstimate:
    """How far a clock is off: ``true time = stamp + time_offset + offset``.

    Attributes:
        offset: s, against the reference camera's clock.
        sigma: One standard deviation of it, s.
        drift: What it gains per second, s/s.
    """

    offset: float
    sigma: float
    drift: float


@dataclass(frozen=True)
class Sighted:
    """One object at one instant in V cameras, by the offsets estimated so far.

    Attributes:
        cameras: Index of each camera in the estimator.
        track: Number of the 2D track in each camera.
        P: World metres to normalised coordinates, (V, 3, 4).
        uv: Normalised coordinates, (V, 2).
        velocity: Of ``uv``, (V, 2) 1/s.
        velocity_sigma: Standard deviation of each coordinate of it, over that of ``uv``, 1/s.
        covariance: Of ``uv``, (V, 2, 2).
        bend: Acceleration of ``uv`` that an offset's error brings in, one sigma, (V,) 1/s².
    """

    cameras: list[int]
    track: list[int]
    P: Array
    uv: Array
    velocity: Array
    velocity_sigma: float
    covariance: Array
    bend: Array


class ClockEstimator:
    """Remembers offset, drift and slow turn of each camera, and how sure they are.

    A Kalman filter. The object's position is eliminated: of the 2 V equations of its rays 2 V − 3
    are left that do not depend on it. Where the errors of successive instants are larger or more
    alike than said, they count for less, so that sigma stays honest.

    Args:
        cameras: Names; all clocks are measured against that of ``reference``.
        reference: One of them.
        settings: Of the clocks.
        calibration_sigma: Unknown turn of each camera, per axis, rad.

    Raises:
        ValueError: If a wandering camera is not among them.
    """

    def __init__(
        self,
        cameras: Sequence[str],
        reference: str,
        settings: ClockSettings,
        *,
        calibration_sigma: float,
    ) -> None:
        self.names = tuple(cameras)
        self.settings = settings
        for name in settings.wandering:
            if name not in self.names:
                rule = f"among {', '.join(self.names)}"
                raise ValueError(complain("clock.wandering", rule, name, "Use the rig's names."))
        prior = np.array([settings.prior_sigma, settings.drift_sigma, *[calibration_sigma] * 3])
        walk = np.array([0.0, 0.01 * settings.drift_sigma, *[0.0] * 3])
        self._prior = np.tile(prior**2, len(self.names))
        self._walk = np.tile(walk**2, len(self.names))
        for k, name in enumerate(self.names):
            wanders = name in settings.wandering
            self._walk[SIZE * k] = (settings.wander if wanders else settings.walk) ** 2
        held = SIZE * self.names.index(reference)
        self._prior[held : held + 2] = self._walk[held : held + 2] = 0.0
        self._x = np.zeros(len(self._prior))
        self._P = np.diag(self._prior)
        self._based = self._x[OFFSET::SIZE].copy()
        self._time: int | None = None
        self._scale, self._alike = DOUBT
        self._residuals: dict[tuple[int, int], Array] = {}

    def rest(self) -> None:
        """Forget when the last instant was; what is known of the clocks stays."""
        self._time = None
        self._residuals.clear()

    def due(self, time: int) -> bool:
        """Return whether an instant is far enough from the last one looked at.

        Once every clock is known to ``SETTLED``, a fifth of the instants will do.
        """
        if self._time is None:
            return True
        settled = (np.diag(self._P)[OFFSET::SIZE] < SETTLED**2).all()
        return seconds(time - self._time) >= (5 if settled else 1) / self.settings.rate

    def advance(self, time: int) -> None:
        """Let the clocks run on to an instant."""
        dt = 0.0 if self._time is None else seconds(time - self._time)
        F = np.eye(len(self._x))
        for camera in range(len(self.names)):
            F[SIZE * camera + OFFSET, SIZE * camera + DRIFT] = dt
        self._x = F @ self._x
        self._based = self._x[OFFSET::SIZE].copy()
        self._P = F @ self._P @ F.T + np.diag(self._walk * dt)
        self._time = time

    def take(self, sighted: Sighted) -> bool:
        """Learn from one object at the instant; return whether it was used."""
        residual, J, G = self._equations(sighted)
        free = np.linalg.qr(J, mode="complete")[0][:, 3:]  # (2V, 2V - 3): blind to the position
        z, H = free.T @ residual, free.T @ G
        self._still(H, free, sighted)
        noise = self._scale * (1 + self._alike) / (1 - self._alike)
        spread = H @ self._P @ H.T
        S = spread + noise * np.eye(len(z))
        distance = float(z @ np.linalg.solve(S, z))
        if not distance < GATE**2 + len(z):
            return False
        K = np.linalg.solve(S, H @ self._P).T
        self._x = self._x + K @ z
        kept = np.eye(len(self._x)) - K @ H
        self._P = kept @ self._P @ kept.T + noise * K @ K.T
        plain = spread + self._scale * np.eye(len(z))
        self._scale *= 1 + (float(z @ np.linalg.solve(plain, z)) / len(z) - 1) / MEMORY
        self._scale = max(self._scale, 1.0)
        self._compare(sighted, residual - J @ np.linalg.lstsq(J, residual, rcond=None)[0])
        return True

    def set(self, name: str, offset: float, sigma: float) -> None:
        """Begin anew with one clock, which was found to be off by so much, s."""
        first = SIZE * self.names.index(name)
        self._P[first, :] = self._P[:, first] = 0.0
        self._x[first], self._P[first, first] = offset, sigma**2

    def offset(self, name: str) -> float:
        """Return how far a clock is off, s."""
        return float(self._x[SIZE * self.names.index(name)])

    def estimates(self) -> Mapping[str, ClockEstimate]:
        """Return how far each clock is off."""
        sigma = np.sqrt(np.diag(self._P))
        return {
            name: ClockEstimate(*(float(v) for v in (self._x[k], sigma[k], self._x[k + 1])))
            for name, k in zip(self.names, range(0, len(self._x), SIZE), strict=True)
        }

    def _equations(self, sighted: Sighted) -> tuple[Array, Array, Array]:
        """Return whitened residuals (2V,) and their derivatives by xyz and by the state."""
        V = len(sighted.cameras)
        unsure = np.sqrt([self._P[SIZE * c, SIZE * c] for c in sighted.cameras])
        bent = (0.5 * sighted.bend * unsure**2) ** 2
        covariance = sighted.covariance + bent[:, None, None] * np.eye(2)
        seen, scale = np.ones((V, 1), dtype=bool), np.broadcast_to(np.eye(2), (V, 1, 2, 2))
        views = Views(sighted.P, sighted.uv[:, None], seen, covariance[:, None], scale)
        xyz, _, _ = refine(triangulate_dlt(views.P, views.uv, seen), views, iterations=2)
        at = sighted.P[:, :, :3] @ xyz[0] + sighted.P[:, :, 3]  # (V, 3)
        depth = np.where(np.abs(at[:, 2:]) < 1e-9, 1e-9, at[:, 2:])
        projected = at[:, :2] / depth
        J = (sighted.P[:, :2, :3] - projected[..., None] * sighted.P[:, 2:, :3]) / depth[..., None]
        G = np.zeros((V, 2, len(self._x)))
        turned = turning(sighted.uv)
        residual = sighted.uv - projected
        for row, camera in enumerate(sighted.cameras):
            first = SIZE * camera
            G[row, :, first + OFFSET] = sighted.velocity[row]
            G[row, :, first + 2 : first + SIZE] = turned[row]
            residual[row] -= turned[row] @ self._x[first + 2 : first + SIZE]
            learnt = self._x[first + OFFSET] - self._based[camera]  # by objects of this instant
            residual[row] -= sighted.velocity[row] * learnt
        whitening = np.linalg.inv(np.linalg.cholesky(covariance))  # (V, 2, 2)
        stack = (whitening @ residual[..., None]).reshape(2 * V)
        return stack, (whitening @ J).reshape(2 * V, 3), (whitening @ G).reshape(2 * V, -1)

    def _still(self, H: Array, free: Array, sighted: Sighted) -> None:
        """Take from ``H`` what of the motion may be noise."""
        for row, camera in enumerate(sighted.cameras):
            part = free[2 * row : 2 * row + 2]
            noise = float((part * part).sum()) * sighted.velocity_sigma**2
            column = H[:, SIZE * camera + OFFSET]
            if float(column @ column) < MOVES**2 * noise:
                column[:] = 0.0

    def _compare(self, sighted: Sighted, residual: Array) -> None:
        """Learn how alike the residuals of a track at successive instants are."""
        for name, new in zip(
            zip(sighted.cameras, sighted.track, strict=True), residual.reshape(-1, 2), strict=True
        ):
            old = self._residuals.get(name)
            power = float(new @ new)
            if old is not None and power > 0:
                power = max(power, float(old @ old))
                alike = float(old @ new) / power
                self._alike += (alike - self._alike) / MEMORY
            self._residuals[name] = new
        self._alike = min(max(self._alike, 0.0), 0.95)
        if len(self._residuals) > 10 * MEMORY:
            self._residuals.clear()
        if not math.isfinite(self._alike):
            self._alike = 0.0
