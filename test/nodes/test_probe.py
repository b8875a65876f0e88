"""The probe, fed with times that are known."""

import json
import time

import pytest
from geometry_msgs.msg import PoseStamped
from liquid_mono3d.msg import Track2DArray
from observer import hosted
from sensor_msgs.msg import CameraInfo, TimeReference

from liquid_mono3d_ros.nodes.messages import from_stamp, header
from liquid_mono3d_ros.nodes.probe import ProbeNode
from liquid_mono3d_ros.records import SECOND

pytestmark = pytest.mark.ros
CAMERAS = ["left", "right"]


def play(observer, stamps, *, told=True):
    """Say that images left now and that a pose came of each."""
    for stamp in stamps:
        for camera in CAMERAS:
            head = header(stamp, camera)
            observer.say("{camera}/camera_info", CameraInfo(header=head), camera=camera)
            observer.say("{camera}/tracks2d", Track2DArray(header=head), camera=camera)
            if told:
                left = TimeReference(header=head, source=camera)
                left.time_ref = from_stamp(time.monotonic_ns())
                observer.say("player/debug/published", left)
        observer.say("pose", PoseStamped(header=header(stamp, "world")))


def test_images_tracks_and_poses_are_counted_and_timed(tmp_path):
    output = tmp_path / "probe.json"
    stamps = [SECOND * k for k in range(1, 6)]
    with hosted(ProbeNode, {"cameras": CAMERAS, "output": str(output)}) as (node, observer):
        play(observer, stamps)
        observer.until(lambda: len(node.poses) == 5 and node.tracked == {"left": 5, "right": 5})
        observer.until(lambda: all(len(node.told[camera]) == 5 for camera in CAMERAS))
        assert node.report() == {"poses": 5}
    result = json.loads(output.read_text())
    assert (result["images"], result["poses"]) == ({"left": 5, "right": 5}, 5)
    assert (result["tracked"], result["start"]) == (
        {"left": 5, "right": 5},
        "published by the player",
    )
    for name in ("image_to_pose_ms", "total_age_ms"):
        assert 0 <= result[name]["p50"] <= result[name]["p99"] <= result[name]["worst"] < 60_000


def test_without_a_player_the_camera_info_stands_for_its_image():
    with hosted(ProbeNode, {"cameras": CAMERAS}) as (node, observer):
        play(observer, [SECOND, 2 * SECOND], told=False)
        observer.until(lambda: len(node.poses) == 2)
        observer.until(lambda: all(len(node.seen[camera]) == 2 for camera in CAMERAS))
        result = node.result()
    assert result["start"] == "CameraInfo received"
    assert result["images"] == {"left": 2, "right": 2}


def test_a_restart_forgets_every_time():
    with hosted(ProbeNode, {"cameras": CAMERAS}) as (node, observer):
        play(observer, [SECOND])
        observer.until(lambda: node.poses and node.tracked["right"])
        node.reset("test")
        assert (node.poses, sum(node.tracked.values()), dict(node.told)) == ([], 0, {})


def test_a_run_without_poses_says_so(tmp_path):
    output = tmp_path / "probe.json"
    with hosted(ProbeNode, {"cameras": CAMERAS, "output": str(output)}):
        pass
    assert json.loads(output.read_text())["poses"] == 0


def test_without_an_output_the_result_is_logged(capfd):
    with hosted(ProbeNode, {"cameras": CAMERAS}) as (node, _):
        node.get_logger().set_level(20)
    assert '"image_to_pose_ms"' in "".join(capfd.readouterr())
