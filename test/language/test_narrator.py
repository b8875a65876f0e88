"""When facts and words come, and when they do not."""

from dataclasses import replace

import numpy as np
import pytest

from liquid_mono3d_ros.language.appearance import Appearance
from liquid_mono3d_ros.language.narrator import ENDED, FactsFrame, Narrator, NarratorSettings
from liquid_mono3d_ros.language.sight import TrackSight
from liquid_mono3d_ros.language.template import TemplateBackend
from liquid_mono3d_ros.records import Label, Quantity, State, nanoseconds, seconds

START = 5_000_000_000
WORLD = FactsFrame.world("map", z_up=True)


@pytest.fixture
def walk(trajectory):
    """States along x at 1 m/s, 20 a second."""

    def states(duration):
        times = [k / 20 for k in range(int(duration * 20) + 1)]
        return [trajectory(START + nanoseconds(t), (t, 0, 0), (1, 0, 0)) for t in times]

    return states


@pytest.fixture
def narrator():
    return Narrator(NarratorSettings(), TemplateBackend())


def test_facts_come_once_a_period_and_words_when_something_is_new(narrator, walk):
    told = [(t.stamp, *narrator.follow(t, WORLD)) for t in walk(3.0)]
    facts = [stamp for stamp, fact, _ in told if fact is not None]
    assert len(facts) == 16  # every 0.2 s, both ends included
    words = [fact for _, fact, text in told if text is not None]
    assert len(words) == 1
    assert seconds(words[0].end - words[0].start) >= 1.0


def test_every_state_counts_also_between_two_facts(narrator, walk):
    *_, last = [narrator.follow(t, WORLD)[0] for t in walk(2.0)]
    assert last.path_length.value == pytest.approx(2.0, abs=0.02)


def test_a_tentative_track_is_remembered_but_not_spoken_of(narrator, walk):
    states = walk(2.0)
    for state in states[:-1]:
        assert narrator.follow(replace(state, state=State.TENTATIVE), WORLD) == (None, None)
    facts, words = narrator.follow(states[-1], WORLD)
    assert facts.start == START
    assert words is not None


def test_the_end_is_told_and_the_track_forgotten(narrator, walk):
    states = walk(2.0)
    for state in states:
        narrator.follow(state, WORLD)
    stamp = states[-1].stamp + nanoseconds(1.0)
    facts, words = narrator.follow(
        replace(states[-1], stamp=stamp, state=State.DELETED, measured=False), WORLD
    )
    assert facts.end == states[-1].stamp
    assert words is not None
    assert not narrator.histories


def test_a_track_that_was_never_confirmed_ends_in_silence(narrator, walk):
    states = walk(0.2)
    for state in states:
        narrator.follow(replace(state, state=State.TENTATIVE), WORLD)
    gone = replace(states[-1], state=State.DELETED)
    assert narrator.follow(gone, WORLD) == (None, None)
    assert not narrator.histories


def test_a_repeated_or_older_stamp_brings_nothing(narrator, walk):
    first, second, *_ = walk(1.0)
    narrator.follow(second, WORLD)
    assert narrator.follow(second, WORLD) == (None, None)
    assert narrator.follow(first, WORLD) == (None, None)


def test_facts_are_told_in_the_facts_frame(narrator, walk):
    quarter = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    turned = FactsFrame(quarter, np.array([0.0, 0.0, 5.0]), True, "odom")
    *_, last = [narrator.follow(t, turned)[0] for t in walk(2.0)]
    assert last.frame_id == "odom"
    assert [q.value for q in last.end_position] == pytest.approx([0.0, 2.0, 5.0], abs=1e-9)
    assert last.direction.value == "left"


def test_the_reason_to_speak_comes_with_the_facts(narrator, walk):
    told = [narrator.observe(t, WORLD) for t in walk(2.0)]
    assert [reason for _, reason in told if reason] == ["new"]
    assert all(facts is not None for facts, reason in told if reason)


def test_the_newest_facts_of_each_track_are_kept_beyond_its_end(narrator, walk):
    assert narrator.facts_of() is None
    for track_id in range(ENDED + 3):
        for state in walk(0.4):
            facts, _ = narrator.observe(replace(state, track_id=track_id), WORLD)
        assert narrator.facts_of(track_id).stamp == facts.stamp
    assert narrator.facts_of() is narrator.facts_of(0)  # the oldest that lives
    last = walk(0.4)[-1]
    stamp = last.stamp + nanoseconds(1.0)
    for track_id in range(ENDED + 2):
        gone = replace(last, track_id=track_id, stamp=stamp, state=State.DELETED, measured=False)
        narrator.observe(gone, WORLD)
    assert narrator.facts_of() is narrator.facts_of(ENDED + 2)
    assert [narrator.facts_of(i) is None for i in range(4)] == [True, True, False, False]
    narrator.reset()
    assert narrator.facts_of(ENDED + 2) is None


def test_what_it_looks_like_is_a_fact(walk):
    class Sight(TrackSight):
        def appearance(self, track_id):
            return Appearance(colour=Label("red", 0.98), size=Quantity(0.2, 0.01))

    sight = Sight(("left",))
    narrator = Narrator(NarratorSettings(), TemplateBackend(), sight)
    *_, (facts, words) = [narrator.follow(t, WORLD) for t in walk(1.0)]
    assert (facts.colour.value, facts.size.value) == ("red", 0.2)
    assert facts.path_length.known
    assert "red" in words.text
