"""Tracks of eight kinds of motion, as triangulation leaves them, and which of them can be told."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.synth.conditions import Conditions
from liquid_mono3d_ros.synth.flights import num_chunks
from liquid_mono3d_ros.synth.motions import FAMILIES
from liquid_mono3d_ros.synth.paths import GRAVITY
from liquid_mono3d_ros.synth.recordings import measure, record

NAMES = {
    "line": "line",
    "circle": "circle",
    "helix": "helix",
    "parabola": "parabola",
    "turns": "turn",
    "stop_and_go": "stop-and-go",
    "bounce": "bounce",
    "hover": "hover",
}
"""Families of the simulation, and what their motions are called; in the order of the labels."""
CONDITIONS = Conditions(families=tuple(NAMES), rate=30.0, duration=3.0, rotate=False)
"""Of the tracks: three seconds at 30 Hz, z up."""
ARC, TURN = np.deg2rad(120.0), np.deg2rad(30.0)
"""A circle or helix is observable from this arc, a turn from this turn, rad."""
SURE = 5.0
"""Standard deviations of a point by which a length must be larger to be observable."""
REST, AT_REST = 0.2, 0.05
"""A stop lasts this long, s, below this part of the track's highest speed."""


@dataclass(frozen=True)
class MotionTracks:
    """N tracks of T points.

    Attributes:
        t: From the start, (N, T) s.
        seen: (N, T) bool.
        xyz: Measured, (N, T, 3) m.
        R: Covariance of ``xyz``, (N, T, 3, 3) m².
        label: Index into ``NAMES``, (N,).
        observable: Whether the track shows what makes its class, (N,) bool.
    """

    t: Array
    seen: Array
    xyz: Array
    R: Array
    label: Array
    observable: Array

    def __len__(self) -> int:
        return len(self.t)

    @property
    def sigma(self) -> Array:
        """Standard deviation of a coordinate, root mean square over the axes, (N, T) m."""
        return np.asarray(np.sqrt(np.trace(self.R, axis1=2, axis2=3) / 3))

    def take(self, rows: Array | slice) -> MotionTracks:
        """Return some of the tracks."""
        return MotionTracks(**{name: values[rows] for name, values in vars(self).items()})


def draw_tracks(
    n: int, seed: int, *, conditions: Conditions = CONDITIONS, workers: int = 1
) -> MotionTracks:
    """Return n tracks, equally many of each class; fewer of a seed are the first of them."""
    task = partial(_draw_chunk, conditions=conditions, seed=seed)
    numbers = range(num_chunks(n))
    if workers <= 1:
        parts = [task(number) for number in numbers]
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            parts = list(pool.map(task, numbers, chunksize=8))
    columns = {
        name: np.concatenate([vars(part)[name] for part in parts])[:n] for name in vars(parts[0])
    }
    return MotionTracks(**columns)


def _draw_chunk(number: int, conditions: Conditions, seed: int) -> MotionTracks:
    recordings = record(number, conditions, seed)
    flights = measure(recordings)
    order = np.full(len(FAMILIES), -1)
    order[[FAMILIES.index(family) for family in NAMES]] = np.arange(len(NAMES))
    label = order[flights.family]
    sigma = np.sqrt(np.median(np.trace(flights.R, axis1=2, axis2=3), axis=1))
    turn = recordings.exposures.motions.turn
    xyz, velocity = recordings.exposures.truth(flights.t)
    shows = observable(label, turn, flights.t, xyz, velocity, sigma)
    return MotionTracks(flights.t, flights.seen, flights.z, flights.R, label, shows)


