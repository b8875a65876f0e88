"""The road end to end on images whose truth is known, by three cameras that run freely."""

import re
from collections import deque

import numpy as np
import pytest

from liquid_mono3d_ros.pipeline import Pipeline, PipelineSettings
from liquid_mono3d_ros.recording import SyntheticRecording
from liquid_mono3d_ros.records import State
from liquid_mono3d_ros.synth.paths import Circle
from liquid_mono3d_ros.synth.rigs import ring_rig

RADIUS, RATE = 0.8, 2.0  # m, rad/s
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


@pytest.fixture(scope="module")
def film():
    path = Circle(centre=(0.0, 0.0, 1.0), radius=RADIUS, rate=RATE)
    phase = {"camera1": 0.012, "camera2": 0.025}
    return SyntheticRecording(ring_rig(3), path, duration=2.4, phase=phase, radius=0.1).prerender()


@pytest.fixture(scope="module")
def truth():
    path = Circle(centre=(0.0, 0.0, 1.0), radius=RADIUS, rate=RATE)
    return SyntheticRecording(ring_rig(3), path).truth


@pytest.fixture(scope="module")
def results(film):
    pipeline = Pipeline(film.rig)
    return [result for frame in film for result in pipeline.add(frame)]


def confirmed(results):
    return [t for now, _ in results for t in now.trajectories if t.state == State.CONFIRMED]


def test_one_object_is_found_and_kept(results):
    states = confirmed(results)
    assert len(states) > 30
    assert {(t.epoch, t.track_id) for t in states} == {(0, states[0].track_id)}


def test_convention_stamps_are_those_of_the_reference_camera(film, results):
    stamps = [frame.stamp for frame in film if frame.camera == "camera0"]
    assert [now.stamp for now, _ in results] == stamps[: len(results)]
    assert len(results) >= len(stamps) - 2


def test_positions_are_right_within_their_sigma(results, truth):
    errors, distances = [], []
    for state in confirmed(results):
        error = state.xyz - truth(state.stamp)[0]
        errors.append(np.linalg.norm(error))
        distances.append(error @ np.linalg.solve(state.covariance[:3, :3], error))
    assert np.median(errors) < 0.02
    assert np.mean(distances) < 3.0  # three degrees of freedom
    assert np.quantile(distances, 0.99) < 11.3


def test_facts_agree_with_the_truth(results, truth):
    facts = next(words.facts for _, texts in results for words in texts)
    assert facts.speed_mean.value == pytest.approx(RATE * RADIUS, abs=3 * facts.speed_mean.sigma)
    arc = RATE * RADIUS * facts.duration.value
    assert facts.path_length.value == pytest.approx(arc, abs=3 * facts.path_length.sigma)
    for part, true in zip(facts.end_position, truth(facts.end)[0], strict=True):
        assert part.value == pytest.approx(true, abs=3 * part.sigma)
    assert facts.num_cameras.value == 3


def test_every_number_of_the_description_is_a_fact(results):
    words = next(words for _, texts in results for words in texts)
    assert words.verified
    left = deque(NUMBER.findall(words.text))
    assert left.popleft() == str(words.facts.track_id)
    facts = words.facts
    quantities = [
        facts.duration,
        facts.path_length,
        facts.height_change,
        facts.speed_mean,
        facts.speed_max,
        *facts.start_position,
        *facts.end_position,
        *facts.predicted_position,
        facts.predicted_after,
    ]
    for quantity in quantities:
        if quantity.known:
            text = left.popleft()
            decimals = len(text.partition(".")[2])
            assert abs(float(text)) == pytest.approx(
                abs(quantity.value), abs=0.501 * 10.0**-decimals
            ), text
    assert not left


def test_a_recording_that_begins_again_starts_a_new_epoch(film):
    pipeline = Pipeline(film.rig)
    frames = list(film)[:30]
    results = [result for frame in frames * 2 for result in pipeline.add(frame)]
    assert {now.epoch for now, _ in results} == {0, 1}
    assert pipeline.triangulator.epoch == 1


def test_reset_reaches_every_stage(film):
    pipeline = Pipeline(film.rig)
    pipeline.reset()
    stages = [*pipeline.trackers.values(), pipeline.triangulator, pipeline.filter]
    assert [stage.epoch for stage in stages] == [1] * 5


def test_settings_reach_every_stage(film):
    settings = PipelineSettings.from_flat(
        {
            "tracking.detector": "colour",
            "geometry.reference_camera": "camera2",
            "filter.filter": "cv",
            "narrator.trigger.new_after": 0.1,
        }
    )
    pipeline = Pipeline(film.rig, settings)
    assert pipeline.trackers["camera1"].settings.detector == "colour"
    assert pipeline.filter.settings.filter == "cv"
    with pytest.raises(ValueError, match=r"^reference_camera must be one of camera0, camera1"):
        Pipeline(film.rig, PipelineSettings.from_flat({"geometry.reference_camera": "top"}))
