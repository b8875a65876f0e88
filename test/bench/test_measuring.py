"""A track measured once more, by arithmetic of its own: known answers."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("mcap_ros2")
from roads import bouncing, circle, line, road, stopping, zigzag

from liquid_mono3d_ros.bench.measuring import (
    count_bounces,
    count_stops,
    count_turns,
    name_direction,
    name_motion,
    path_length,
    simplify,
    top_speed,
)


def states(motion, duration=4.0):
    return [update.trajectories[0] for update in road(motion, duration).trajectories]


def positions(motion, duration=4.0):
    xyz = np.array([state.xyz for state in states(motion, duration)])
    return np.arange(len(xyz)) / 30, xyz


def test_turns_stops_and_bounces_are_counted():
    assert [count_turns(positions(motion)[1]) for motion in (line, zigzag)] == [0, 1]
    assert [count_stops(*positions(motion)) for motion in (line, stopping)] == [0, 1]
    t, xyz = positions(bouncing)
    assert count_bounces(t, xyz[:, 2]) == 3


@pytest.mark.parametrize(
    ("motion", "name"), [(line, "line"), (circle, "circle"), (zigzag, "line"), (bouncing, "")]
)
def test_shapes_are_named(motion, name):
    assert name_motion(positions(motion)[1]) == name


def test_a_thing_that_stays_hovers():
    rng = np.random.default_rng(0)
    assert name_motion(rng.normal(0, 0.01, (50, 3))) == "hover"


def test_convention_x_is_forward_y_left_z_up():
    assert name_direction(np.array([1.0, 0.1, 0.1])) == "forward"
    assert name_direction(np.array([-1.0, 0.9, 0.1])) == "backward and left"
    assert name_direction(np.array([0.0, -1.0, -1.0])) == "right, down"


def test_top_speed_is_of_the_fastest_sure_state():
    slow = states(line)
    fast = [replace(s, velocity=3 * s.velocity) for s in slow[:10]]
    assert top_speed(slow + fast) == pytest.approx(1.5, abs=0.01)
    unsure = [replace(s, covariance=100 * np.eye(6)) for s in fast]
    assert top_speed(slow + unsure) == pytest.approx(0.5, abs=0.01)


def test_noise_does_not_lengthen_the_path():
    states = [state for update in road(line, 3.0).trajectories for state in update.trajectories]
    rng = np.random.default_rng(0)
    noisy = [replace(s, xyz=s.xyz + rng.normal(0, 0.005, 3)) for s in states]
    xyz = np.array([state.xyz for state in noisy])
    assert np.linalg.norm(np.diff(xyz, axis=0), axis=1).sum() > 1.1 * 1.5
    assert path_length(noisy) == pytest.approx(1.5, rel=0.04)


def test_a_polyline_keeps_its_corners():
    xyz = np.array([[0, 0, 0], [1, 0.01, 0], [2, 0, 0], [2, 1, 0.01], [2, 2, 0]], dtype=float)
    np.testing.assert_array_equal(simplify(xyz, 0.05), xyz[[0, 2, 4]])
    np.testing.assert_array_equal(simplify(xyz, 0.001), xyz)


def test_a_path_that_returns_is_not_lost():
    xyz = np.array([[0, 0, 0], [1, 0, 0], [0, 0, 0]], dtype=float)
    np.testing.assert_array_equal(simplify(xyz, 0.1), xyz)