def observable(
    label: Array, turn: Array, t: Array, xyz: Array, velocity: Array, sigma: Array
) -> Array:
    """Return which tracks show what makes their class, (N,) bool.

    Line: its length. Circle: arc and diameter. Helix: those and the climb. Parabola: the sag of
    its arc. Turn: the change of heading, one way or the other, and how far it leaves the straight
    line. Stop-and-go: a rest of 0.2 s, and the way. Bounce: an impact with 0.1 s before and after
    it, and the rise. Hover: always. Lengths must be larger than ``SURE`` times sigma.

    Args:
        label: Index into ``NAMES``, (N,).
        turn: From the family's own axes, scale included, (N, 3, 3), as in ``Motions``.
        t: (N, T) s.
        xyz: True, (N, T, 3) m.
        velocity: True, (N, T, 3) m/s.
        sigma: Of a point, all axes together, (N,) m.
    """
    own, way = velocity @ turn, xyz @ turn  # times the scale, twice
    scale = np.cbrt(np.linalg.det(turn))[:, None, None]
    own, way = own / scale, way / scale  # in the family's axes, at true size
    heading = np.unwrap(np.arctan2(own[..., 1], own[..., 0]), axis=1)
    arc = np.ptp(heading, axis=1)
    length, duration = np.linalg.norm(np.ptp(xyz, axis=1), axis=1), np.ptp(t, axis=1)
    speed = np.linalg.norm(velocity, axis=2)
    radius = speed_across(own).mean(axis=1) / np.maximum(arc / duration, 1e-9)
    clear = SURE * sigma
    climb = np.ptp(way[..., 2], axis=1)
    resting = speed < AT_REST * speed.max(axis=1, keepdims=True)
    step = duration / (t.shape[1] - 1)
    impact, rise = _impacts(t, velocity[..., 2], xyz[..., 2])
    rules = {
        "line": length > clear,
        "circle": (arc > ARC) & (2 * radius > clear),
        "helix": (arc > ARC) & (2 * radius > clear) & (climb > clear),
        "parabola": GRAVITY * duration**2 / 8 > clear,
        "turn": (arc > TURN) & (_bow(xyz) > clear),
        "stop-and-go": (_longest(resting) * step > REST) & (length > clear),
        "bounce": impact & (rise > clear),
        "hover": np.ones(len(t), dtype=bool),
    }
    table = np.stack([rules[name] for name in NAMES.values()])
    return np.asarray(table[label, np.arange(len(t))])


def speed_across(velocity: Array) -> Array:
    """Return the level speed, (N, T) m/s."""
    return np.asarray(np.linalg.norm(velocity[..., :2], axis=2))


def _bow(xyz: Array) -> Array:
    """Return how far points (N, T, 3) leave their best line, at most, (N,) m."""
    about = xyz - xyz.mean(axis=1, keepdims=True)
    axis = np.linalg.svd(about, full_matrices=False)[2][:, 0]  # (N, 3)
    along = np.einsum("nti,ni->nt", about, axis)
    off = about - along[..., None] * axis[:, None]
    return np.asarray(np.linalg.norm(off, axis=2).max(axis=1))


def _longest(true: Array) -> Array:
    """Return the longest run of True in each row, (N,)."""
    run, best = np.zeros(len(true), dtype=int), np.zeros(len(true), dtype=int)
    for column in true.T:
        run = (run + 1) * column
        best = np.maximum(best, run)
    return best


def _impacts(t: Array, climb: Array, height: Array) -> tuple[Array, Array]:
    """Return whether a fall turns into a rise well inside the track, and how high it then rises.

    Args:
        t: (N, T) s.
        climb: Upward velocity, (N, T) m/s.
        height: (N, T) m.
    """
    hit = (climb[:, :-1] < -0.3) & (climb[:, 1:] > 0.3)  # between two frames
    at = t[:, 1:]
    inside = hit & (at > 0.1) & (at < t[:, -1:] - 0.1)
    low = np.where(inside, height[:, 1:], np.inf).min(axis=1)
    first = inside.argmax(axis=1)[:, None]
    after = np.arange(at.shape[1]) >= first
    rise = np.where(after, height[:, 1:], -np.inf).max(axis=1) - low
    ever = np.asarray(inside.any(axis=1))
    return ever, np.where(ever, rise, 0.0)
