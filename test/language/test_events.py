import numpy as np
import pytest

from liquid_mono3d_ros.language.facts import FactsSettings, compute_facts
from liquid_mono3d_ros.records import SECOND, nanoseconds
from liquid_mono3d_ros.synth.paths import PATHS, Bounce, Circle, FigureEight, Hover, StopAndGo

SETTINGS = FactsSettings()


def along(corners, trajectory, speed=1.0, rate=30):
    """Exact trajectories at constant speed from corner to corner, (n, 3) m."""
    corners = np.asarray(corners, float)
    ways = np.linalg.norm(np.diff(corners, axis=0), axis=1)
    reached = np.concatenate([[0], np.cumsum(ways)])
    s = np.arange(0, reached[-1], speed / rate)
    xyz = np.stack([np.interp(s, reached, corners[:, axis]) for axis in range(3)], axis=1)
    return [trajectory(SECOND + nanoseconds(k / rate), x) for k, x in enumerate(xyz)]


@pytest.mark.parametrize(
    ("corners", "turns"),
    [
        ([(0, 0, 0), (3, 0, 0)], 0),
        ([(0, 0, 0), (2, 0, 0), (2, 2, 0)], 1),
        ([(0, 0, 0), (2, 0, 0), (3.8, 0.6, 0)], 0),  # 18 degrees
        ([(0, 0, 0), (2, 0, 0), (2, 2, 0), (0, 2, 0), (0, 0.2, 0)], 3),
        ([(0, 0, 0), (2, 0, 0), (0, 0, 0), (2, 0, 0)], 2),  # there and back and there
        ([(0, 0, 0), (2, 0, 0), (2, 2, 0), (4, 2, 0)], 2),  # left, then right
        ([(0, 0, 0), (2, 0, 0), (2, 0, 2), (4, 0, 2)], 0),  # straight up is no horizontal turn
    ],
)
def test_turns_of_corners(trajectory, history, corners, turns):
    facts = compute_facts(history(along(corners, trajectory)), SETTINGS)
    assert facts.num_turns.value == turns
    assert facts.num_turns.sigma < 0.4


def test_turn_after_a_rest_counts(trajectory, history):
    points = along([(0, 0, 0), (2, 0, 0)], trajectory)
    later = [trajectory(p.stamp + 5 * SECOND, (2, p.xyz[0], 0)) for p in points if p.xyz[0] > 0.01]
    assert compute_facts(history(points + later), SETTINGS).num_turns.value == 1


def test_quick_circle_is_one_turn_and_a_wide_slow_one_none(filtered, history):
    quick = filtered(Circle(), duration=9, rate=30, sigma=0.005)
    wide = filtered(Circle(radius=5, rate=0.2), duration=9, rate=30, sigma=0.005)
    assert compute_facts(history(quick), SETTINGS).num_turns.value == 1
    assert compute_facts(history(wide), SETTINGS).num_turns.value == 0


@pytest.mark.parametrize("seed", range(4))
def test_events_of_noisy_paths(filtered, history, seed):
    def facts(path, duration, sigma=0.01):
        points = filtered(path, duration=duration, rate=30, sigma=sigma, q=20, seed=seed)
        return compute_facts(history(points), SETTINGS)

    assert facts(FigureEight(), 9 / 1.5).num_turns.value == 3
    assert facts(StopAndGo(), 3 * 2.2).num_stops.value == 3
    assert facts(Bounce(), 2.4).num_bounces.value == 3
    for name in ("line", "circle", "parabola", "hover"):
        calm = facts(PATHS[name], 0.8 if name == "parabola" else 5)
        assert calm.num_bounces.value == 0, name
        assert not calm.num_stops.value > 0, name


def test_stops_of_an_object_that_never_moved_are_unknown(filtered, history):
    points = filtered(Hover(), duration=5, rate=30, sigma=0.02)
    assert not compute_facts(history(points), SETTINGS).num_stops.known


def test_turn_of_exactly_the_threshold_is_unknown(trajectory, history):
    points = along([(0, 0, 0), (2, 0, 0), (4, 2, 0)], trajectory)
    assert not compute_facts(history(points), SETTINGS).num_turns.known


def test_low_bounce_is_unsure(filtered, history):
    """Over 0.2 s a rise of 0.1 m is the threshold; the sixth of these bounces is about there."""
    points = filtered(Bounce(), duration=6, rate=30, sigma=0.02, q=20)
    bounces = compute_facts(history(points), SETTINGS).num_bounces
    assert 4 <= bounces.value <= 8
    assert bounces.sigma > 0.1
