"""Facts: what the history of a track supports, each with its uncertainty, else unknown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.language.estimate import Estimate, chord, total_variance
from liquid_mono3d_ros.language.history import HistorySettings, TrackHistory
from liquid_mono3d_ros.language.motion import MotionSettings, label_motion
from liquid_mono3d_ros.language.path import path_length
from liquid_mono3d_ros.records import (
    UNKNOWN_VECTOR,
    Facts,
    Label,
    Quantity,
    Vector,
    nanoseconds,
    seconds,
)
from liquid_mono3d_ros.settings import Settings, group, setting


@dataclass(frozen=True)
class FactsSettings(Settings):
    """When a fact is known."""

    history: HistorySettings = group(HistorySettings)
    motion: MotionSettings = group(MotionSettings)
    known_sigmas: float = setting(
        3.0, "an amount smaller than this many sigma is unknown", bounds=(1.0, 10.0)
    )
    position_sigma: float = setting(
        1.0, "a position less certain than this is unknown", unit="m", bounds=(0.001, 100.0)
    )
    count_sigma: float = setting(
        0.4,
        "a count less certain than this, and than count_share, is unknown",
        bounds=(0.01, 10.0),
    )
    count_share: float = setting(
        0.15, "sigma of a large count, as a share of it", bounds=(0.0, 1.0)
    )
    direction_share: float = setting(
        math.tan(math.pi / 8),
        "axes below this share of the largest are not named: eight winds",
        bounds=(0.0, 1.0),
    )
    persistence_confidence: float = setting(
        0.8, "persistent or transient is unknown below", bounds=(0.5, 1.0)
    )
    hover_time: float = setting(2.0, "a shorter rest is no hover", unit="s", bounds=(0.1, 60.0))
    hover_radius: float = setting(
        0.3, "farthest it may wander while it hovers", unit="m", bounds=(0.001, 10.0)
    )
    horizon: float = setting(
        0.5, "the prediction nearest to this time ahead is reported", unit="s", bounds=(0.0, 60.0)
    )


def compute_facts(history: TrackHistory, settings: FactsSettings) -> Facts:
    """Measure one track.

    Everything is measured between the first and the last measured estimate; predicted estimates
    bring only ``stamp`` and ``predicted_position``. Sigmas are propagated to first order from the
    covariances of the estimates, taken as independent of one another: an upper bound for
    differences, as a filter's errors are positively correlated over short times.

    - ``start_position``, ``end_position``: of those two estimates. ``displacement`` is their
      difference, ``height_change`` its z.
    - ``path_length``: see ``path.path_length``. ``speed_mean`` is ``path_length / duration``, gaps
      and rests included. ``speed_max``: see ``path.top_speed``.
    - ``num_turns``, ``num_stops``, ``num_bounces``: see ``events``.
    - ``direction``: axes along which the displacement is at least ``direction_share`` of its
      largest component and ``known_sigmas`` clear.
    - ``predicted_position``: the prediction nearest to ``horizon`` ahead of the newest trajectory;
      ``predicted_after`` counts from the last measured estimate.

    An amount below ``known_sigmas`` of its sigma, a position above ``position_sigma``, and a count
    above both ``count_sigma`` and ``count_share`` are unknown. Without a frame whose z is known to
    point up, so is every fact that names an axis: positions, displacement, direction, height,
    turns and bounces.

    Raises:
        ValueError: If the history holds no measured estimate.
    """
    first, last, newest, path = history.first, history.last, history.newest, history.path
    if first is None or last is None or newest is None or path is None:
        raise ValueError(
            complain("history", "of one measured estimate or more", "none", "Add one before.")
        )
    several = last is not first
    duration = seconds(last.stamp - first.stamp)
    length = _amount(path_length(path), settings) if several else Quantity()
    return Facts(
        stamp=newest.stamp,
        frame_id=history.frame_id,
        track_id=newest.track_id,
        epoch=newest.epoch,
        start=first.stamp,
        end=last.stamp,
        persistence=_persistence(newest.persistence, settings),
        motion=_motion(history, settings),
        duration=Quantity(duration, 0.0) if several else Quantity(),
        path_length=length,
        speed_mean=_scale(length, 1 / duration) if several else Quantity(),
        speed_max=_amount(history.fastest, settings),
        num_stops=_count(history.stops.number(), settings),
        num_cameras=_exact(newest.num_cameras) if newest.num_cameras else Quantity(),
        num_gaps=_exact(history.num_gaps),
        longest_gap=_exact(seconds(history.longest_gap)) if history.num_gaps else Quantity(),
        **_facts_that_name_an_axis(history, first, last, settings),
    )


def _facts_that_name_an_axis(
    history: TrackHistory, first: Estimate, last: Estimate, settings: FactsSettings
) -> dict[str, Any]:
    if not history.z_up or history.turns is None:
        return {}
    way, covariance = chord(first, last)
    displacement = _vector(way, covariance)
    position, after = _prediction(history, last, settings)
    return {
        "start_position": _position(first.xyz, first.covariance, settings),
        "end_position": _position(last.xyz, last.covariance, settings),
        "displacement": _each_amount(displacement, settings),
        "height_change": _amount(displacement[2], settings),
        "direction": label_direction(displacement, settings),
        "num_turns": _count(history.turns.number(), settings),
        "num_bounces": _count(history.bounces.number(), settings),
        "predicted_position": position,
        "predicted_after": after,
    }


def label_direction(displacement: Vector, settings: FactsSettings) -> Label:
    """Name the axes along which an object was displaced, as in "forward and left, up".

    Returns:
        The words; their confidence is the probability that every named sense is right.
    """
    largest = max(abs(part.value) for part in displacement)
    words, confidence = [], 1.0
    for part, positive, negative in zip(
        displacement, ("forward", "left", "up"), ("backward", "right", "down"), strict=True
    ):
        named = abs(part.value) >= settings.direction_share * largest
        if not named or not _amount(part, settings).known:
            words.append("")
            continue
        words.append(positive if part.value > 0 else negative)
        if part.sigma > 0:
            confidence *= 0.5 * math.erfc(-abs(part.value) / part.sigma / math.sqrt(2))
    level = " and ".join(word for word in words[:2] if word)
    text = ", ".join(word for word in (level, words[2]) if word)
    return Label(text, confidence) if text else Label()


def _motion(history: TrackHistory, settings: FactsSettings) -> Label:
    """Name the shape of the motion: hover, line, circle or unknown."""
    first, last, path = history.first, history.last, history.path
    if first is None or last is None or path is None:
        return Label()
    if path.num_steps == 0:
        noise = math.sqrt(total_variance(last.covariance))
        long = seconds(last.stamp - first.stamp) >= settings.hover_time
        if long and history.settings.path.step_sigmas * noise <= settings.hover_radius:
            return Label("hover", settings.motion.confidence)
        return Label()
    if history.stops.number().value != 0 or history.bounces.number().value:
        return Label()
    tail = [] if path.waypoint is last else [last]
    return label_motion([*history.waypoints, *tail], settings.motion)


def _persistence(probability: float, settings: FactsSettings) -> Label:
    confidence = max(probability, 1 - probability)
    if not confidence >= settings.persistence_confidence:
        return Label()
    return Label("persistent" if probability > 0.5 else "transient", confidence)


def _prediction(
    history: TrackHistory, last: Estimate, settings: FactsSettings
) -> tuple[Vector, Quantity]:
    newest = history.newest
    if newest is None or not newest.predictions:
        return UNKNOWN_VECTOR, Quantity()
    horizon = nanoseconds(settings.horizon)
    nearest = min(newest.predictions, key=lambda prediction: abs(prediction.after - horizon))
    R = history.R_facts_world
    xyz = R @ nearest.xyz + history.t_facts_world
    position = _position(xyz, R @ nearest.covariance @ R.T, settings)
    if not any(part.known for part in position):
        return UNKNOWN_VECTOR, Quantity()
    return position, _exact(seconds(newest.stamp + nearest.after - last.stamp))


def _exact(value: float) -> Quantity:
    return Quantity(float(value), 0.0)


def _scale(quantity: Quantity, factor: float) -> Quantity:
    return Quantity(quantity.value * factor, quantity.sigma * factor)


def _vector(xyz: Array, covariance: Array) -> Vector:
    sigmas = np.sqrt(np.maximum(np.diagonal(covariance), 0.0))
    parts = [Quantity(float(x), float(s)) for x, s in zip(xyz, sigmas, strict=True)]
    return cast(Vector, tuple(parts))


def _each_amount(vector: Vector, settings: FactsSettings) -> Vector:
    return cast(Vector, tuple(_amount(part, settings) for part in vector))


def _amount(quantity: Quantity, settings: FactsSettings) -> Quantity:
    """Return the quantity, or unknown if its uncertainty swallows it."""
    swallowed = not abs(quantity.value) > settings.known_sigmas * quantity.sigma
    return Quantity() if swallowed else quantity


def _position(xyz: Array, covariance: Array, settings: FactsSettings) -> Vector:
    parts = _vector(xyz, covariance)
    known = (part if part.sigma <= settings.position_sigma else Quantity() for part in parts)
    return cast(Vector, tuple(known))


def _count(quantity: Quantity, settings: FactsSettings) -> Quantity:
    limit = max(settings.count_sigma, settings.count_share * quantity.value)
    return quantity if quantity.sigma <= limit else Quantity()
