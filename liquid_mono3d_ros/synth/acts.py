"""Motions whose class is clear within one scene.

``motions`` draws what a filter must follow; here each motion shows, from first to last frame, what
makes its class: the circle most of a turn, the helix a climb, the turn its bend between two
straight legs, the stop a rest. Those that do not feel gravity are drawn with a mean speed of one
and scaled by whoever places them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.synth.attributes import MOTIONS
from liquid_mono3d_ros.synth.motions import Motions, Move
from liquid_mono3d_ros.synth.moves import (
    TURN_STEP,
    bounce,
    circle,
    helix,
    hover,
    line,
    parabola,
    stack,
    stop_and_go,
    turns,
)
from liquid_mono3d_ros.synth.paths import GRAVITY

FREE = ("parabola", "bounce")
"""Motions that feel gravity: upright, and as large as gravity makes them."""
APEX = (0.35, 0.65)
"""When a parabola is highest, in durations of the scene."""


def _sign(rng: np.random.Generator, n: int) -> Array:
    return rng.choice([-1.0, 1.0], n)


def _line(rng: np.random.Generator, duration: float, room: Array) -> Move:
    return partial(line, speed=np.ones(len(room)))


def _circle(rng: np.random.Generator, duration: float, room: Array) -> Move:
    """Between 0.6 and 1.1 turns."""
    n = len(room)
    rate = _sign(rng, n) * rng.uniform(3.8, 7.0, n) / duration
    return partial(circle, radius=1 / np.abs(rate), rate=rate, phase=rng.uniform(0, 2 * np.pi, n))


def _helix(rng: np.random.Generator, duration: float, room: Array) -> Move:
    """Between 0.8 and 1.5 turns, climbing 0.4 to 0.8 of the way."""
    n = len(room)
    rate = _sign(rng, n) * rng.uniform(5.0, 9.5, n) / duration
    climb = _sign(rng, n) * rng.uniform(0.4, 0.8, n)
    phase = rng.uniform(0, 2 * np.pi, n)
    return partial(helix, radius=1 / np.abs(rate), rate=rate, phase=phase, climb=climb)


def _parabola(rng: np.random.Generator, duration: float, room: Array) -> Move:
    n = len(room)
    apex = duration * rng.uniform(*APEX, n)
    drift = rng.uniform(0.03, 0.12, n) * room
    return partial(parabola, drift=drift, apex=apex, flight=np.full(n, 99.0), carry=np.ones(n))


def _turn(rng: np.random.Generator, duration: float, room: Array) -> Move:
    """One bend of 60 to 140 degrees between two straight legs."""
    n = len(room)
    steps = int(duration / TURN_STEP) + 2
    middle = (np.arange(steps) + 0.5) * TURN_STEP
    centre, width = (duration * rng.uniform(*ends, n) for ends in ((0.4, 0.6), (0.1, 0.3)))
    bends = np.abs(middle - centre[:, None]) < np.maximum(width, 3 * TURN_STEP)[:, None] / 2
    angle = _sign(rng, n) * np.deg2rad(rng.uniform(60, 140, n))
    rates = bends * (angle / (bends.sum(axis=1) * TURN_STEP))[:, None]
    return partial(turns, speed=np.ones(n), rates=rates)


def _stop_and_go(rng: np.random.Generator, duration: float, room: Array) -> Move:
    """One or two rests of a quarter of the scene, all of one within it."""
    n, cycles = len(room), 5
    go, stop = duration * rng.uniform(0.26, 0.36, n), duration * rng.uniform(0.22, 0.3, n)
    heading = np.cumsum(rng.normal(0.0, 0.3, (n, cycles)), axis=1)
    slope = rng.normal(0.0, 0.1, (n, cycles))
    strides = stack(
        np.cos(heading) * np.cos(slope), np.sin(heading) * np.cos(slope), np.sin(slope)
    ) * rng.uniform(0.8, 1.2, (n, cycles, 1))
    return partial(
        stop_and_go, strides=strides, go=go, stop=stop, begun=rng.uniform(0.1, 0.8, n) * go
    )


def _bounce(rng: np.random.Generator, duration: float, room: Array) -> Move:
    """At least two impacts within 2 s."""
    n = len(room)
    height = rng.uniform(0.35, 1.0, n) * np.minimum(0.16 * room, 1.2)
    return partial(
        bounce,
        height=height,
        fallen=rng.uniform(0.0, 0.9, n) * np.sqrt(2 * height / GRAVITY),
        drift=rng.uniform(0.03, 0.12, n) * room,
        restitution=rng.uniform(0.8, 0.92, n),
        grip=rng.uniform(0.85, 1.0, n),
    )


def _hover(rng: np.random.Generator, duration: float, room: Array) -> Move:
    """Swings of 2 to 6 thousandths of the distance."""
    shape = (len(room), 2, 3)
    size = rng.uniform(0.001, 0.003, shape) * room[:, None, None]
    rate = 2 * np.pi / (duration * rng.uniform(0.6, 2.0, shape))
    return partial(hover, size=size, rate=rate, phase=rng.uniform(0, 2 * np.pi, shape))


_DRAW: dict[str, Callable[[np.random.Generator, float, Array], Move]] = {
    "line": _line,
    "circle": _circle,
    "helix": _helix,
    "parabola": _parabola,
    "turn": _turn,
    "stop-and-go": _stop_and_go,
    "bounce": _bounce,
    "hover": _hover,
}


def draw_acts(motion: Array, duration: float, room: Array, rng: np.random.Generator) -> Motions:
    """Draw one motion each, about the origin, in its own axes: z is the axis of a circle.

    Args:
        motion: Index into ``MOTIONS``, (M,).
        duration: Of the scene, s.
        room: Distance from the camera, (M,) m: what cannot be scaled is drawn to fit it.
        rng: Source of everything drawn.
    """
    n = len(motion)
    moves = []
    for index in np.unique(motion).tolist():
        rows = np.flatnonzero(motion == index)
        moves.append((rows, _DRAW[MOTIONS[index]](rng, duration, room[rows])))
    still = Motions(tuple(moves), np.zeros((n, 3)), np.eye(3) + np.zeros((n, 1, 1)), np.zeros(n))
    way, _ = still.at(np.full((n, 1), duration) * np.linspace(0, 1, 40))
    middle = (way.min(axis=1) + way.max(axis=1)) / 2
    radius = np.linalg.norm(way - middle[:, None], axis=2).max(axis=1)
    return Motions(tuple(moves), middle, still.turn, radius)
