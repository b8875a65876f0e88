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


@dataclass(frozen=True)
class LifeRules:
    """When a track is believed, and when it is given up.

    Attributes:
        confirm_measurements: So many measurements confirm a track ...
        confirm_window: ... within so many updates from its birth; otherwise it is deleted.
        coast_time: A track not measured for longer is deleted, ns.
        rejections: So many gated measurements in a row restart a track.
    """

    confirm_measurements: int
    confirm_window: int
    coast_time: int
    rejections: int


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
    """

    track_id: Array
    state: Array
    health: Array
    age: Array
    hits: Array
    rejected: Array
    last_measured: Array
    num_cameras: Array


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


def new_lives(track_id: Array, witness: Witness) -> Lives:
    """Begin lives with one measurement each."""
    zeros = np.zeros(len(track_id), dtype=np.int64)
    state = np.full(len(track_id), _TENTATIVE, dtype=np.uint8)
    measured, ones = zeros + witness.stamp, zeros + 1
    health, cameras = witness.health, witness.num_cameras
    return Lives(track_id, state, health, ones, ones, zeros, measured, cameras)


def enter(lives: Lives, rows: Chosen, witness: Witness, gated: Array) -> Lives:
    """Enter measurements of the chosen rows, and which of them disagreed with their track."""
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
    )
    return lives.put(rows, after)


def grow_older(lives: Lives) -> Lives:
    """Begin the next update: one older, nothing wrong yet."""
    return replace(lives, age=lives.age + 1, health=np.zeros_like(lives.health))


def is_overdue(lives: Lives, rules: LifeRules, stamp: int) -> Array:
    """Say which tracks were not measured for longer than the coast time, (N,) bool."""
    overdue: Array = stamp - lives.last_measured > rules.coast_time
    return overdue


def advance(lives: Lives, rules: LifeRules, stamp: int) -> Lives:
    """Bring every track's state up to date, after the measurements of ``stamp`` are entered."""
    tentative = (lives.state == _TENTATIVE) & (lives.hits < rules.confirm_measurements)
    ended = tentative & (lives.age >= rules.confirm_window)
    ended |= is_overdue(lives, rules, stamp) | (lives.state == _DELETED)
    state = np.where(lives.last_measured == stamp, _CONFIRMED, _COASTING)
    state[tentative] = _TENTATIVE
    state[ended] = _DELETED
    return replace(lives, state=state.astype(np.uint8))


def seen_today(then: Lives, today: Lives, stamp: int) -> Lives:
    """Return lives as they were at ``stamp``, with what is known today of whether they are real.

    Args:
        then: N tracks.
        today: The same tracks, now.
        stamp: Of ``then``, ns.
    """
    state = np.where(then.last_measured == stamp, _CONFIRMED, _COASTING)
    unsure = (today.state == _TENTATIVE) | (today.state == _DELETED)
    return replace(then, state=np.where(unsure, today.state, state).astype(np.uint8))
