"""What leaves the nodes, and when: crops, slots, primary track, heading, paths, markers."""

import numpy as np
import pytest
from feeds import FRAME, TRACKING, Feed, images, point, points_array, stamp
from observer import hosted
from transforms3d.quaternions import rotate_vector
from visualization_msgs.msg import Marker

from liquid_mono3d_ros.nodes.liquid_filter import LiquidFilterNode
from liquid_mono3d_ros.nodes.messages import to_stamp
from liquid_mono3d_ros.nodes.tracking import TrackingNode

pytestmark = pytest.mark.ros


def test_crops_flow_while_someone_subscribes():
    feed = Feed(TrackingNode, TRACKING, images, "{camera}/tracks2d", ("left", "right"))
    with hosted(feed.kind, feed.parameters) as (node, observer):
        feed.listen(observer)
        publisher, published = node.crops["left"], []
        publish = publisher.publish
        publisher.publish = lambda message: (published.append(message), publish(message))
        for k in range(5):
            feed.send(observer, k)
        assert not published
        crops = observer.listen("{camera}/crops", camera="left")
        observer.meet("left/crops")
        for k in range(5, 8):
            feed.send(observer, k)
        observer.until(lambda: crops)
        tracks = {to_stamp(t.header.stamp): t for t in feed.heard[0]}
        for array in crops:
            own = tracks[to_stamp(array.header.stamp)]
            assert (array.camera, array.epoch, array.header.frame_id) == (
                "left",
                own.epoch,
                own.header.frame_id,
            )
            assert [crop.track2d_id for crop in array.crops] == [own.tracks[0].track_id]
            longest = max(own.tracks[0].bbox[2:])
            assert array.crops[0].side_px == round(1.25 * longest)
            picture = np.array(array.crops[0].data, np.uint8).reshape(64, 64, 3)
            np.testing.assert_array_equal(picture[32, 32], (20, 160, 170))  # RGB of the ball
            np.testing.assert_array_equal(picture[0, 0], 0)


def walk(observer, node, frames, *walkers):
    """Publish frames of points: each walker is an id and a function of the frame."""
    for k in frames:
        before = node.inputs["/points3d"].received
        points = [point(track_id, xyz(k)) for track_id, xyz in walkers]
        observer.say("points3d", points_array(k, *points))
        observer.until(lambda before=before: node.inputs["/points3d"].received > before)


def standing(*xyz):
    return lambda k: xyz


def test_slots_are_filled_in_order_and_freed_after_the_end():
    parameters = {"track_slots": 2, "coast_time": 0.5}
    with hosted(LiquidFilterNode, parameters) as (node, observer):
        slots = [observer.listen("slot_{slot}/pose", slot=k) for k in range(2)]
        paths = observer.listen("slot_{slot}/path", slot=0)
        every = observer.listen("trajectories")
        observer.meet("slot_0/pose", "slot_1/pose", "trajectories")
        one, two = (1, standing(1.0, 0.0, 0.0)), (2, standing(2.0, 0.0, 0.0))
        three = (3, standing(3.0, 0.0, 0.0))
        walk(observer, node, range(10), one, two, three)
        observer.until(lambda: all(slots) and len(every) == 10)
        assert [round(poses[-1].pose.position.x) for poses in slots] == [1, 2]
        assert {round(t.position.x) for t in every[-1].trajectories} == {1, 2, 3}
        # Track 1 is no longer seen. Its slot goes on with predictions, then it is deleted.
        walk(observer, node, range(10, 35), two, three)
        observer.until(lambda: to_stamp(every[-1].header.stamp) == stamp(34))
        deleted = [to_stamp(a.header.stamp) for a in every for t in a.trajectories if t.state == 4]
        assert len(deleted) == 1
        observer.until(lambda: slots[0] and to_stamp(slots[0][-1].header.stamp) == stamp(34))
        for pose in slots[0]:
            expected = 1.0 if to_stamp(pose.header.stamp) < deleted[0] else 3.0
            assert abs(pose.pose.position.x - expected) < 0.1
        assert {round(pose.pose.position.x) for pose in slots[1]} == {2}
        assert paths[-1].header.frame_id == "world"


@pytest.mark.parametrize(("rule", "x"), [("oldest", 9.0), ("nearest", 1.0), ("5", 1.0)])
def test_the_primary_track(rule, x):
    near, far = (5, standing(1.0, 0.0, 0.0)), (4, standing(9.0, 0.0, 0.0))
    with hosted(LiquidFilterNode, {"primary": rule}) as (node, observer):
        poses = observer.listen("pose")
        observer.meet("pose")
        walk(observer, node, range(8), near, far)
        observer.until(lambda: poses)
        assert {round(pose.pose.position.x) for pose in poses} == {round(x)}


@pytest.mark.parametrize("orientation", ["identity", "heading"])
def test_orientation(orientation):
    with hosted(LiquidFilterNode, {"orientation": orientation}) as (node, observer):
        poses = observer.listen("pose_with_covariance")
        observer.meet("pose_with_covariance")
        walk(observer, node, range(20), (1, lambda k: (0.0, 2.0 * k * FRAME / 1e9, 1.0)))
        observer.until(lambda: poses and to_stamp(poses[-1].header.stamp) == stamp(19))
        q = poses[-1].pose.pose.orientation
        variances = np.diag(np.array(poses[-1].pose.covariance).reshape(6, 6))
        if orientation == "identity":
            assert (q.w, q.x, q.y, q.z) == (1.0, 0.0, 0.0, 0.0)
            np.testing.assert_allclose(variances[3:], np.pi**2)
        else:
            forward = rotate_vector([1.0, 0.0, 0.0], [q.w, q.x, q.y, q.z])
            np.testing.assert_allclose(forward, [0.0, 1.0, 0.0], atol=0.05)
            assert variances[3] == pytest.approx(np.pi**2)
            assert (variances[4:] < 0.05).all()


def test_the_path_holds_the_births_with_their_own_stamps_and_is_bounded():
    with hosted(LiquidFilterNode, {"path_length": 12}) as (node, observer):
        paths = observer.listen("path")
        poses = observer.listen("pose")
        observer.meet("pose", "path")
        walk(observer, node, range(30), (1, standing(1.0, 2.0, 3.0)))
        observer.until(lambda: paths and to_stamp(poses[-1].header.stamp) == stamp(29))
        first_pose = to_stamp(poses[0].header.stamp)
        assert first_pose > stamp(0)  # unconfirmed until then
        stamps = [to_stamp(pose.header.stamp) for pose in paths[0].poses]
        assert stamps[0] == stamp(0)
        assert stamps == sorted(set(stamps))
        assert max(len(path.poses) for path in paths) == 12
        assert sorted(to_stamp(pose.header.stamp) for pose in poses) == [
            to_stamp(pose.header.stamp) for pose in poses
        ]


def test_markers_come_and_go():
    with hosted(LiquidFilterNode, {"coast_time": 0.3}) as (node, observer):
        heard = observer.listen("markers")
        observer.meet("markers")
        walk(observer, node, range(8), (1, standing(1.0, 2.0, 3.0)))
        walk(observer, node, range(8, 25))
        last = observer.until(
            lambda: [m for array in heard for m in array.markers if m.action == Marker.DELETE]
        )
        added = {(m.ns, m.id) for a in heard for m in a.markers if m.action == Marker.ADD}
        assert added <= {(m.ns, m.id) for m in last}
