import numpy as np
import pytest

from liquid_mono3d_ros.language.facts import FactsSettings, compute_facts
from liquid_mono3d_ros.language.history import HistorySettings
from liquid_mono3d_ros.records import SECOND
from liquid_mono3d_ros.synth.paths import Circle

QUARTER = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])


def test_convention_facts_frame_is_rotation_then_translation(trajectory, history):
    P = np.diag([1e-4, 4e-4, 9e-4, 1e-2, 4e-2, 9e-2])
    remembered = history(
        [trajectory(1, (1, 2, 3), (1, 0, 0), P)], R=QUARTER, t=np.array([5, 0, 0])
    )
    np.testing.assert_allclose(remembered.last.xyz, (3, 1, 3))
    np.testing.assert_allclose(remembered.last.velocity, (0, 1, 0), atol=1e-15)
    np.testing.assert_allclose(np.diag(remembered.last.covariance), (4e-4, 1e-4, 9e-4))
    np.testing.assert_allclose(np.diag(remembered.last.velocity_covariance), (4e-2, 1e-2, 9e-2))


def test_gaps_are_between_measured_stamps(trajectory, history):
    times = [0, 0.1, 0.2, 0.9, 1.0, 1.2, 2.4]
    points = [trajectory(SECOND + round(t * SECOND), (t, 0, 0)) for t in times]
    coasted = [
        trajectory(SECOND + round(t * SECOND), (9, 9, 9), measured=False) for t in (0.3, 2.0, 2.6)
    ]
    remembered = history(sorted(points + coasted, key=lambda p: p.stamp))
    facts = compute_facts(remembered, FactsSettings())
    assert (facts.num_gaps.value, facts.num_gaps.sigma) == (2, 0)
    assert facts.longest_gap.value == pytest.approx(1.2)
    assert (facts.start, facts.end) == (points[0].stamp, points[-1].stamp)
    assert facts.stamp == coasted[-1].stamp
    assert facts.end_position[0].value == pytest.approx(2.4)


def test_memory_stays_bounded_and_lengths_do_not(trajectory, history):
    remembered = history([], settings=HistorySettings(num_waypoints=16))
    circle, rate, laps = Circle(radius=0.5, rate=4.0), 50, 20
    t = np.arange(0, laps * 2 * np.pi / 4, 1 / rate)
    for k, (x, v) in enumerate(zip(circle.xyz(t), circle.velocity(t), strict=True)):
        remembered.add(trajectory(SECOND + k * SECOND // rate, x, v))
        assert len(remembered.waypoints) <= 17
        assert len(remembered._recent) <= 0.5 * rate + 3
    length = compute_facts(remembered, FactsSettings()).path_length
    assert length.value == pytest.approx(2 * t[-1], rel=0.02)


def test_reset_forgets(trajectory, history):
    remembered = history([trajectory(5, (0, 0, 0))])
    remembered.reset()
    assert remembered.first is None
    remembered.add(trajectory(3, (1, 1, 1), track_id=8))
    assert remembered.newest.track_id == 8


def test_wrong_trajectories_are_refused(trajectory, history):
    remembered = history([trajectory(5, (0, 0, 0))])
    with pytest.raises(ValueError, match=r"stamp must be newer than 5 ns; got 5 ns"):
        remembered.add(trajectory(5, (0, 0, 0)))
    with pytest.raises(ValueError, match=r"of epoch 0, track 7; got epoch 0, track 8"):
        remembered.add(trajectory(6, (0, 0, 0), track_id=8))
    with pytest.raises(ValueError, match=r"xyz must be finite; got 1 of 3"):
        remembered.add(trajectory(6, (0, np.nan, 0)))
    with pytest.raises(ValueError, match=r"R_facts_world must be of shape \(3, 3\)"):
        history([], R=np.zeros((3, 4)))
