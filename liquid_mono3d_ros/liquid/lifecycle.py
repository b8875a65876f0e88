"""Birth, confirmation, coasting and end of a track."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.liquid.rows import Chosen, Rows
from liquid_mono3d_ros.records import Health, State

# numpy takes plain numbers faster than enumerations.
_TENTATIVE, _CONFIRMED, _COASTING, _DELETED = map(int, State)
_GATED = int(Health.GATED)

EVEN = 0.5
"""From this probability on, a track is rather an object than clutter."""
JUDGED = 24
"""A track is judged for so many updates; what still exists then is confirmed by its count."""


@dataclass(frozen=True)
class LifeRules:
    """When a track is believed, and when it is given up.

    Attributes:
        confirm_measurements: So many measurements confirm a track ...
        confirm_window: ... within so many updates from its birth; otherwise it is deleted.
        coast_time: A track not measured for longer is deleted, ns.
        rejections: So many gated measurements in a row restart a track.
        certainty: Where tracks are judged, this probability that it lasts confirms one; so does
            the count with the probability ``EVEN`` from the end of the window on, and alone after
            ``JUDGED`` updates, so that no judge can keep an object out. 0 to count alone.
    """

    confirm_measurements: int
    confirm_window: int
    coast_time: int
    rejections: int
    certainty: float = 0.0


@dataclass(frozen=True)
class Lives(Rows):
    """What is known of the lives of N tracks, in order of birth.

    Attributes:
        track_id: (N,) uint64.
        state: (N,) values of ``State``.
        health: Of the newest update, (N,) values of ``Health``.
        age: Updates since birth, the first included, (N,).
        hits: Accepted measurements since birth, (N,).
        rejected: Gated measurements in a row up to now, (N,).
        last_measured: Stamp of the newest measurement, (N,) int64 ns.
        num_cameras: Cameras behind the newest measurement, (N,).
        missed: Updates without a measurement in a row up to now, (N,).
        surprise: Squared distance of the newest update's measurement over that of the gate, (N,);
            0 without one.
        persistence: Probability that the track lasts, (N,); NaN when not judged.
        hidden: State of the network that judges, (N, H) float32.
    """

    track_id: Array
    state: Array
    health: Array
    age: Array
    hits: Array
    rejected: Array
    last_measured: Array
    num_cameras: Array
    missed: Array
    surprise: Array
    persistence: Array
    hidden: Array


@dataclass(frozen=True)
class Witness:
    """What stands behind N measurements of one instant.

    Attributes:
        stamp: ns.
        health: What they say of their own quality, (N,) values of ``Health``.
        num_cameras: (N,).
    """

    stamp: int
    health: Array
    num_cameras: Array


def new_lives(track_id: Array, witness: Witness, units: int = 0) -> Lives:
    """Begin lives with one measurement each.

    Args:
        track_id: (N,) uint64.
        witness: Of the measurements.
        units: Length of the state of the network that judges.
    """
    n = len(track_id)
    zeros = np.zeros(n, dtype=np.int64)
    return Lives(
        track_id=track_id,
        state=np.full(n, _TENTATIVE, dtype=np.uint8),
        health=witness.health,
        age=zeros + 1,
        hits=zeros + 1,
        rejected=zeros,
        last_measured=zeros + witness.stamp,
        num_cameras=witness.num_cameras,
        missed=zeros,
        surprise=np.zeros(n),
        persistence=np.full(n, np.nan),
        hidden=np.zeros((n, units), dtype=np.float32),
    )


def enter(
    lives: Lives, rows: Chosen, witness: Witness, gated: Array, surprise: Array | float = 0.0
) -> Lives:
    """Enter measurements of the chosen rows.

    Args:
        lives: N tracks.
        rows: K of them.
        witness: Of the measurements.
        gated: Which of them disagreed with their track, (K,) bool.
        surprise: Their squared distances over that of the gate, (K,).
    """
    before = lives.take(rows)
    after = Lives(
        track_id=before.track_id,
        state=before.state,
        health=before.health | witness.health | gated * _GATED,
        age=before.age,
        hits=before.hits + ~gated,
        rejected=(before.rejected + 1) * gated,
        last_measured=np.full_like(before.last_measured, witness.stamp),
        num_cameras=witness.num_cameras,
        missed=np.zeros_like(before.missed),
        surprise=np.zeros_like(before.surprise) + surprise,
        persistence=before.persistence,
        hidden=before.hidden,
    )
    return lives.put(rows, after)


def grow_older(lives: Lives) -> Lives:
    """Begin the next update: one older, nothing wrong yet."""
    return replace(
        lives,
        age=lives.age + 1,
        health=np.zeros_like(lives.health),
        missed=lives.missed + 1,
        surprise=np.zeros_like(lives.surprise),
    )


def is_overdue(lives: Lives, rules: LifeRules, stamp: int) -> Array:
    """Say which tracks were not measured for longer than the coast time, (N,) bool."""
    overdue: Array = stamp - lives.last_measured > rules.coast_time
    return overdue


def advance(lives: Lives, rules: LifeRules, stamp: int) -> Lives:
    """Bring every track's state up to date, after the measurements of ``stamp`` are entered."""
    tentative = (lives.state == _TENTATIVE) & ~_is_believed(lives, rules)
    ended = tentative & (lives.age >= rules.confirm_window)
    ended &= lives.hits < rules.confirm_measurements
    ended |= is_overdue(lives, rules, stamp) | (lives.state == _DELETED)
    state = np.where(lives.last_measured == stamp, _CONFIRMED, _COASTING)
    state[tentative] = _TENTATIVE
    state[ended] = _DELETED
    return replace(lives, state=state.astype(np.uint8))


def _is_believed(lives: Lives, rules: LifeRules) -> Array:
    """Say which tracks are confirmed if they were not before, (N,) bool."""
    counted: Array = lives.hits >= rules.confirm_measurements
    if not rules.certainty:
        return counted
    known = np.where(lives.age >= rules.confirm_window, EVEN, np.inf)
    known[lives.age > JUDGED] = 0.0
    believed = (lives.persistence >= rules.certainty) | (counted & (lives.persistence >= known))
    return np.where(np.isnan(lives.persistence), counted, believed & (lives.missed == 0))


def seen_today(then: Lives, today: Lives, stamp: int) -> Lives:
    """Return lives as they were at ``stamp``, with what is known today of whether they are real.

    Args:
        then: N tracks.
        today: The same tracks, now.
        stamp: Of ``then``, ns.
    """
    state = np.where(then.last_measured == stamp, _CONFIRMED, _COASTING)
    unsure = (today.state == _TENTATIVE) | (today.state == _DELETED)
    state = np.where(unsure, today.state, state).astype(np.uint8)
    return replace(then, state=state, persistence=today.persistence)
