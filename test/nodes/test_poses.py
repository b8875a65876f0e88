"""Poses, paths and markers of trajectories with known answers."""

import math

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("liquid_mono3d.msg", exc_type=ImportError)
from transforms3d.quaternions import quat2mat, rotate_vector
from visualization_msgs.msg import Marker

from liquid_mono3d_ros.nodes.messages import to_stamp
from liquid_mono3d_ros.nodes.poses import (
    Paths,
    heading,
    markers,
    pose_stamped,
    pose_with_covariance,
)
from liquid_mono3d_ros.records import (
    FilterKind,
    Health,
    Prediction,
    State,
    Trajectory,
)

pytestmark = pytest.mark.ros
STAMP = 1_700_000_000_123_456_789


def track(velocity=(0.0, 0.0, 0.0), *, stamp=STAMP, track_id=5, state=State.CONFIRMED, **changes):
    values = {
        "epoch": 0,
        "measured": True,
        "xyz": np.array([1.0, 2.0, 3.0]),
        "covariance": 1e-4 * np.eye(6),
        "filter": FilterKind.IMM,
        "health": Health.GOOD,
        "last_measured": stamp,
    }
    return Trajectory(
        stamp=stamp,
        track_id=track_id,
        state=state,
        velocity=np.array(velocity),
        **values | changes,
    )


def wxyz(orientation):
    return np.array([orientation.w, orientation.x, orientation.y, orientation.z])


def test_convention_a_pose_has_the_stamp_of_the_measurement_and_an_identity_rotation():
    pose = pose_stamped(track((1.0, 0.0, 0.0)), "world", turn=False)
    assert to_stamp(pose.header.stamp) == STAMP
    assert pose.header.frame_id == "world"
    assert (pose.pose.position.x, pose.pose.position.y, pose.pose.position.z) == (1.0, 2.0, 3.0)
    np.testing.assert_array_equal(wxyz(pose.pose.orientation), [1.0, 0.0, 0.0, 0.0])


@pytest.mark.parametrize(
    "velocity", [(0, 1, 0), (-1, 0, 0), (1, 1, 1), (0.3, -2, 0.5), (0, 0, 1), (0, 0, -1)]
)
def test_heading_turns_x_along_the_motion_and_keeps_y_level(velocity):
    velocity = np.array(velocity, float)
    quat_wxyz = wxyz(pose_stamped(track(velocity), "world", turn=True).pose.orientation)
    forward = rotate_vector([1.0, 0.0, 0.0], quat_wxyz)
    np.testing.assert_allclose(forward, velocity / np.linalg.norm(velocity), atol=1e-12)
    assert abs(rotate_vector([0.0, 1.0, 0.0], quat_wxyz)[2]) < 1e-12


def test_heading_is_unknown_while_the_speed_is_within_its_uncertainty():
    slow = track((0.02, 0.0, 0.0))  # 2 sigma
    assert heading(slow) is None
    assert heading(track()) is None
    np.testing.assert_array_equal(
        wxyz(pose_stamped(slow, "world", turn=True).pose.orientation), [1.0, 0.0, 0.0, 0.0]
    )


def test_convention_the_covariance_is_row_major_and_an_unknown_angle_has_pi_squared():
    A = np.random.default_rng(0).normal(size=(6, 6))
    trajectory = track((9.0, 0.0, 0.0), covariance=A @ A.T)
    covariance = np.array(
        pose_with_covariance(trajectory, "world", turn=False).pose.covariance
    ).reshape(6, 6)
    np.testing.assert_array_equal(covariance[:3, :3], (A @ A.T)[:3, :3])
    np.testing.assert_array_equal(covariance[3:, 3:], math.pi**2 * np.eye(3))
    np.testing.assert_array_equal(covariance[:3, 3:], 0.0)


def test_a_known_heading_has_the_variance_of_the_direction():
    message = pose_with_covariance(track((2.0, 0.0, 0.0)), "world", turn=True)
    angles = np.diag(np.array(message.pose.covariance).reshape(6, 6))[3:]
    np.testing.assert_allclose(angles, [math.pi**2, (0.01 / 2) ** 2, (0.01 / 2) ** 2])


def test_a_path_keeps_the_last_poses_with_their_own_stamps():
    paths = Paths(length=3, turn=False)
    for k in range(5):
        paths.extend([track(stamp=STAMP + k)], "world")
    path = paths.path(track(stamp=STAMP + 4), "world")
    assert [to_stamp(pose.header.stamp) - STAMP for pose in path.poses] == [2, 3, 4]
    assert to_stamp(path.header.stamp) == STAMP + 4


def test_a_path_leaves_out_tentative_states_and_ends_with_its_track():
    paths = Paths(length=9, turn=False)
    paths.extend([track(state=State.TENTATIVE), track(track_id=6)], "world")
    assert paths.path(track(), "world").poses == []
    assert len(paths.path(track(track_id=6), "world").poses) == 1
    paths.extend([track(track_id=6, state=State.DELETED)], "world")
    assert paths.path(track(track_id=6), "world").poses == []


def test_markers_show_a_track_and_take_it_away():
    ahead = Prediction(10**9, np.array([4.0, 5.0, 6.0]), np.eye(3))
    shown = {m.ns: m for m in markers([track(predictions=(ahead,))], "world").markers}
    assert shown.keys() == {"object", "ellipsoid", "id", "prediction"}
    assert shown["id"].text == "5"
    assert [p.x for p in shown["prediction"].points] == [1.0, 4.0]
    for marker in shown.values():
        assert (marker.action, marker.id, marker.lifetime.sec) == (Marker.ADD, 5, 1)
        assert (marker.header.frame_id, marker.pose.orientation.w != 0) == ("world", True)
    gone = markers([track(state=State.DELETED)], "world").markers
    assert {m.ns for m in gone} == shown.keys()
    assert all((m.action, m.id) == (Marker.DELETE, 5) for m in gone)
    assert markers([track(state=State.TENTATIVE)], "world").markers == []


def test_the_ellipsoid_holds_two_sigma_along_its_axes():
    R = quat2mat(np.array([0.8, 0.36, 0.48, 0.0]))
    sigmas = np.array([0.3, 0.1, 0.2])
    covariance = np.eye(6)
    covariance[:3, :3] = R @ np.diag(sigmas**2) @ R.T
    shown = markers([track(covariance=covariance)], "world").markers
    ellipsoid = next(m for m in shown if m.ns == "ellipsoid")
    axes = quat2mat(wxyz(ellipsoid.pose.orientation))
    assert np.linalg.det(axes) > 0.999
    diameters = np.array([ellipsoid.scale.x, ellipsoid.scale.y, ellipsoid.scale.z])
    np.testing.assert_allclose(axes @ np.diag((diameters / 4) ** 2) @ axes.T, covariance[:3, :3])
