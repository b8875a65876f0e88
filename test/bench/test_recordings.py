"""What nodes publish and the recorder writes is read back, to the last bit, without ROS."""

import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("mcap_ros2")
from mcap.writer import Writer
from roads import road

from liquid_mono3d_ros.bench.recordings import read_road


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="path must be an MCAP file; got"):
        read_road(tmp_path / "none.mcap")


def test_a_file_that_was_not_finished_is_refused(tmp_path):
    path = tmp_path / "cut.mcap"
    with path.open("wb") as file:
        Writer(file).start(profile="ros2", library="test")
        file.flush()
        with pytest.raises(ValueError, match="path must be a complete MCAP file; got"):
            read_road(path)


def test_an_empty_recording_holds_nothing(tmp_path):
    path = tmp_path / "empty.mcap"
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start(profile="ros2", library="test")
        writer.finish()
    recording = read_road(path)
    assert recording.main_track is None
    assert (recording.posed, recording.health) == (frozenset(), {})


def test_the_main_track_is_the_one_measured_most_often():
    recording = road()
    assert recording.main_track == (0, 7)
    assert len(recording.states((0, 7))) == 91
    assert recording.states((0, 8)) == []


def test_reading_needs_no_ros():
    code = "import sys, liquid_mono3d_ros.bench.recordings; print('rclpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


@pytest.mark.ros
def test_records_survive_messages_and_file(tmp_path):
    written = road()
    path = tmp_path / "road.mcap"
    write_messages(written, path, "/a")
    read = read_road(path)
    same(read.tracks2d, written.tracks2d)
    same(read.points3d, written.points3d)
    same(read.trajectories, written.trajectories)
    same(read.facts, written.facts)
    same(read.descriptions, written.descriptions)
    assert read.posed == {written.trajectories[0].stamp, written.trajectories[1].stamp}
    assert read.health["a/tracking"].values == {"count overrun": "2"}
    assert (read.health["a/tracking"].level, read.health["a/tracking"].sentence) == (1, "slow")
    assert read_road(path, "/b").trajectories == []
    assert len(read_road(path, "/a").trajectories) == len(written.trajectories)


def write_messages(recording, path, namespace):
    """Write a recording as the recorder does."""
    pytest.importorskip("rclpy")
    pytest.importorskip("liquid_mono3d.msg", exc_type=ImportError)
    from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
    from nav_msgs.msg import Path
    from rclpy.serialization import serialize_message

    from liquid_mono3d_ros.nodes import messages as to
    from liquid_mono3d_ros.nodes.definitions import definition
    from liquid_mono3d_ros.nodes.poses import pose_stamped

    poses = [pose_stamped(u.trajectories[0], "world", False) for u in recording.trajectories[:2]]
    status = DiagnosticStatus(name="a/tracking", level=DiagnosticStatus.WARN, message="slow")
    status.values = [KeyValue(key="count overrun", value="2")]
    topics = {
        f"{namespace}/points3d": [to.points3d_to_msg(p) for p in recording.points3d],
        f"{namespace}/trajectories": [to.trajectories_to_msg(t) for t in recording.trajectories],
        f"{namespace}/facts": [to.facts_to_msg(f) for f in recording.facts],
        f"{namespace}/descriptions": [
            to.description_to_msg(d, 0.001) for d in recording.descriptions
        ],
        f"{namespace}/pose": poses[1:],
        f"{namespace}/path": [Path(poses=poses[:1])],
        "/diagnostics": [DiagnosticArray(status=[status])],
    }
    for name, tracks in recording.tracks2d.items():
        topics[f"{namespace}/{name}/tracks2d"] = [to.tracks2d_to_msg(t) for t in tracks]
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start(profile="ros2", library="test")
        for topic, found in topics.items():
            package, name = type(found[0]).__module__.split(".")[0], type(found[0]).__name__
            kind = f"{package}/msg/{name}"
            schema = writer.register_schema(kind, "ros2msg", definition(kind).encode())
            channel = writer.register_channel(topic, "cdr", schema)
            for message in found:
                writer.add_message(channel, 0, serialize_message(message), 0)
        writer.finish()


def same(read, written):
    """Compare records field by field, arrays and NaN included."""
    if isinstance(written, dict):
        assert read.keys() == written.keys()
        for key, value in written.items():
            same(read[key], value)
    elif isinstance(written, np.ndarray):
        assert read.dtype == written.dtype
        np.testing.assert_array_equal(read, written)
    elif isinstance(written, (list, tuple)):
        assert len(read) == len(written)
        for one, other in zip(read, written, strict=True):
            same(one, other)
    elif hasattr(written, "__dataclass_fields__"):
        assert type(read) is type(written)
        for name in written.__dataclass_fields__:
            same(getattr(read, name), getattr(written, name))
    else:
        assert read == written or (read != read and written != written)
