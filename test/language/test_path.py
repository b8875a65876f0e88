from itertools import pairwise

import numpy as np
import pytest

from liquid_mono3d_ros.language.facts import FactsSettings, compute_facts
from liquid_mono3d_ros.records import SECOND
from liquid_mono3d_ros.synth.paths import GRAVITY, PATHS, Bounce, Circle, Line, Parabola

SETTINGS = FactsSettings()


def true_length(path, duration):
    xyz = path.xyz(np.linspace(0, duration, 20001))
    return np.linalg.norm(np.diff(xyz, axis=0), axis=1).sum()


def test_length_of_exact_straight_path(trajectory, history):
    points = [trajectory(k * SECOND // 10 + 1, (0.1 * k, 0, 1), (1, 0, 0)) for k in range(31)]
    length = compute_facts(history(points), SETTINGS).path_length
    assert length.value == pytest.approx(3.0, abs=3e-3)
    assert length.sigma < 3e-3


def test_length_does_not_grow_with_the_frame_rate_nor_with_noise(filtered, history):
    path, truth = Line(speed=(0, 0.5, 0)), 3.0
    for rate in (15, 60, 240):
        raw = filtered(path, duration=6, rate=rate, sigma=0.02)
        length = compute_facts(history(raw), SETTINGS).path_length
        assert abs(length.value - truth) < 3 * length.sigma < 0.3
    naive = sum(np.linalg.norm(b.xyz - a.xyz) for a, b in pairwise(raw))
    assert naive > 1.3 * truth


@pytest.mark.parametrize("sigma", [0.005, 0.02, (0.06, 0.02, 0.02)])
@pytest.mark.parametrize(
    "name", ["line", "circle", "helix", "parabola", "figure_eight", "stop_and_go"]
)
def test_length_agrees_with_the_truth_within_its_sigma(filtered, history, name, sigma):
    path, duration = PATHS[name], 0.8 if name == "parabola" else 5.0
    truth = true_length(path, duration)
    for seed in range(3):
        points = filtered(path, duration=duration, rate=30, sigma=sigma, q=20, seed=seed)
        facts = compute_facts(history(points), SETTINGS)
        assert abs(facts.path_length.value - truth) < 3 * facts.path_length.sigma
        assert facts.path_length.sigma < 0.25 * truth
        assert facts.speed_mean.value == pytest.approx(
            facts.path_length.value / facts.duration.value
        )


def test_resting_object_has_no_length_however_long_it_is_watched(filtered, history):
    rest = Line(speed=(0, 0, 0))
    remembered = history(filtered(rest, duration=60, rate=30, sigma=0.02))
    assert remembered.path.num_steps == 0
    facts = compute_facts(remembered, SETTINGS)
    assert not facts.path_length.known
    assert not facts.speed_mean.known
    assert facts.motion.value == "hover"


@pytest.mark.parametrize("q", [10.0, 40.0])
@pytest.mark.parametrize(
    ("path", "duration", "truth"),
    [
        (Line(speed=(0, 1.2, 0)), 4.0, 1.2),
        (Circle(radius=0.6, rate=2.0), 4.0, 1.2),
        (Parabola(speed=(0, 1.6, 4.0)), 0.8, np.hypot(1.6, 4.0)),
        (Bounce(), 3.0, np.sqrt(2 * GRAVITY * 1.5 + 0.25)),  # the filter lags through the bounces
    ],
)
def test_top_speed_agrees_with_the_truth_within_its_sigma(
    filtered, history, path, duration, truth, q
):
    for seed in range(6):
        points = filtered(path, duration=duration, rate=30, sigma=0.01, q=q, seed=seed)
        fastest = compute_facts(history(points), SETTINGS).speed_max
        assert abs(fastest.value - truth) < 3 * fastest.sigma < 1.2 * truth


def test_a_single_wild_velocity_is_not_the_top_speed(trajectory, history):
    wild = np.diag([1e-4] * 3 + [9.0] * 3)
    points = [trajectory(k * SECOND // 30 + 1, (k / 30, 0, 1), (1, 0, 0)) for k in range(60)]
    points[30] = trajectory(points[30].stamp, points[30].xyz, (7, 0, 0), wild)
    assert compute_facts(history(points), SETTINGS).speed_max.value == pytest.approx(1, abs=0.01)
