"""Motions with analytic position and velocity, world frame, z up."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from liquid_mono3d_ros.checks import Array, check_shape, complain

Triple = tuple[float, float, float]

GRAVITY = 9.81
"""m/s²."""


class Path(Protocol):
    """A motion. ``t`` is seconds from its start, (T,)."""

    def xyz(self, t: Array) -> Array:
        """Return positions, (T, 3) m."""

    def velocity(self, t: Array) -> Array:
        """Return velocities, (T, 3) m/s."""


def _times(t: Array) -> Array:
    check_shape("t", t, ("T",))
    return np.asarray(t, dtype=float)


def _stack(x: Array, y: Array, z: Array) -> Array:
    return np.stack(np.broadcast_arrays(x, y, z), axis=-1)


@dataclass(frozen=True)
class Line:
    """Constant velocity, m/s, from ``start``, m."""

    start: Triple = (2.5, -0.8, 0.8)
    speed: Triple = (0.2, 0.5, 0.1)

    def xyz(self, t: Array) -> Array:
        """Return positions, (T, 3) m."""
        return np.asarray(np.asarray(self.start) + _times(t)[:, None] * np.asarray(self.speed))

    def velocity(self, t: Array) -> Array:
        """Return velocities, (T, 3) m/s."""
        return np.broadcast_to(np.asarray(self.speed), (len(_times(t)), 3)).copy()


@dataclass(frozen=True)
class Helix:
    """A horizontal circle that climbs; ``rate`` in rad/s, positive to the left seen from above."""

    centre: Triple = (3.0, 0.0, 0.6)
    radius: float = 0.5
    rate: float = 2.0
    climb: float = 0.2
    phase: float = 0.0

    def xyz(self, t: Array) -> Array:
        """Return positions, (T, 3) m."""
        t = _times(t)
        angle = self.phase + self.rate * t
        x, y, z = self.centre
        return _stack(
            x + self.radius * np.cos(angle), y + self.radius * np.sin(angle), z + self.climb * t
        )

    def velocity(self, t: Array) -> Array:
        """Return velocities, (T, 3) m/s."""
        angle = self.phase + self.rate * _times(t)
        speed = self.radius * self.rate
        return _stack(-speed * np.sin(angle), speed * np.cos(angle), np.asarray(self.climb))


@dataclass(frozen=True)
class Circle(Helix):
    """A horizontal circle: a helix that does not climb."""

    centre: Triple = (3.0, 0.0, 1.0)
    climb: float = 0.0


@dataclass(frozen=True)
class Parabola:
    """Free flight from ``start``, m, with the initial velocity ``speed``, m/s."""

    start: Triple = (3.0, -1.0, 0.4)
    speed: Triple = (0.0, 1.6, 4.0)
    gravity: Triple = (0.0, 0.0, -GRAVITY)

    def xyz(self, t: Array) -> Array:
        """Return positions, (T, 3) m."""
        t = _times(t)[:, None]
        start, speed, gravity = (np.asarray(v) for v in (self.start, self.speed, self.gravity))
        return np.asarray(start + speed * t + gravity * t**2 / 2)

    def velocity(self, t: Array) -> Array:
        """Return velocities, (T, 3) m/s."""
        t = _times(t)[:, None]
        return np.asarray(np.asarray(self.speed) + np.asarray(self.gravity) * t)


@dataclass(frozen=True)
class FigureEight:
    """The level lemniscate of Gerono: y = size sin φ, x = size sin φ cos φ, φ = rate t."""

    centre: Triple = (3.0, 0.0, 1.0)
    size: float = 0.7
    rate: float = 1.5

    def xyz(self, t: Array) -> Array:
        """Return positions, (T, 3) m."""
        phi = self.rate * _times(t)
        x, y, z = self.centre
        across = self.size * np.sin(phi)
        return _stack(x + across * np.cos(phi), y + across, np.asarray(z))

    def velocity(self, t: Array) -> Array:
        """Return velocities, (T, 3) m/s."""
        phi = self.rate * _times(t)
        speed = self.size * self.rate
        return _stack(speed * np.cos(2 * phi), speed * np.cos(phi), np.asarray(0.0))


@dataclass(frozen=True)
class StopAndGo:
    """Along a line: each cycle goes for ``go`` seconds, then rests for ``stop`` seconds.

    A go covers ``stride``, m, with the speed ``stride/go (1 - cos 2πτ)``, τ = time / go: it begins
    and ends at rest.
    """

    start: Triple = (3.0, -1.0, 0.8)
    stride: Triple = (0.0, 0.7, 0.1)
    go: float = 1.2
    stop: float = 1.0

    def xyz(self, t: Array) -> Array:
        """Return positions, (T, 3) m."""
        cycle, tau = self._phase(t)
        strides = cycle + tau - np.sin(2 * np.pi * tau) / (2 * np.pi)
        return np.asarray(np.asarray(self.start) + strides[:, None] * np.asarray(self.stride))

    def velocity(self, t: Array) -> Array:
        """Return velocities, (T, 3) m/s."""
        _, tau = self._phase(t)
        rate = (1 - np.cos(2 * np.pi * tau)) / self.go
        return np.asarray(rate[:, None] * np.asarray(self.stride))

    def _phase(self, t: Array) -> tuple[Array, Array]:
        """Return the number of finished cycles and the part of the go that is done, 0 to 1."""
        cycle, since = np.divmod(_times(t), self.go + self.stop)
        return cycle, np.minimum(since / self.go, 1.0)


@dataclass(frozen=True)
class Bounce:
    """A ball dropped from ``start``, m, over a floor at z = 0 where its centre turns round.

    Each bounce keeps the part ``restitution`` of the vertical speed; the level velocity ``drift``,
    m/s, stays. After the last bounce the ball rolls.
    """

    start: Triple = (3.0, -1.0, 1.5)
    drift: tuple[float, float] = (0.0, 0.5)
    restitution: float = 0.8

    def __post_init__(self) -> None:
        if not (self.start[2] > 0 and 0 < self.restitution < 1):
            got = f"height {self.start[2]:g} m, restitution {self.restitution:g}"
            rule = "of positive height and a restitution between 0 and 1"
            raise ValueError(complain("bounce", rule, got, "Drop it from above the floor."))

    def impacts(self) -> Array:
        """Return the times of the first 100 bounces, s, (100,)."""
        fall = math.sqrt(2 * self.start[2] / GRAVITY)
        flights = 2 * fall * self.restitution ** np.arange(1, 100)
        return fall + np.concatenate([[0.0], np.cumsum(flights)])

    def xyz(self, t: Array) -> Array:
        """Return positions, (T, 3) m."""
        since, up, height = self._flight(t)
        x, y, _ = self.start
        z = height + up * since - GRAVITY * since**2 / 2
        return _stack(x + self.drift[0] * t, y + self.drift[1] * t, z)

    def velocity(self, t: Array) -> Array:
        """Return velocities, (T, 3) m/s."""
        since, up, _ = self._flight(t)
        ahead, left = (np.asarray(v) for v in self.drift)
        return _stack(ahead, left, up - GRAVITY * since)

    def _flight(self, t: Array) -> tuple[Array, Array, Array]:
        """Return time since the last bounce, upward speed and height then; zeros once it rolls."""
        t = _times(t)
        impacts = self.impacts()
        number = np.searchsorted(impacts, t, side="right")  # bounces done, (T,)
        begin = np.concatenate([[0.0], impacts])[number]
        up = impacts[0] * GRAVITY * self.restitution**number
        rolling = number == len(impacts)
        since = np.where(rolling, 0.0, t - begin)
        up = np.where((number == 0) | rolling, 0.0, up)
        return since, up, np.where(number == 0, self.start[2], 0.0)


@dataclass(frozen=True)
class Hover:
    """In one place, but for a slow wander of at most ``wander``, m, along each axis."""

    centre: Triple = (3.0, 0.0, 1.0)
    wander: float = 0.02
    rate: float = 1.0

    _RATIOS = (1.0, math.sqrt(2), math.sqrt(3))

    def xyz(self, t: Array) -> Array:
        """Return positions, (T, 3) m."""
        phases = self.rate * _times(t)[:, None] * np.asarray(self._RATIOS)
        return np.asarray(np.asarray(self.centre) + self.wander * np.sin(phases))

    def velocity(self, t: Array) -> Array:
        """Return velocities, (T, 3) m/s."""
        rates = self.rate * np.asarray(self._RATIOS)
        return np.asarray(self.wander * rates * np.cos(_times(t)[:, None] * rates))


PATHS: dict[str, Path] = {
    "line": Line(),
    "circle": Circle(),
    "helix": Helix(),
    "parabola": Parabola(),
    "figure_eight": FigureEight(),
    "stop_and_go": StopAndGo(),
    "bounce": Bounce(),
    "hover": Hover(),
}
"""One path of each family, some metres in front of a stereo rig at the origin looking along x."""
