"""When to speak: on change, not per frame."""

from __future__ import annotations

from dataclasses import dataclass

from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.records import Facts, Quantity, seconds
from liquid_mono3d_ros.settings import Settings, setting


@dataclass(frozen=True)
class TriggerSettings(Settings):
    """When to speak of a track."""

    new_after: float = setting(
        1.0, "a new track is spoken of once it was seen this long", unit="s", bounds=(0.0, 60.0)
    )
    quiet: float = setting(
        1.0,
        "shortest time between two texts; a change meanwhile waits",
        unit="s",
        bounds=(0.0, 60.0),
    )
    interval: float = setting(
        10.0, "longest time between two texts, whatever happens", unit="s", bounds=(0.1, 3600.0)
    )


COUNTED = (
    ("bounce", "num_bounces"),
    ("turn", "num_turns"),
    ("stop", "num_stops"),
    ("reappearance", "num_gaps"),
)
"""Reason to speak, and the count that grows."""


def reason_to_speak(
    previous: Facts | None, facts: Facts, settings: TriggerSettings, *, ended: bool = False
) -> str:
    """Return why to speak of a track now; empty to stay silent.

    Args:
        previous: The facts last spoken of; None before the first text.
        facts: The facts now.
        settings: When to speak.
        ended: The track was deleted.

    Returns:
        "end", "new", "bounce", "turn", "stop", "reappearance", "motion" or "interval". A track too
        short to be new has no end.

    Raises:
        ValueError: If the facts are of another track or epoch than the previous ones.
    """
    if previous is None:
        seen = seconds(facts.end - facts.start)
        return "new" if seen >= settings.new_after else ""
    _check_same_track(previous, facts)
    if ended:
        return "end"
    silence = seconds(facts.stamp - previous.stamp)
    if silence < settings.quiet:
        return ""
    for reason, name in COUNTED:
        if _grew(getattr(previous, name), getattr(facts, name)):
            return reason
    if facts.motion.known and facts.motion.value != previous.motion.value:
        return "motion"
    return "interval" if silence >= settings.interval else ""


def _grew(before: Quantity, now: Quantity) -> bool:
    return now.known and now.value > (before.value if before.known else 0)


def _check_same_track(previous: Facts, facts: Facts) -> None:
    was, now = (previous.epoch, previous.track_id), (facts.epoch, facts.track_id)
    if was != now:
        rule = f"of epoch {was[0]}, track {was[1]}"
        got = f"epoch {now[0]}, track {now[1]}"
        raise ValueError(complain("facts", rule, got, "Keep previous facts per track."))
