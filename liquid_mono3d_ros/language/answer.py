"""Answers to questions, from the same sentences as the description."""

from __future__ import annotations

from collections.abc import Callable

from liquid_mono3d_ros.language.sentences import (
    say_appearance,
    say_blinking,
    say_bounces,
    say_direction,
    say_height,
    say_motion,
    say_persistence,
    say_places,
    say_prediction,
    say_rigidity,
    say_seen,
    say_sight,
    say_size,
    say_speed,
    say_stops,
    say_turns,
)
from liquid_mono3d_ros.records import Facts

NOT_KNOWN = "That is not known."

SUBJECTS: tuple[tuple[Callable[[Facts], str], tuple[str, ...]], ...] = (
    (
        say_appearance,
        ("colour", "color", "shape", "class", "kind", "look", "marking", "pattern", "stripe"),
    ),
    (say_blinking, ("blink", "flash")),
    (say_rigidity, ("rigid", "articulated", "deform")),
    (say_size, ("size", "big", "small", "large", "wide", "how long is it", "elongat")),
    (say_persistence, ("persist", "transient", "real")),
    (say_seen, ("how long", "duration", "camera", "track")),
    (say_motion, ("motion", "how far", "distance", "path", "trajectory")),
    (say_direction, ("direction", "which way", "heading", "forward", "backward", "left", "right")),
    (say_height, ("height", "high", "rise", "rose", "climb", "fall", "fell", "up", "down")),
    (say_speed, ("fast", "slow", "speed", "velocity")),
    (say_turns, ("turn",)),
    (say_stops, ("stop", "rest")),
    (say_bounces, ("bounce",)),
    (say_sight, ("lost", "sight", "gap", "disappear")),
    (say_places, ("where", "position", "start", "begin", "end")),
    (say_prediction, ("will", "next", "predict", "expect")),
)


def answer(facts: Facts, question: str) -> str:
    """Say what is known on the subjects whose words occur in the question.

    The question is searched for words, never obeyed or repeated. A question about several subjects
    gets what is known of them.
    """
    asked = f" {question.lower()}"
    sentences = (
        say(facts) for say, words in SUBJECTS if any(f" {word}" in asked for word in words)
    )
    return " ".join(sentence for sentence in sentences if sentence) or NOT_KNOWN
