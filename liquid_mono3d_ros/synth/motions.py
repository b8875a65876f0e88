"""Random motions of many objects at once.

Speeds are 0.3 to 10 m/s, turning radii 0.3 to 5 m, accelerations at most 30 m/s² (the hand that
catches and throws: 44). What would stray farther than ``REACH`` from the middle of its way is made
smaller as a whole, speeds and all. Motions that do not feel gravity are tilted at random.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from liquid_mono3d_ros.checks import Array, check_shape, complain
from liquid_mono3d_ros.synth.moves import (
    TURN_STEP,
    bounce,
    circle,
    figure_eight,
    helix,
    hover,
    line,
    parabola,
    spiral,
    stack,
    stop_and_go,
    turns,
)
from liquid_mono3d_ros.synth.paths import GRAVITY

Move = Callable[[Array], tuple[Array, Array]]
"""Times (N, T) s → positions (N, T, 3) m and velocities (N, T, 3) m/s."""

REACH = 5.0
"""Farthest from the middle of the way, m; free flight and bounces have their own bounds."""
SLOW, FAST = 0.3, 10.0
"""Speeds, m/s."""
TIGHT, WIDE = 0.3, 5.0
"""Turning radii, m."""
HARD = 30.0
"""Largest acceleration of a turn, m/s²."""
LONGEST_FLIGHT = 3.4
"""A free flight that lasts longer is caught and thrown again, s."""


def _log(rng: np.random.Generator, low: float, high: float, shape: int | tuple[int, ...]) -> Array:
    return np.asarray(np.exp(rng.uniform(np.log(low), np.log(high), shape)))


def _sign(rng: np.random.Generator, shape: int | tuple[int, ...]) -> Array:
    return rng.choice([-1.0, 1.0], shape)


def _round(rng: np.random.Generator, n: int) -> tuple[Array, Array, Array]:
    """Draw a radius, a turn rate and a phase."""
    radius = _log(rng, TIGHT, WIDE, n)
    speed = np.minimum(_log(rng, SLOW, FAST, n), np.sqrt(HARD * radius))
    return radius, _sign(rng, n) * speed / radius, rng.uniform(0, 2 * np.pi, n)


def _draw_line(rng: np.random.Generator, duration: Array) -> Move:
    return partial(line, speed=_log(rng, SLOW, FAST, len(duration)))


def _draw_circle(rng: np.random.Generator, duration: Array) -> Move:
    radius, rate, phase = _round(rng, len(duration))
    return partial(circle, radius=radius, rate=rate, phase=phase)


def _draw_helix(rng: np.random.Generator, duration: Array) -> Move:
    n = len(duration)
    radius, rate, phase = _round(rng, n)
    climb = _sign(rng, n) * np.abs(radius * rate) * rng.uniform(0.1, 1.0, n)
    return partial(helix, radius=radius, rate=rate, phase=phase, climb=climb)


def _draw_parabola(rng: np.random.Generator, duration: Array) -> Move:
    """The highest point is at most 1.2 s before the start or after the end, or in the middle."""
    n = len(duration)
    slack = np.maximum(1.2 - duration / 2, 0.05)
    apex = duration / 2 + slack * rng.uniform(-1, 1, n)
    again = duration > LONGEST_FLIGHT
    flight = np.where(again, rng.uniform(1.0, 2.2, n), 10.0)
    carry = flight * rng.uniform(0.35, 0.6, n)
    drift = np.minimum(_log(rng, SLOW, FAST, n), 6.0 / duration)
    return partial(parabola, drift=drift, apex=apex, flight=flight, carry=carry)


def _draw_turns(rng: np.random.Generator, duration: Array) -> Move:
    """A turn lasts 0.3 to 1.5 s; half of the tracks change the rate within 0.4 s, not at once."""
    n, longest = len(duration), float(duration.max())
    speed = _log(rng, SLOW, FAST, n)
    pieces = int(longest / 0.3) + 2
    ends = np.cumsum(_log(rng, 0.3, 1.5, (n, pieces)), axis=1)
    radius = np.maximum(_log(rng, TIGHT, WIDE, (n, pieces)), speed[:, None] ** 2 / HARD)
    rate = speed[:, None] / radius * _sign(rng, (n, pieces)) * (rng.random((n, pieces)) > 0.3)
    grid = np.arange(int(longest / TURN_STEP) + 2) * TURN_STEP
    piece = np.stack([np.searchsorted(row, grid, side="right") for row in ends])
    rates = np.take_along_axis(rate, np.minimum(piece, pieces - 1), axis=1)  # (N, S)
    width = 9  # arcs
    padded = np.pad(rates, ((0, 0), (width // 2, width // 2)), mode="edge")
    gentle = np.lib.stride_tricks.sliding_window_view(padded, width, axis=1).mean(axis=2)
    smooth = rng.random(n) < 0.5
    return partial(turns, speed=speed, rates=np.where(smooth[:, None], gentle, rates))


def _draw_stop_and_go(rng: np.random.Generator, duration: Array) -> Move:
    n = len(duration)
    go, stop = _log(rng, 0.4, 2.0, n), _log(rng, 0.2, 1.5, n)
    speed = np.minimum(_log(rng, SLOW, FAST, n), HARD * go / np.pi)  # the highest of a go
    cycles = int((duration / (go + stop)).max()) + 3
    heading = np.cumsum(rng.normal(0.0, 0.8, (n, cycles)), axis=1)
    slope = rng.normal(0.0, 0.3, (n, cycles))
    way = stack(np.cos(heading) * np.cos(slope), np.sin(heading) * np.cos(slope), np.sin(slope))
    length = speed * go / 2
    strides = way * (length[:, None] * rng.uniform(0.5, 1.0, (n, cycles)))[..., None]
    begun = rng.uniform(0.0, 1.0, n) * (go + stop)
    return partial(stop_and_go, strides=strides, go=go, stop=stop, begun=begun)


def _draw_hover(rng: np.random.Generator, duration: Array) -> Move:
    """Two swings an axis, of 5 mm to 0.3 m together, with periods of 2 to 20 s."""
    shape = (len(duration), 2, 3)
    size = _log(rng, 0.005, 0.3, len(duration))[:, None, None] * rng.uniform(0.2, 0.5, shape)
    rate = 2 * np.pi / _log(rng, 2.0, 20.0, shape)
    return partial(hover, size=size, rate=rate, phase=rng.uniform(0, 2 * np.pi, shape))


def _draw_bounce(rng: np.random.Generator, duration: Array) -> Move:
    n = len(duration)
    height = _log(rng, 0.3, 3.0, n)
    fallen = rng.uniform(0.0, 0.9, n) * np.sqrt(2 * height / GRAVITY)
    drift = np.minimum(_log(rng, SLOW, FAST / 2, n), 8.0 / duration)
    return partial(
        bounce,
        height=height,
        fallen=fallen,
        drift=drift,
        restitution=rng.uniform(0.6, 0.92, n),
        grip=rng.uniform(0.7, 1.0, n),
    )


def _draw_spiral(rng: np.random.Generator, duration: Array) -> Move:
    """The radius grows by half to four times itself; the end is not harder than a turn."""
    n = len(duration)
    _, rate, phase = _round(rng, n)
    largest = np.minimum(_log(rng, 2 * TIGHT, WIDE, n), HARD / rate**2)
    radius = largest / rng.uniform(1.5, 5.0, n)
    growth = (largest - radius) / duration
    return partial(spiral, radius=radius, growth=growth, rate=rate, phase=phase)


def _draw_figure_eight(rng: np.random.Generator, duration: Array) -> Move:
    size, rate, phase = _round(rng, len(duration))
    rate = np.sign(rate) * np.minimum(np.abs(rate) / 2**0.5, np.sqrt(HARD / size) / 2)
    return partial(figure_eight, size=size, rate=rate, phase=phase)


_DRAW: dict[str, Callable[[np.random.Generator, Array], Move]] = {
    "line": _draw_line,
    "parabola": _draw_parabola,
    "circle": _draw_circle,
    "helix": _draw_helix,
    "turns": _draw_turns,
    "stop_and_go": _draw_stop_and_go,
    "hover": _draw_hover,
    "bounce": _draw_bounce,
    "spiral": _draw_spiral,
    "figure_eight": _draw_figure_eight,
}
FAMILIES = tuple(_DRAW)
"""Names of the families; a family is given by its index here."""
STRICT = FAMILIES[:7]
"""Without velocity jumps, spiral and figure-eight, which are held out of the strict training."""
UPRIGHT = ("parabola", "bounce")
"""Families that feel gravity: they are turned about the vertical only."""


@dataclass(frozen=True)
class Motions:
    """N motions of any families about the origin, z up.

    Attributes:
        moves: Rows and the move that makes them, one pair for each family present.
        middle: Of the way, in the family's own axes, (N, 3) m.
        turn: From the family's own axes, scale included, (N, 3, 3).
        radius: Of the ball about the origin that holds the way, (N,) m.
    """

    moves: tuple[tuple[Array, Move], ...]
    middle: Array
    turn: Array
    radius: Array

    def at(self, t: Array) -> tuple[Array, Array]:
        """Return positions and velocities, (N, T, 3), at times (N, T), s from the start."""
        check_shape("t", t, (len(self.middle), "T"))
        xyz, velocity = np.empty((*t.shape, 3)), np.empty((*t.shape, 3))
        for rows, move in self.moves:
            xyz[rows], velocity[rows] = move(t[rows])
        turned = self.turn.transpose(0, 2, 1)
        return (xyz - self.middle[:, None]) @ turned, velocity @ turned


def draw_motions(family: Array, duration: Array, rng: np.random.Generator) -> Motions:
    """Draw one motion for each track.

    Args:
        family: Index into ``FAMILIES``, (N,).
        duration: For which the motion is wanted, (N,) s.
        rng: Source of everything drawn.
    """
    n = check_shape("family", family, ("N",))["N"]
    check_shape("duration", duration, (n,))
    moves = []
    for index in np.unique(family).tolist():
        rows = np.flatnonzero(family == index)
        moves.append((rows, _DRAW[FAMILIES[index]](rng, duration[rows])))
    still = Motions(tuple(moves), np.zeros((n, 3)), np.eye(3) + np.zeros((n, 1, 1)), np.zeros(n))
    way, _ = still.at(duration[:, None] * np.linspace(0, 1, 40))
    middle = (way.min(axis=1) + way.max(axis=1)) / 2
    radius = np.linalg.norm(way - middle[:, None], axis=2).max(axis=1)
    upright = np.isin(family, [FAMILIES.index(name) for name in UPRIGHT])
    scale = np.where(upright, 1.0, np.minimum(1.0, REACH / np.maximum(radius, 1e-9)))
    turn = tilted(np.where(upright, 0.0, rng.normal(0.0, 0.5, n)), rng.uniform(0, 2 * np.pi, n))
    spin = tilted(np.zeros(n), rng.uniform(0, 2 * np.pi, n))
    return Motions(tuple(moves), middle, turn @ spin * scale[:, None, None], radius * scale)


def tilted(tilt: Array, yaw: Array) -> Array:
    """Return rotations (N, 3, 3): by ``tilt`` about x, then by ``yaw`` about z, rad."""
    c, s, cy, sy = np.cos(tilt), np.sin(tilt), np.cos(yaw), np.sin(yaw)
    zero = np.zeros(len(tilt))
    rows = [[cy, -sy * c, sy * s], [sy, cy * c, -cy * s], [zero, s, c]]
    return np.asarray(np.moveaxis(np.array(rows), 2, 0))


def families_named(names: Sequence[str]) -> Array:
    """Return the indices (F,) of families.

    Raises:
        ValueError: If a name is unknown or there is none.
    """
    unknown = [name for name in names if name not in FAMILIES]
    if unknown or not names:
        got = ", ".join(unknown) or "none"
        rule = f"of {', '.join(FAMILIES)}"
        raise ValueError(complain("families", rule, got, "Choose one or more of them."))
    return np.array([FAMILIES.index(name) for name in names])
