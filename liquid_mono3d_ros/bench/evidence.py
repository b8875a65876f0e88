"""Are facts and words borne out by the recording? Checked with code of its own.

Nothing here comes from ``language``: the facts are measured once more, by the plainest arithmetic
on the recorded trajectories, and the numbers of a text are read from the text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields

import numpy as np

from liquid_mono3d_ros.bench.measuring import (
    count_bounces,
    count_stops,
    count_turns,
    name_direction,
    name_motion,
    path_length,
    top_speed,
)
from liquid_mono3d_ros.bench.recordings import RoadRecording
from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.records import Description, Facts, Label, Quantity, Trajectory, seconds

GAP = 0.3
"""A longer time between two measurements is a gap, s."""
HORIZON = 0.5
"""How far ahead the published prediction lies, s."""

Value = float | str
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?")
COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
COUNT = re.compile(rf"\b(?:{'|'.join(COUNTS)}|once|twice)\b")


def known_facts(facts: Facts) -> dict[str, Quantity | Label]:
    """Return every known fact by name; those along an axis are named ``displacement.x`` and so on.

    Example:
        >>> facts = Facts(0, "world", 1, 0, 0, 0, duration=Quantity(2.0, 0.0))
        >>> known_facts(facts)
        {'duration': Quantity(value=2.0, sigma=0.0)}
    """
    known: dict[str, Quantity | Label] = {}
    for field in fields(facts):
        value = getattr(facts, field.name)
        if isinstance(value, tuple):
            parts = zip("xyz", value, strict=True)
            known |= {f"{field.name}.{axis}": part for axis, part in parts if part.known}
        elif isinstance(value, (Quantity, Label)) and value.known:
            known[field.name] = value
    return known


def recomputed_facts(recording: RoadRecording, facts: Facts) -> dict[str, Value]:
    """Measure the facts of one track again, from the recorded trajectories and points.

    Facts of a frame other than the recording's world frame are not checked here.

    Returns:
        Name as in ``known_facts`` → value; NaN and the empty word where nothing can be said.

    Raises:
        ValueError: If the recording holds fewer than two measured states of the track, or the
            facts are of another frame.
    """
    track = facts.epoch, facts.track_id
    states = [s for s in recording.states(track) if s.stamp <= facts.stamp]
    if len(states) < 2:
        rule, got = f"of a recorded track, like {facts.track_id}", f"{len(states)} states of it"
        raise ValueError(complain("facts", rule, got, "Read the recording they come from."))
    world = recording.trajectories[0].frame_id
    if facts.frame_id != world:
        cure = "Record with facts_frame empty."
        raise ValueError(complain("facts.frame_id", f"'{world}'", f"'{facts.frame_id}'", cure))
    t = np.array([seconds(s.stamp - states[0].stamp) for s in states])  # (N,) s
    xyz = np.array([s.xyz for s in states])  # (N, 3) m
    gaps = np.diff(t)[np.diff(t) > GAP]
    length = path_length(states)
    found: dict[str, Value] = {
        "duration": float(t[-1]),
        "path_length": length,
        "speed_mean": length / float(t[-1]),
        "speed_max": top_speed(states),
        "height_change": float(xyz[-1, 2] - xyz[0, 2]),
        "num_turns": float(count_turns(xyz)),
        "num_stops": float(count_stops(t, xyz)),
        "num_bounces": float(count_bounces(t, xyz[:, 2])),
        "num_cameras": float(_count_cameras(recording, states[-1])),
        "num_gaps": float(len(gaps)),
        "longest_gap": float(gaps.max(initial=0.0)),
        "direction": name_direction(xyz[-1] - xyz[0]),
        "motion": name_motion(xyz),
        **_along_axes("start_position", xyz[0]),
        **_along_axes("end_position", xyz[-1]),
        **_along_axes("displacement", xyz[-1] - xyz[0]),
        **_prediction(recording, facts, states[-1]),
    }
    return found


SEEN = ("colour", "blinking", "rigidity", "size", "elongation")
"""Facts that are read from pictures."""


def disagreements(facts: Facts, recomputed: Mapping[str, Value]) -> list[str]:
    """Name the known facts that lie more than their sigma from what was measured again.

    A word must be among those measured: a direction may leave out an axis that is not clear. What
    was read from pictures cannot be measured again from a recording without them.
    """
    wrong = []
    for name, fact in known_facts(facts).items():
        if name in SEEN:
            continue
        value = recomputed.get(name, math.nan)
        if isinstance(fact, Label):
            if not set(_words(fact.value)) <= set(_words(str(value))):
                wrong.append(f"{name}: said {fact.value!r}, measured {value!r}")
        elif isinstance(value, str) or not (
            abs(value - fact.value) <= fact.sigma + 1e-6 * max(1.0, abs(fact.value))
        ):
            wrong.append(f"{name}: said {fact.value:.4g} ± {fact.sigma:.2g}, measured {value:.4g}")
    return wrong


def unsupported_numbers(description: Description) -> list[str]:
    """Name the numbers of a text that no known fact has, rounded as written.

    The sign may be in the words ("lower"), so a number without one stands for both. Counts are
    written as words ("twice", "three cameras") and are looked for among the counts.
    """
    known = known_facts(description.facts).items()
    amounts = {name: fact.value for name, fact in known if isinstance(fact, Quantity)}
    counts = {value for name, value in amounts.items() if name.startswith("num_")}
    values = [*amounts.values(), float(description.facts.track_id)]
    wrong = []
    for match in NUMBER.finditer(description.text):
        half_digit = 0.5000001 * 10.0 ** -len(match[0].partition(".")[2])
        number = float(match[0])
        if all(min(abs(v - number), abs(abs(v) - number)) > half_digit for v in values):
            wrong.append(match[0])
    for match in COUNT.finditer(description.text):
        word = {"once": "one", "twice": "two"}.get(match[0], match[0])
        if COUNTS.index(word) not in counts:
            wrong.append(match[0])
    return wrong


def _words(text: str) -> list[str]:
    return text.replace(",", "").split()


def _count_cameras(recording: RoadRecording, state: Trajectory) -> int:
    cameras = {
        sighting.camera
        for points in recording.points3d
        if points.stamp == state.stamp
        for track_id, sightings in zip(points.track_id, points.sightings, strict=True)
        if track_id == state.track_id
        for sighting in sightings
    }
    return len(cameras)


def _prediction(recording: RoadRecording, facts: Facts, last: Trajectory) -> dict[str, Value]:
    """Return where the newest state goes at constant velocity, when the facts predict."""
    newest = [
        state
        for update in recording.trajectories
        if update.stamp == facts.stamp
        for state in update.trajectories
        if (state.epoch, state.track_id) == (facts.epoch, facts.track_id)
    ][-1]
    if not newest.predictions:
        return {}
    after = min((seconds(p.after) for p in newest.predictions), key=lambda s: abs(s - HORIZON))
    ahead = newest.xyz + after * newest.velocity
    since = after + seconds(newest.stamp - last.stamp)
    return {"predicted_after": since, **_along_axes("predicted_position", ahead)}


def _along_axes(name: str, xyz: Sequence[float] | Array) -> dict[str, Value]:
    return {f"{name}.{axis}": float(value) for axis, value in zip("xyz", xyz, strict=True)}
