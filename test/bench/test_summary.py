"""summary.json: every key, known answers, unknown as None."""

import json
from dataclasses import replace

import pytest

pytest.importorskip("mcap_ros2")
from roads import line, road

from liquid_mono3d_ros.bench.recordings import NodeHealth, RoadRecording
from liquid_mono3d_ros.bench.summary import (
    dropped,
    facts_document,
    last_description,
    summarise,
    table,
)

KEYS = [
    *("cameras", "frames", "frames_with_pose", "reprojection_px_median", "path_length_m"),
    *("speed_median_mps", "speed_p95_mps", "image_to_pose_ms", "dropped", "play_rate", "nodes"),
    *("description", "facts"),
]
LATENCY = {
    "images": {"left": 91, "right": 91},
    "image_to_pose_ms": {"p50": 12.0, "p99": 30.0, "worst": 31.0},
}
EMPTY = RoadRecording({}, [], [], frozenset(), [], [], {})


def test_known_answers():
    summary = summarise(road(line, 3.0, residual_px=2.5), LATENCY, ("left", "right"))
    assert list(summary) == KEYS
    assert (summary["frames"], summary["frames_with_pose"]) == (91, 91)
    assert summary["reprojection_px_median"] == pytest.approx(2.5)
    assert summary["path_length_m"] == pytest.approx(1.5)
    assert summary["speed_median_mps"] == pytest.approx(0.5)
    assert summary["speed_p95_mps"] == pytest.approx(0.5)
    assert summary["image_to_pose_ms"] == {"p50": 12.0, "p99": 30.0}
    assert summary["play_rate"] == 0.25
    assert summary["nodes"] == ["player", "recorder", "tracking"]
    assert summary["description"].startswith("Object 7 was seen for 3.00 s by two cameras.")
    assert summary["facts"]["path_length"]["value"] == pytest.approx(1.5, abs=0.02)


def test_a_frame_without_a_pose_is_not_counted():
    recording = road()
    few = replace(recording, posed=frozenset(sorted(recording.posed)[1:]))
    summary = summarise(few, {}, ("left", "right"))
    assert summary["frames"] - summary["frames_with_pose"] == 1


def test_images_that_did_not_arrive_are_frames_all_the_same():
    played = {"images": {"left": 100, "right": 100}}
    assert summarise(road(), played, ("left", "right"))["frames"] == 100


def test_losses_are_counted_by_cause_and_other_counts_are_not():
    assert dropped(road()) == {"tracking.overrun": 2}
    assert dropped(road(), played=95) == {"tracking.not_received": 4, "tracking.overrun": 2}


def test_nothing_seen_is_unknown_and_still_json():
    summary = summarise(EMPTY, {}, ("left", "right"))
    assert summary["frames"] == 0
    for key in ("reprojection_px_median", "path_length_m", "play_rate", "description", "facts"):
        assert summary[key] is None
    json.dumps(summary, allow_nan=False)


def test_unknown_facts_are_none():
    document = facts_document(road().facts[-1])
    assert document["colour"] is None
    assert document["duration"] == {"value": pytest.approx(3.0), "sigma": 0.0}
    assert [part["value"] for part in document["end_position"]] == pytest.approx([3, 0.7, 1.7])
    json.dumps(document, allow_nan=False)


def test_the_words_are_those_of_the_main_track():
    recording = road()
    (own,) = recording.descriptions
    other = replace(own, text="another", facts=replace(own.facts, track_id=9))
    assert last_description(replace(recording, descriptions=[own, other])) is own
    assert last_description(replace(recording, descriptions=[other])) is other
    assert last_description(EMPTY) is None


def test_table_names_the_targets_and_leaves_words_out():
    text = table(summarise(road(), LATENCY, ("left", "right")), {"path_length_m": "about 1.5"})
    assert "path_length_m           1.5  (target: about 1.5)" in text
    assert "left, right" in text
    assert "p50 12, p99 30" in text
    assert "Object" not in text


def test_a_player_without_a_rate_is_unknown():
    health = {"player": NodeHealth(0, "good", {"play_rate": "unknown"})}
    assert summarise(replace(EMPTY, health=health), {}, ("left",))["play_rate"] is None
