"""Counting turns, stops and bounces of one track, one estimate at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from liquid_mono3d_ros.language.estimate import Estimate, chord, estimate_before, ruler
from liquid_mono3d_ros.records import Quantity, nanoseconds, seconds
from liquid_mono3d_ros.settings import Settings, setting


@dataclass(frozen=True)
class EventSettings(Settings):
    """What counts as a turn, a stop, a bounce."""

    turn_angle: float = setting(
        math.pi / 4, "a smaller change of direction is no turn", unit="rad", bounds=(0.1, 3.0)
    )
    turn_step: float = setting(
        0.3, "directions are those of horizontal steps this long", unit="m", bounds=(0.01, 100.0)
    )
    turn_time: float = setting(
        0.4, "and this long in time: slower bends are curves", unit="s", bounds=(0.0, 60.0)
    )
    stop_time: float = setting(0.5, "a shorter rest is no stop", unit="s", bounds=(0.05, 10.0))
    stop_distance: float = setting(
        0.05, "farthest it may wander during a rest", unit="m", bounds=(0.001, 10.0)
    )
    stop_sigmas: float = setting(
        3.0, "and this many sigma of its noisiest direction", bounds=(1.0, 10.0)
    )
    bounce_time: float = setting(
        0.2, "fall and rise are measured over this time", unit="s", bounds=(0.02, 2.0)
    )
    bounce_speed: float = setting(
        0.5, "a slower fall or rise is no bounce", unit="m/s", bounds=(0.05, 50.0)
    )
    bounce_pause: float = setting(
        0.4,
        "longest time from the end of the fall to that of the rise",
        unit="s",
        bounds=(0.02, 5.0),
    )


@dataclass(frozen=True)
class Turns:
    """Turns so far.

    Attributes:
        waypoint: Where the last horizontal step ended.
        headings: Direction (rad) and its variance of the last steps, oldest first, at most two.
        sense: Of the bend under way: 1 left, −1 right, 0 none.
        chance: Probability that the bend under way is a turn.
        num_steps: How many steps were made.
        count: Finished turns.
        variance: Of ``count``.
    """

    waypoint: Estimate
    headings: tuple[tuple[float, float], ...] = ()
    sense: int = 0
    chance: float = 0.0
    num_steps: int = 0
    count: int = 0
    variance: float = 0.0

    def number(self) -> Quantity:
        """Return the number of turns; unknown before the third step."""
        if self.num_steps < 3:
            return Quantity()
        done = _finish_bend(self)
        return Quantity(float(done.count), math.sqrt(done.variance))


def extend_turns(turns: Turns, estimate: Estimate, settings: EventSettings) -> Turns:
    """Follow the horizontal direction.

    A step is made when the estimate is horizontally ``turn_step`` away from the last waypoint and
    ``turn_time`` later. The step after each step is compared with the one before it: a difference
    of direction above ``turn_angle`` is a turn, and neighbouring differences in the same sense are
    one turn. So a circle is one turn, or none if it is slow or wide.
    """
    offset, covariance = chord(turns.waypoint, estimate)
    offset, covariance = offset[:2], covariance[:2, :2]
    length_squared = float(offset @ offset)
    soon = seconds(estimate.stamp - turns.waypoint.stamp) < settings.turn_time
    if soon or length_squared < settings.turn_step**2:
        return turns
    across = np.array([-offset[1], offset[0]]) / length_squared
    heading = math.atan2(offset[1], offset[0]), float(across @ covariance @ across)
    if len(turns.headings) == 2:
        turns = _bend(turns, turns.headings[0], heading, settings.turn_angle)
    return replace(
        turns,
        waypoint=estimate,
        headings=(*turns.headings[-1:], heading),
        num_steps=turns.num_steps + 1,
    )


def _bend(
    turns: Turns, before: tuple[float, float], after: tuple[float, float], angle: float
) -> Turns:
    bend = math.remainder(after[0] - before[0], 2 * math.pi)
    sigma = max(math.sqrt(before[1] + after[1]), 1e-6)
    margin = (abs(bend) - angle) / sigma
    sense = 1 if bend > 0 else -1
    reversal = abs(bend) > 0.75 * math.pi  # left or right about is then a matter of noise
    if reversal and turns.sense:
        sense = turns.sense
    if margin < -2 or sense != turns.sense:
        turns = _finish_bend(turns)
    if margin < -2:
        return turns
    return replace(turns, sense=sense, chance=max(turns.chance, _chance(margin)))


def _finish_bend(turns: Turns) -> Turns:
    return replace(
        turns,
        sense=0,
        chance=0.0,
        count=turns.count + (turns.chance > 0.5),
        variance=turns.variance + turns.chance * (1 - turns.chance),
    )


@dataclass(frozen=True)
class Stops:
    """Stops so far, and whether the object moves now; ``moved`` once it moved clearly."""

    moving: bool = False
    moved: bool = False
    count: int = 0

    def number(self) -> Quantity:
        """Return the number of stops; unknown if it never moved clearly."""
        return Quantity(float(self.count), 0.0) if self.moved else Quantity()


def extend_stops(stops: Stops, recent: Sequence[Estimate], settings: EventSettings) -> Stops:
    """Follow rest and motion.

    It rests when every estimate of the last ``stop_time`` lies within ``stop_distance`` (or
    ``stop_sigmas``) of the newest, and moves when one lies more than twice as far. Passing from
    motion to rest is a stop.
    """
    newest = recent[-1]
    begin = newest.stamp - nanoseconds(settings.stop_time)
    if recent[0].stamp > begin:
        return stops
    window = np.array([estimate.xyz for estimate in recent if estimate.stamp >= begin])  # (n, 3)
    extent = math.sqrt(float(((window - newest.xyz) ** 2).sum(axis=1).max()))
    limit = ruler(2 * newest.covariance, settings.stop_distance, settings.stop_sigmas)
    if extent > 2 * limit:
        return replace(stops, moving=True, moved=True)
    if extent < limit and stops.moving and len(window) > 2:
        return replace(stops, moving=False, count=stops.count + 1)
    return stops


@dataclass(frozen=True)
class Bounces:
    """Bounces so far.

    Attributes:
        fell: Stamp of the newest fall, ns.
        fall: Probability that there was a clear fall.
        rise: Probability that a clear rise follows it.
        count: Finished bounces.
        variance: Of ``count``.
    """

    fell: int = 0
    fall: float = 0.0
    rise: float = 0.0
    count: int = 0
    variance: float = 0.0

    def number(self) -> Quantity:
        """Return the number of bounces."""
        done = _finish_bounce(self)
        return Quantity(float(done.count), math.sqrt(done.variance))


def extend_bounces(
    bounces: Bounces, recent: Sequence[Estimate], settings: EventSettings
) -> Bounces:
    """Follow the height.

    A clear fall or rise is a change of height over ``bounce_time`` that is faster than
    ``bounce_speed``. A clear rise within ``bounce_pause`` of a clear fall is a bounce.
    """
    newest = recent[-1]
    past = estimate_before(recent, settings.bounce_time)
    if past is None:
        return bounces
    offset, covariance = chord(past, newest)
    rise, sigma = float(offset[2]), max(math.sqrt(float(covariance[2, 2])), 1e-9)
    limit = settings.bounce_speed * seconds(newest.stamp - past.stamp)
    chance = _chance((abs(rise) - limit) / sigma)
    late = newest.stamp - bounces.fell > nanoseconds(settings.bounce_pause)
    if late or (rise < 0 and bounces.rise > 0):
        bounces = _finish_bounce(bounces)
    if rise < 0:
        fell = newest.stamp if chance > 0.01 else bounces.fell
        return replace(bounces, fell=fell, fall=max(bounces.fall, chance))
    return replace(bounces, rise=max(bounces.rise, chance)) if bounces.fall else bounces


def _finish_bounce(bounces: Bounces) -> Bounces:
    chance = bounces.fall * bounces.rise
    return replace(
        bounces,
        fall=0.0,
        rise=0.0,
        count=bounces.count + (chance > 0.5),
        variance=bounces.variance + chance * (1 - chance),
    )


def _chance(margin: float) -> float:
    """Return the probability that a normal variable exceeds its mean less ``margin`` sigma."""
    return 0.5 * math.erfc(-margin / math.sqrt(2))
