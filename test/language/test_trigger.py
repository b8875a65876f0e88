from dataclasses import replace

import pytest

from liquid_mono3d_ros.language.trigger import TriggerSettings, reason_to_speak
from liquid_mono3d_ros.records import SECOND, Facts, Label, Quantity

SETTINGS = TriggerSettings()


def facts(at, **fields):
    """Facts of a track first seen at 1 s, `at` seconds."""
    stamp = round(at * SECOND)
    return Facts(stamp, "map", 3, 0, start=SECOND, end=stamp, **fields)


SPOKEN = facts(10, num_turns=Quantity(1, 0.0), motion=Label("line", 0.9))


def later(seconds, **fields):
    return replace(SPOKEN, stamp=SPOKEN.stamp + round(seconds * SECOND), **fields)


def test_new_track_is_spoken_of_once_it_was_seen_long_enough():
    assert reason_to_speak(None, facts(1.9), SETTINGS) == ""
    assert reason_to_speak(None, facts(2.0), SETTINGS) == "new"
    assert reason_to_speak(None, facts(1.9), SETTINGS, ended=True) == ""


@pytest.mark.parametrize(
    ("reason", "fields"),
    [
        ("turn", {"num_turns": Quantity(2, 0.0)}),
        ("stop", {"num_stops": Quantity(1, 0.0)}),
        ("bounce", {"num_bounces": Quantity(1, 0.0)}),
        ("reappearance", {"num_gaps": Quantity(1, 0.0)}),
        ("motion", {"motion": Label("circle", 0.9)}),
        ("", {"num_turns": Quantity(), "motion": Label()}),
        ("", {"num_stops": Quantity(0, 0.0)}),
        ("", {"path_length": Quantity(99, 0.1)}),
    ],
)
def test_change_is_a_reason(reason, fields):
    assert reason_to_speak(SPOKEN, later(2, **fields), SETTINGS) == reason


def test_change_waits_for_the_quiet_time_and_is_not_lost():
    changed = {"num_turns": Quantity(2, 0.0)}
    assert reason_to_speak(SPOKEN, later(0.9, **changed), SETTINGS) == ""
    assert reason_to_speak(SPOKEN, later(1.0, **changed), SETTINGS) == "turn"


def test_silence_has_an_end():
    assert reason_to_speak(SPOKEN, later(9.9), SETTINGS) == ""
    assert reason_to_speak(SPOKEN, later(10), SETTINGS) == "interval"


def test_end_is_said_at_once():
    assert reason_to_speak(SPOKEN, later(0.1), SETTINGS, ended=True) == "end"


def test_facts_of_another_track_are_refused():
    with pytest.raises(
        ValueError, match="facts must be of epoch 0, track 3; got epoch 1, track 3"
    ):
        reason_to_speak(SPOKEN, later(2, epoch=1), SETTINGS)
