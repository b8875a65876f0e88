import math

import numpy as np
import pytest

from liquid_mono3d_ros.language.facts import FactsSettings, compute_facts, label_direction
from liquid_mono3d_ros.language.motion import MotionSettings
from liquid_mono3d_ros.records import SECOND, Prediction, Quantity
from liquid_mono3d_ros.synth.paths import PATHS, Circle, Helix, Line

SETTINGS = FactsSettings()
UP_NAMED = ("start_position", "end_position", "displacement", "predicted_position")


def vector(*values, sigma=0.01):
    return tuple(Quantity(v, sigma) for v in values)


@pytest.mark.parametrize(
    ("displacement", "words"),
    [
        ((1, 0.9, 0.8), "forward and left, up"),
        ((-1, 0, 0), "backward"),
        ((0.1, -1, 0.2), "right"),
        ((-1, -1, 0), "backward and right"),
        ((0, 0, -2), "down"),
        ((0.3, 0.3, 2), "up"),
        ((0.01, 0.02, 0.0), ""),
    ],
)
def test_convention_direction_is_x_forward_y_left_z_up(displacement, words):
    assert label_direction(vector(*displacement), SETTINGS).value == words


def test_direction_is_as_sure_as_its_axes():
    label = label_direction(vector(0.3, 0, 0, sigma=0.1), FactsSettings(known_sigmas=2.0))
    assert label.confidence == pytest.approx(0.99865, abs=1e-5)  # one-sided, three sigma


def test_start_end_displacement_and_height(trajectory, history):
    P = np.diag([4e-4, 9e-4, 1e-4, 1, 1, 1])
    points = [trajectory(SECOND, (0, 0, 1), covariance=P)]
    points += [trajectory(3 * SECOND, (2, 0.05, 0.5), covariance=P)]
    facts = compute_facts(history(points), SETTINGS)
    assert facts.duration == Quantity(2.0, 0.0)
    assert facts.start_position[0] == Quantity(0.0, pytest.approx(0.02))
    assert facts.displacement[0] == Quantity(2.0, pytest.approx(0.02 * math.sqrt(2)))
    assert not facts.displacement[1].known  # 0.05 ± 0.042
    assert facts.height_change == Quantity(-0.5, pytest.approx(0.01 * math.sqrt(2)))
    assert facts.direction.value == "forward"
    assert (facts.num_cameras.value, facts.num_gaps.value) == (2, 1)
    assert (facts.frame_id, facts.track_id, facts.start, facts.end) == (
        "map",
        7,
        SECOND,
        3 * SECOND,
    )


def test_convention_without_up_no_fact_names_an_axis(filtered, history):
    points = filtered(PATHS["helix"], duration=3, rate=30, sigma=0.005)
    facts = compute_facts(history(points, z_up=False), SETTINGS)
    assert not any(part.known for name in UP_NAMED for part in getattr(facts, name))
    assert not facts.direction.known
    assert not any(q.known for q in (facts.height_change, facts.num_turns, facts.num_bounces))
    assert facts.path_length.known
    assert facts.speed_max.known


def test_single_estimate_has_a_place_and_nothing_else(trajectory, history):
    facts = compute_facts(history([trajectory(SECOND, (1, 2, 3), num_cameras=0)]), SETTINGS)
    assert facts.end_position[2].value == 3
    unknown = (facts.duration, facts.path_length, facts.speed_mean, facts.num_cameras)
    assert not any(quantity.known for quantity in unknown)
    assert not facts.longest_gap.known


def test_uncertain_place_is_unknown(trajectory, history):
    P = np.diag([4.0, 0.01, 0.01, 1, 1, 1])
    facts = compute_facts(history([trajectory(1, (9, 2, 3), covariance=P)]), SETTINGS)
    assert [part.known for part in facts.end_position] == [False, True, True]


def test_prediction_nearest_to_the_horizon_counts_from_the_end(trajectory, history):
    predictions = tuple(
        Prediction(round(s * SECOND), np.array([s, 0, 0]), np.eye(3) * 1e-4)
        for s in (0.1, 0.4, 1.0)
    )
    last = trajectory(SECOND, (0, 0, 0))
    coasted = trajectory(SECOND + SECOND // 5, (9, 0, 0), measured=False, predictions=predictions)
    facts = compute_facts(history([last, coasted]), SETTINGS)
    assert facts.predicted_position[0] == Quantity(0.4, pytest.approx(0.01))
    assert facts.predicted_after.value == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("probability", "word", "confidence"),
    [(0.9, "persistent", 0.9), (0.1, "transient", 0.9), (0.6, "", None), (math.nan, "", None)],
)
def test_persistence(trajectory, history, probability, word, confidence):
    label = compute_facts(
        history([trajectory(1, (0, 0, 0), persistence=probability)]), SETTINGS
    ).persistence
    assert label.value == word
    assert confidence is None or label.confidence == pytest.approx(confidence)


def test_sigmas_of_displacement_are_honest(filtered, history):
    truth = Line().xyz(np.array([4.0]))[0] - Line().xyz(np.array([0.0]))[0]
    scores = []
    for seed in range(40):
        points = filtered(Line(), duration=4, rate=10, sigma=0.02, seed=seed)
        way = compute_facts(history(points), SETTINGS).displacement[1]
        scores.append((way.value - truth[1]) / way.sigma)
    assert 0.7 < np.std(scores) < 1.35
    assert abs(np.mean(scores)) < 0.5


def test_named_motions_are_right_as_often_as_they_say(filtered, history):
    """Every family, random size and noise: of the words said, at least the promised share."""
    rng = np.random.default_rng(1)
    right = said = 0
    for round_ in range(8):
        size, noise = rng.uniform(0.4, 1.2), rng.uniform(0.002, 0.02)
        paths = {**PATHS, "circle": Circle(radius=size), "helix": Helix(climb=size / 3)}
        for name, path in paths.items():
            duration = 0.8 if name == "parabola" else 5.0
            points = filtered(path, duration=duration, rate=20, sigma=noise, q=20, seed=round_)
            word = compute_facts(history(points), SETTINGS).motion.value
            said += bool(word)
            right += word == name
    assert said >= 20
    assert right >= MotionSettings().confidence * said


def test_empty_history_is_refused(trajectory, history):
    with pytest.raises(ValueError, match="history must be of one measured estimate or more"):
        compute_facts(history([trajectory(1, (0, 0, 0), measured=False)]), SETTINGS)
