"""One sentence per group of facts; empty when none of the group is known."""

from __future__ import annotations

from liquid_mono3d_ros.language.phrase import (
    article,
    say_count,
    say_list,
    say_position,
    say_quantity,
    say_times,
)
from liquid_mono3d_ros.records import Facts, Quantity, Vector

_MOVED = {
    "line": "moved in a straight line",
    "circle": "moved in a circle",
    "helix": "moved along a helix",
    "parabola": "flew along a parabola",
    "turn": "moved along a curve",
    "stop-and-go": "moved by stops and starts",
    "bounce": "moved in bounces",
    "hover": "stayed in one place",
}


def say_seen(facts: Facts) -> str:
    """Name the object, how long and by how many cameras it was seen; never empty."""
    parts = [f"Object {facts.track_id} was seen"]
    if facts.duration.known:
        parts.append(f"for {say_quantity(facts.duration)} s")
    if facts.num_cameras.known:
        parts.append(f"by {say_count(facts.num_cameras, 'camera')}")
    return " ".join(parts) + "."


def say_appearance(facts: Facts) -> str:
    """Say colour, marking, shape and class."""
    noun = facts.object_class.value or facts.shape.value
    shape = f"{facts.shape.value}-shaped" if facts.object_class.known and facts.shape.known else ""
    parts = (facts.colour.value, facts.marking.value, shape, noun)
    words = " ".join(word for word in parts if word)
    if not words:
        return ""
    return f"It is {article(words)} {words}." if noun else f"It is {words}."


def say_blinking(facts: Facts) -> str:
    """Say whether it blinks."""
    if not facts.blinking.known:
        return ""
    return "It blinks." if facts.blinking.value == "yes" else "It does not blink."


def say_rigidity(facts: Facts) -> str:
    """Say whether its form changes."""
    return f"It is {facts.rigidity.value}." if facts.rigidity.known else ""


def say_size(facts: Facts) -> str:
    """Say how large it is, and how much longer than wide."""
    parts = []
    if facts.size.known:
        parts.append(f"{say_quantity(facts.size)} m across")
    if facts.elongation.known:
        parts.append(f"{say_quantity(facts.elongation)} times as long as wide")
    return f"It is {say_list(parts)}." if parts else ""


def say_persistence(facts: Facts) -> str:
    """Say whether it lasts."""
    return f"It is {facts.persistence.value}." if facts.persistence.known else ""


def say_motion(facts: Facts) -> str:
    """Say the shape of the motion and the length of the path."""
    if not (facts.motion.known or facts.path_length.known):
        return ""
    length = f" over {say_quantity(facts.path_length)} m" if facts.path_length.known else ""
    return f"It {_MOVED.get(facts.motion.value, 'moved')}{length}."


def say_direction(facts: Facts) -> str:
    """Say where it went from start to end."""
    return f"Overall it moved {facts.direction.value}." if facts.direction.known else ""


def say_height(facts: Facts) -> str:
    """Say how much higher or lower it ended."""
    change = facts.height_change
    if not change.known:
        return ""
    end = "higher" if change.value > 0 else "lower"
    return f"It ended {say_quantity(change)} m {end} than it began."


def say_speed(facts: Facts) -> str:
    """Say mean and largest speed."""
    parts = []
    if facts.speed_mean.known:
        parts.append(f"{say_quantity(facts.speed_mean)} m/s on average")
    if facts.speed_max.known:
        parts.append(f"{say_quantity(facts.speed_max)} m/s at most")
    return f"Its speed was {say_list(parts)}." if parts else ""


def say_events(facts: Facts) -> str:
    """Say how often it turned, stopped and bounced, where it did."""
    done = [
        f"{verb} {say_times(count)}"
        for verb, count in (
            ("turned", facts.num_turns),
            ("stopped", facts.num_stops),
            ("bounced", facts.num_bounces),
        )
        if count.known and count.value
    ]
    return f"It {say_list(done)}." if done else ""


def say_turns(facts: Facts) -> str:
    """Say how often it turned, also when it did not."""
    return _say_how_often("turn", "turned", facts.num_turns)


def say_stops(facts: Facts) -> str:
    """Say how often it stopped, also when it did not."""
    return _say_how_often("stop", "stopped", facts.num_stops)


def say_bounces(facts: Facts) -> str:
    """Say how often it bounced, also when it did not."""
    return _say_how_often("bounce", "bounced", facts.num_bounces)


def _say_how_often(verb: str, past: str, count: Quantity) -> str:
    if not count.known:
        return ""
    return f"It {past} {say_times(count)}." if count.value else f"It did not {verb}."


def say_sight(facts: Facts) -> str:
    """Say how often and for how long it was lost from sight."""
    if not facts.num_gaps.known:
        return ""
    if not facts.num_gaps.value:
        return "It was never lost from sight."
    length = ""
    if facts.longest_gap.known:
        most = "" if facts.num_gaps.value == 1 else "up to "
        length = f", for {most}{say_quantity(facts.longest_gap)} s"
    return f"It was lost from sight {say_times(facts.num_gaps)}{length}."


def say_places(facts: Facts) -> str:
    """Say where it began and where it ended."""
    start, end = _known(facts.start_position), _known(facts.end_position)
    if start and end:
        return f"It went from {say_position(start)} to {say_position(end)}."
    if start:
        return f"It began at {say_position(start)}."
    return f"It was last seen at {say_position(end)}." if end else ""


def say_prediction(facts: Facts) -> str:
    """Say where it is expected."""
    position = _known(facts.predicted_position)
    if not position or not facts.predicted_after.known:
        return ""
    after = say_quantity(facts.predicted_after)
    return f"It is expected at {say_position(position)} {after} s after that."


def _known(position: Vector) -> Vector | None:
    return position if all(part.known for part in position) else None
