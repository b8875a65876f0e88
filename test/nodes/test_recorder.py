"""The recorder, read back with a decoder that knows no ROS."""

import pytest
from liquid_mono3d.msg import Point3D, Point3DArray
from observer import health, hosted

from liquid_mono3d_ros.graph import NODES, TOPICS
from liquid_mono3d_ros.nodes.messages import from_stamp, header
from liquid_mono3d_ros.nodes.recorder import RecorderNode

reader = pytest.importorskip("mcap.reader")
DecoderFactory = pytest.importorskip("mcap_ros2.decoder").DecoderFactory
from geometry_msgs.msg import PoseStamped  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402
from sensor_msgs.msg import CameraInfo, Image  # noqa: E402

pytestmark = pytest.mark.ros
STAMP = 1_700_000_000_123_456_789


def read(path):
    with path.open("rb") as file:
        opened = reader.make_reader(file, decoder_factories=[DecoderFactory()])
        messages = [
            (channel.topic, decoded, raw)
            for _, channel, raw, decoded in opened.iter_decoded_messages()
        ]
        return opened.get_summary(), messages


def record(path, said, **parameters):
    given = {"cameras": ["left"], "output": str(path), **parameters}
    with hosted(RecorderNode, given) as (node, observer):
        for name, message, parts in said:
            observer.say(name, message, **parts)
        observer.until(lambda: node.counts["written"] >= len(said))
        return health(node)


def test_messages_come_back_with_their_stamps(tmp_path):
    points = Point3DArray(header=header(STAMP, "world"), points=[Point3D(track_id=2**63 + 5)])
    said = [
        ("pose", PoseStamped(header=header(STAMP, "world")), {}),
        ("points3d", points, {}),
        ("{camera}/camera_info", CameraInfo(header=header(STAMP, "f")), {"camera": "left"}),
    ]
    level, _, values = record(tmp_path / "a.mcap", said)
    assert level == 0
    assert int(values["count written"]) >= 3
    summary, messages = read(tmp_path / "a.mcap")
    heard = {topic: message for topic, message, _ in messages}
    assert heard.keys() >= {"/pose", "/points3d", "/left/camera_info"}
    stamp = heard["/pose"].header.stamp
    assert stamp.sec * 10**9 + stamp.nanosec == STAMP
    assert heard["/points3d"].points[0].track_id == 2**63 + 5
    assert summary.statistics.message_count == len(messages)


def test_every_topic_of_the_graph_has_a_channel_of_its_type(tmp_path):
    with hosted(RecorderNode, {"cameras": ["left", "right"], "output": f"{tmp_path}/a.mcap"}):
        pass
    summary, _ = read(tmp_path / "a.mcap")
    channels = {c.topic: summary.schemas[c.schema_id] for c in summary.channels.values()}
    for name in NODES["recorder"].subscribes:
        for camera in ("left", "right"):
            topic = name.format(camera=camera)
            topic = topic if topic.startswith("/") else f"/{topic}"
            assert channels[topic].name == TOPICS[name].type
            assert channels[topic].encoding == "ros2msg"
    assert "/left/image_raw" not in channels


def test_images_on_request(tmp_path):
    image = Image(header=header(STAMP, "f"), width=2, height=1, encoding="mono8", data=b"\1\2")
    said = [("{camera}/image_raw", image, {"camera": "left"})]
    record(tmp_path / "a.mcap", said, images=True)
    decoded = [m for topic, m, _ in read(tmp_path / "a.mcap")[1] if topic == "/left/image_raw"]
    assert list(decoded[0].data) == [1, 2]


def test_log_times_are_those_of_the_clock(tmp_path):
    given = {"output": str(tmp_path / "a.mcap"), "use_sim_time": True}
    with hosted(RecorderNode, given) as (node, observer):

        def has_heard():
            observer.say("/clock", Clock(clock=from_stamp(STAMP)))
            return node.get_clock().now().nanoseconds == STAMP

        observer.until(has_heard)
        observer.say("pose", PoseStamped())
        observer.until(lambda: node.counts["written"] >= 2)
    times = [raw.log_time for topic, _, raw in read(tmp_path / "a.mcap")[1] if topic == "/pose"]
    assert times == [STAMP]


def test_a_missing_directory_is_named(tmp_path):
    given = {"output": str(tmp_path / "no" / "a.mcap")}
    with hosted(RecorderNode, given, bring_up=False) as (node, _):
        assert not node.bring_up()
        assert "output must be in a directory that exists; got" in node.failure
