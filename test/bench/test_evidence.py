"""Facts and words are checked with code of its own: what is true passes, what is not is named."""

from dataclasses import replace

import pytest

pytest.importorskip("mcap_ros2")
from roads import bouncing, circle, line, road, stopping, zigzag

from liquid_mono3d_ros.bench.evidence import (
    disagreements,
    known_facts,
    recomputed_facts,
    unsupported_numbers,
)
from liquid_mono3d_ros.records import Description, Label, Quantity


@pytest.mark.parametrize("motion", [line, circle, zigzag, bouncing, stopping])
def test_every_fact_agrees_all_along(motion):
    recording = road(motion, 4.0)
    for facts in recording.facts[::4]:
        assert disagreements(facts, recomputed_facts(recording, facts)) == []


def test_known_answers_on_a_line():
    recording = road(line, 3.0)
    found = recomputed_facts(recording, recording.facts[-1])
    assert found["duration"] == pytest.approx(3.0)
    assert found["path_length"] == pytest.approx(1.5, abs=1e-6)
    assert found["speed_mean"] == pytest.approx(0.5)
    assert found["speed_max"] == pytest.approx(0.5, abs=0.01)  # less the noise across
    assert found["height_change"] == pytest.approx(0.9)
    assert found["direction"] == "left, up"
    assert found["motion"] == "line"
    assert found["start_position.y"] == pytest.approx(-0.5)
    assert found["end_position.z"] == pytest.approx(1.7)
    assert found["predicted_position.y"] == pytest.approx(0.9)
    assert found["predicted_after"] == pytest.approx(0.5)
    assert (found["num_cameras"], found["num_gaps"], found["num_turns"]) == (2, 0, 0)


def test_a_gap_is_counted_and_timed():
    recording = road(line, 3.0)
    updates = [u for k, u in enumerate(recording.trajectories) if not 30 < k < 45]
    found = recomputed_facts(replace(recording, trajectories=updates), recording.facts[-1])
    assert found["num_gaps"] == 1
    assert found["longest_gap"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"path_length": Quantity(1.7, 0.01)},
        {"num_turns": Quantity(1.0, 0.0)},
        {"direction": Label("right", 0.9)},
        {"motion": Label("circle", 0.9)},
        {"shape": Label("ball", 0.9)},
        {"displacement": (Quantity(0.5, 0.01), Quantity(), Quantity())},
    ],
)
def test_a_wrong_fact_is_named(wrong):
    recording = road(line, 3.0)
    facts = replace(recording.facts[-1], **wrong)
    (sentence,) = disagreements(facts, recomputed_facts(recording, facts))
    assert sentence.startswith(next(iter(wrong)))


def test_what_was_read_from_pictures_is_not_measured_again():
    recording = road(line, 3.0)
    facts = replace(recording.facts[-1], colour=Label("red", 0.9), size=Quantity(0.2, 0.01))
    assert not disagreements(facts, recomputed_facts(recording, facts))


def test_a_fact_of_another_track_or_frame_is_refused():
    recording = road()
    with pytest.raises(ValueError, match="facts must be of a recorded track"):
        recomputed_facts(recording, replace(recording.facts[-1], track_id=8))
    with pytest.raises(ValueError, match=r"facts\.frame_id must be 'world'; got 'map'"):
        recomputed_facts(recording, replace(recording.facts[-1], frame_id="map"))


def test_known_facts_are_named_by_axis():
    known = known_facts(road().facts[-1])
    assert known["displacement.y"].value == pytest.approx(1.2)
    assert "colour" not in known


def test_the_templates_numbers_are_facts():
    for motion in (line, circle, zigzag, bouncing, stopping):
        (description,) = road(motion, 4.0).descriptions
        assert unsupported_numbers(description) == []


@pytest.mark.parametrize(
    ("text", "unsupported"),
    [
        ("It moved over 0.90 m.", []),
        ("It moved over 0.91 m.", ["0.91"]),
        ("It ended 0.9 m lower, at -0.50 m.", []),
        ("It turned twice.", []),  # two cameras: words are not tied to what they count
        ("It turned three times and was seen by nine cameras.", ["three", "nine"]),
        ("Object 7 never stopped.", []),
        ("Object 8 was seen.", ["8"]),
    ],
)
def test_numbers_that_no_fact_has_are_named(text, unsupported):
    description = Description(text, "test", road().facts[-1])
    assert unsupported_numbers(description) == unsupported
