"""The player: what it opens, in which order it publishes, and what its messages say."""

import signal

import cv2
import numpy as np
import pytest
import yaml
from observer import health, hosted
from scenes import STEREO_RIG, stereo_rig
from sensor_msgs.msg import CameraInfo

from liquid_mono3d_ros.geometry.camera import camera_from_info
from liquid_mono3d_ros.graph import LATCHED, PlayerSettings
from liquid_mono3d_ros.nodes.calibration import info_arguments
from liquid_mono3d_ros.nodes.endpoints import quality
from liquid_mono3d_ros.nodes.images import image_to_bgr
from liquid_mono3d_ros.nodes.managed import run
from liquid_mono3d_ros.nodes.messages import to_stamp
from liquid_mono3d_ros.nodes.player import PlayerNode, camera_info, open_recording
from liquid_mono3d_ros.recording import ORIGIN, Looped, StoredRecording, SyntheticRecording

pytestmark = pytest.mark.ros
FRAME = 50_000_000


@pytest.fixture
def small_rig(tmp_path):
    """A pair of 64x48 cameras, quick to render."""
    rig = yaml.safe_load(STEREO_RIG.read_text())
    for camera in rig["cameras"].values():
        camera.update(width=64, height=48, K=[[50.0, 0, 31.5], [0, 50.0, 23.5], [0, 0, 1]])
    path = tmp_path / "rig.yaml"
    path.write_text(yaml.safe_dump(rig))
    return str(path)


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr("liquid_mono3d_ros.nodes.player.SETTLE", 0.05)


def played(small_rig, **changes):
    """Host a player of 20 Hz cameras without an end that waits for nobody."""
    values = {"rig": small_rig, "frame_rate": 20.0, "duration": 0.2, "loop": 0, "wait": 0.0}
    return hosted(PlayerNode, {**values, **changes})


def stamps(messages):
    return [to_stamp(message.header.stamp) for message in messages]


def test_convention_stamps_start_at_one_second_and_a_loop_starts_again(small_rig, at_once):
    with played(small_rig) as (node, observer):
        left = observer.listen("{camera}/image_raw", camera="left")
        right = observer.listen("{camera}/image_raw", camera="right")
        clock = observer.listen("/clock")
        observer.until(lambda: len(left) >= 9 and len(right) >= 9)
        expected = {ORIGIN + k * FRAME for k in range(4)}
        assert set(stamps(left)) == set(stamps(right)) == expected
        assert any(b < a for a, b in zip(stamps(left), stamps(left)[1:], strict=False))
        assert {to_stamp(tick.clock) for tick in clock} <= expected
        assert {image.header.frame_id for image in right} == {"right_optical_frame"}
        assert node.report()["num_frames"] == 8
        assert image_to_bgr(left[0]).shape == (48, 64, 3)


def test_the_time_at_which_an_image_left_is_told(small_rig, at_once):
    with played(small_rig) as (_, observer):
        told = observer.listen("player/debug/published")
        observer.until(lambda: len(told) >= 6)
    assert {message.source for message in told} == {"left", "right"}
    left_at = [to_stamp(message.time_ref) for message in told]
    assert left_at == sorted(left_at)


def test_late_subscribers_get_the_calibration(small_rig, at_once):
    with played(small_rig, duration=60.0, frame_rate=0.1) as (node, observer):
        observer.until(lambda: sum(node.sent.values()) >= 2)  # the next pair comes in ten seconds
        heard = []
        observer.node.create_subscription(
            CameraInfo, "right/camera_info", heard.append, quality(LATCHED)
        )
        observer.until(lambda: heard)
        assert heard[0].width == 64


def test_nothing_is_played_before_every_image_has_a_reader(small_rig):
    with played(small_rig, wait=600.0) as (node, observer):
        left = observer.listen("{camera}/image_raw", camera="left")
        observer.spin(0.5)
        assert sum(node.sent.values()) == 0
        right = observer.listen("{camera}/image_raw", camera="right")
        observer.until(lambda: left and right)
        assert stamps(left)[0] == stamps(right)[0] == ORIGIN


