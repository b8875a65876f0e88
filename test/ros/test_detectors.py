"""The tracking node's debug image, and detections that come ready from another node."""

import importlib.util
from types import SimpleNamespace as Message

import numpy as np
import pytest
from feeds import CAMERAS, TRACKING, Feed, images, stamp
from observer import health, hosted
from sensor_msgs.msg import CameraInfo

from liquid_mono3d_ros.nodes import tracking
from liquid_mono3d_ros.nodes.images import image_to_bgr
from liquid_mono3d_ros.nodes.messages import header, to_stamp
from liquid_mono3d_ros.nodes.tracking import TrackingNode

pytestmark = pytest.mark.ros
TOPIC = {"cameras": ["left"], "detector": "topic"}
HAS_VISION_MSGS = importlib.util.find_spec("vision_msgs") is not None


def test_nothing_is_drawn_until_someone_looks(monkeypatch):
    drawn = []
    draw = tracking.draw_tracks
    monkeypatch.setattr(
        tracking, "draw_tracks", lambda frame, tracks: drawn.append(frame) or draw(frame, tracks)
    )
    feed = Feed(TrackingNode, TRACKING, images, "{camera}/tracks2d", CAMERAS)
    with hosted(feed.kind, feed.parameters) as (_, observer):
        feed.listen(observer)
        for k in range(5):
            feed.send(observer, k)
        assert not drawn
        pictures = observer.listen("tracking/debug/{camera}/tracks", camera="left")
        observer.meet("tracking/debug/left/tracks")
        for k in range(5, 8):
            feed.send(observer, k)
        observer.until(lambda: pictures)
        assert {frame.camera for frame in drawn} == {"left"}, "nobody looks at the other camera"
        picture = pictures[0]
        plain = {to_stamp(m.header.stamp): m for k in range(5, 8) for _, m, _ in images(k)}
        image = plain[to_stamp(picture.header.stamp)]
        assert picture.header.frame_id == image.header.frame_id
        assert (image_to_bgr(picture) != image_to_bgr(image)).any()


@pytest.mark.skipif(HAS_VISION_MSGS, reason="vision_msgs is installed")
def test_a_missing_vision_msgs_is_named():
    with hosted(TrackingNode, TOPIC, bring_up=False) as (node, _):
        assert not node.bring_up()
        assert (
            "detector must be background, colour, flow or onnx where vision_msgs is missing"
            in (node.failure)
        )


@pytest.fixture
def without_vision_msgs(monkeypatch):
    """Let the node start without vision_msgs; what it would subscribe to is put into its hands."""
    monkeypatch.setattr(tracking, "check_vision_msgs", lambda: None)


def seen(k, u=50.0, size=20.0):
    center = Message(position=Message(x=u + k, y=40.0), theta=0.0)
    pose = Message(covariance=np.zeros(36))
    result = Message(hypothesis=Message(class_id="ball", score=0.5), pose=pose)
    box = Message(center=center, size_x=size, size_y=10.0)
    return Message(
        header=header(stamp(k), "left_optical_frame"),
        detections=[Message(bbox=box, results=[result])],
    )


def receive(node, message):
    """Hand a message over as a subscription would."""
    monitor = next(iter(node.inputs.values()))
    node._receive(message, monitor, lambda m: node._follow_detections("left", m))


@pytest.fixture
def hands(without_vision_msgs, monkeypatch):
    """Return a function that hosts a node with detector topic, subscribed to CameraInfo alone."""
    subscribe = TrackingNode.subscribe

    def subscribe_to_infos(node, name, *args, **kwargs):
        if name == "{camera}/camera_info":
            subscribe(node, name, *args, **kwargs)

    monkeypatch.setattr(TrackingNode, "subscribe", subscribe_to_infos)
    return lambda: hosted(TrackingNode, TOPIC)


def test_ready_detections_become_tracks(hands):
    with hands() as (node, observer):
        heard = observer.listen("{camera}/tracks2d", camera="left")
        observer.meet("left/tracks2d")
        receive(node, seen(0))
        assert node.counts["no_image_size"] == 1
        assert "Publish it, or set topic.width" in health(node)[1]
        observer.say("{camera}/camera_info", CameraInfo(width=320, height=240), camera="left")
        observer.until(lambda: node.sizes)
        for k in range(5):
            receive(node, seen(k))
        receive(node, seen(5, u=float("nan")))
        receive(node, seen(5, size=-1.0))
        assert node.counts["invalid_message"] == 2
        receive(node, seen(0))
        observer.until(lambda: len(heard) == 6)
        assert [m.epoch for m in heard] == [0] * 5 + [1]
        last = heard[4]
        assert (last.width, last.height, to_stamp(last.header.stamp)) == (320, 240, stamp(4))
        assert last.header.frame_id == "left_optical_frame"
        assert (last.tracks[0].class_id, last.tracks[0].score) == ("ball", 0.5)
        assert last.tracks[0].u == pytest.approx(53.5, abs=0.5)
        assert health(node)[2]["count left backward_stamp"] == "1"


@pytest.mark.skipif(not HAS_VISION_MSGS, reason="vision_msgs is not installed")
def test_messages_of_vision_msgs_become_tracks():
    from vision_msgs.msg import Detection2D, Detection2DArray

    with hosted(TrackingNode, {**TOPIC, "topic.width": 320, "topic.height": 240}) as (_, observer):
        heard = observer.listen("{camera}/tracks2d", camera="left")
        observer.meet("left/tracks2d")
        for k in range(4):
            one = Detection2D()
            one.bbox.center.position.x, one.bbox.center.position.y = 50.0 + k, 40.0
            one.bbox.size_x, one.bbox.size_y = 20.0, 10.0
            message = Detection2DArray(header=header(stamp(k), "optical"), detections=[one])
            observer.say("{camera}/detections", message, camera="left")
            observer.until(lambda k=k: len(heard) > k)
        assert heard[-1].tracks[0].u == pytest.approx(52.5, abs=0.5)
