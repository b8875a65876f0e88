"""Transforms, against a stand-in for tf2_ros that keeps its promises."""

import sys
import types

import numpy as np
import pytest
from geometry_msgs.msg import TransformStamped
from observer import camera_info, health, hosted, tracks_message
from scenes import ORIGIN, exposed, line, room_rig
from transforms3d.quaternions import mat2quat, quat2mat

from liquid_mono3d_ros.nodes.tf import FrameTree
from liquid_mono3d_ros.nodes.triangulation import TriangulationNode

pytestmark = pytest.mark.ros


class StandIn(types.ModuleType):
    """tf2_ros: lookup_transform(target, source) takes coordinates of source to target."""

    def __init__(self):
        super().__init__("tf2_ros")
        self.transforms, self.asked = {}, []
        module = self

        class TransformException(Exception):  # noqa: N818
            pass

        class Buffer:
            def lookup_transform(self, target, source, when):
                module.asked.append((target, source, when.nanoseconds))
                if (target, source) not in module.transforms:
                    raise TransformException(f'"{source}" passed to lookupTransform: no such')
                return module.transforms[target, source]

        self.TransformException, self.Buffer = TransformException, Buffer
        self.TransformListener = lambda buffer, node: (buffer, node)

    def put(self, target, source, R, t):
        """Let x_target = R @ x_source + t."""
        found = TransformStamped()
        w, x, y, z = (float(q) for q in mat2quat(R))
        rotation, move = found.transform.rotation, found.transform.translation
        rotation.w, rotation.x, rotation.y, rotation.z = w, x, y, z
        move.x, move.y, move.z = map(float, t)
        self.transforms[target, source] = found


@pytest.fixture
def tf2(monkeypatch):
    module = StandIn()
    monkeypatch.setitem(sys.modules, "tf2_ros", module)
    return module


def test_convention_target_source(tf2):
    R = quat2mat(np.array([0.5, 0.5, 0.5, 0.5]))  # x -> y -> z -> x
    tf2.put("camera", "world", R, [1.0, 2.0, 3.0])
    got_R, got_t = FrameTree(None).transform("camera", "world")
    np.testing.assert_allclose(got_R, [[0, 0, 1], [1, 0, 0], [0, 1, 0]], atol=1e-12)
    np.testing.assert_allclose(got_R @ [1.0, 0.0, 0.0] + got_t, [1.0, 3.0, 3.0], atol=1e-12)


def test_the_newest_transform_or_the_one_at_a_stamp(tf2):
    tf2.put("a", "b", np.eye(3), [0, 0, 0])
    tree = FrameTree(None)
    tree.transform("a", "b")
    tree.transform("a", "b", 1_700_000_000_123_456_789)
    assert [when for *_, when in tf2.asked] == [0, 1_700_000_000_123_456_789]


def test_frames_that_are_not_connected_are_named(tf2):
    with pytest.raises(ValueError, match=r'tf must connect a and b; got: "b" passed .* Check'):
        FrameTree(None).transform("a", "b")


def test_one_tree_for_each_node(tf2):
    node = types.SimpleNamespace()
    assert FrameTree.of(node) is FrameTree.of(node)


def test_without_tf2_ros_the_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2_ros", None)
    with pytest.raises(ImportError, match=r"got tf. Install it: apt install ros-"):
        FrameTree(None)


def follow(node, observer, rig, path, *, calibrate=True):
    """Publish CameraInfo without a baseline and tracks; return the located points."""
    points = observer.listen("points3d")
    for k in range(8):
        stamp = ORIGIN + k * 50_000_000
        for camera in rig.cameras.values():
            if calibrate:
                observer.say(
                    "{camera}/camera_info", camera_info(camera, stamp), camera=camera.name
                )
            uv, velocity = exposed(camera, stamp, [path])
            message = tracks_message(camera, stamp, uv, velocity=velocity)
            observer.say("{camera}/tracks2d", message, camera=camera.name)
    observer.until(lambda: points and points[-1].points, "points")
    return points


PATH = line((0.2, 0.1, 0.9), (0.5, 0.0, 0.1))
TF = {"extrinsics": "tf", "world_frame": "map", "cameras": ["cam1", "cam2"]}


def test_extrinsics_from_tf(tf2):
    rig = room_rig(2)
    for camera in rig.cameras.values():
        tf2.put(camera.frame_id, "map", camera.R_cw, camera.t_cw)
    with hosted(TriangulationNode, TF) as (node, observer):
        last = follow(node, observer, rig, PATH)[-1]
    t = (last.header.stamp.sec * 10**9 + last.header.stamp.nanosec - ORIGIN) / 1e9
    found = last.points[0].position
    np.testing.assert_allclose([found.x, found.y, found.z], PATH(t), atol=1e-3)
    assert last.header.frame_id == "map"


def test_a_camera_that_moves_is_looked_up_at_its_stamp(tf2):
    rig = room_rig(2)
    for camera in rig.cameras.values():
        tf2.put(camera.frame_id, "map", camera.R_cw, camera.t_cw)
    with hosted(TriangulationNode, {**TF, "moving_cameras": True}) as (node, observer):
        follow(node, observer, rig, PATH)
    second_image = ORIGIN + 50_000_000
    for name in ("cam1", "cam2"):
        assert (f"{name}_optical_frame", "map", second_image) in tf2.asked


def test_a_frame_that_tf_does_not_know_is_named_in_the_diagnostics(tf2):
    rig = room_rig(2)
    with hosted(TriangulationNode, TF) as (node, observer):
        for camera in rig.cameras.values():
            observer.say("{camera}/camera_info", camera_info(camera, ORIGIN), camera=camera.name)
        observer.until(lambda: node.counts["invalid_message"])
        level, sentence, _ = health(node)
        assert level == 1
        assert "tf must connect cam1_optical_frame and map" in sentence
        for camera in rig.cameras.values():
            tf2.put(camera.frame_id, "map", camera.R_cw, camera.t_cw)
        follow(node, observer, rig, PATH)
        assert "rig" not in node.problems


def test_tf_needs_a_world_frame(tf2):
    with hosted(TriangulationNode, {**TF, "world_frame": ""}, bring_up=False) as (node, _):
        assert not node.bring_up()
        assert node.failure.startswith("world_frame must be set with extrinsics tf")


def test_without_tf2_ros_the_node_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2_ros", None)
    with hosted(TriangulationNode, TF, bring_up=False) as (node, _):
        assert not node.bring_up()
        assert "apt install" in node.failure