def test_play_rate_is_reported(small_rig, at_once):
    with played(small_rig, play_rate=2.0) as (node, observer):
        observer.until(lambda: sum(node.sent.values()) >= 16)
        assert 0.0 < float(health(node)[2]["play_rate"]) < 3.0


def test_convention_camera_info_describes_the_camera_that_is_played():
    camera = stereo_rig().cameras["left"]
    message = camera_info(camera, 7)
    assert to_stamp(message.header.stamp) == 7
    again = camera_from_info("left", rectified=False, **info_arguments(message))
    xyz = np.array([[0.3, -0.2, 2.0]])
    alone = camera.at_pose(np.eye(3), np.zeros(3))
    np.testing.assert_allclose(again.project(xyz), alone.project(xyz))


def test_settings_choose_the_recording(tmp_path):
    rig = stereo_rig()
    plain = open_recording(rig, PlayerSettings(duration=0.1, phases=(0.0, 0.5)))
    assert isinstance(plain, SyntheticRecording)
    assert dict(plain.phase) == {"left": 0.0, "right": 0.5 / 30.0}
    stored = open_recording(rig, PlayerSettings(duration=0.1, prerender=True))
    assert isinstance(stored, StoredRecording)
    looped = open_recording(rig, PlayerSettings(duration=0.1, repeat=3))
    assert isinstance(looped, Looped)
    frames = [frame.stamp for frame in looped if frame.camera == "left"]
    assert frames == sorted(set(frames))
    assert frames[0] == ORIGIN


def test_phases_must_be_one_for_each_camera():
    with pytest.raises(ValueError, match="phases must be one for each of left, right; got 1"):
        open_recording(stereo_rig(), PlayerSettings(phases=(0.5,)))


def test_videos_are_opened(tmp_path):
    path = tmp_path / "left.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25.0, (640, 480))
    for level in range(4):
        writer.write(np.full((480, 640, 3), 40 * level, np.uint8))
    writer.release()
    settings = PlayerSettings(videos=(f"left={path}",), stride=2)
    recording = open_recording(stereo_rig(), settings)
    assert [frame.stamp for frame in recording] == [ORIGIN, ORIGIN + 80_000_000]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"cameras": ["left", "top"]}, "cameras must be among left, right; got top"),
        ({"rig": "/no/rig.yaml"}, "rig must be an existing file; got /no/rig.yaml"),
        ({"videos": ["left=/no/video.mp4"]}, "paths must be existing files; got /no/video.mp4"),
        ({"phases": [0.5]}, "phases must be one for each of left, right; got 1"),
    ],
)
def test_what_cannot_be_played_is_named(given, sentence):
    with hosted(PlayerNode, given, bring_up=False) as (node, _):
        assert not node.bring_up()
        assert sentence in node.failure


def test_deactivating_stops_the_images_and_activating_starts_them_again(small_rig, at_once):
    with played(small_rig) as (node, observer):
        images = observer.listen("{camera}/image_raw", camera="left")
        observer.until(lambda: images)
        node.trigger_deactivate()
        assert node.thread is None
        observer.spin(0.2)
        before = len(images)
        observer.spin(0.3)
        assert len(images) == before
        node.trigger_activate()
        observer.until(lambda: len(images) > before)


def test_a_recording_that_has_ended_ends_the_node(small_rig, at_once, monkeypatch, capfd):
    words = [f"rig:={small_rig}", "duration:=0.2", "frame_rate:=20.0", "wait:=0.0", "loop:=2"]
    arguments = [word for pair in words for word in ("-p", pair)]
    monkeypatch.setattr("sys.argv", ["player", "--ros-args", *arguments, "--log-level", "info"])
    handler = signal.getsignal(signal.SIGINT)
    try:
        assert run(PlayerNode) == 0
    finally:
        signal.signal(signal.SIGINT, handler)
    told = "".join(capfd.readouterr())
    assert "played 16 frames at rate" in told
    assert "Traceback" not in told
