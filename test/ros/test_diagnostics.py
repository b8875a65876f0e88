"""Whatever is wrong is counted and named, with the cure; the rest goes on."""

import math

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from liquid_mono3d.msg import Point3D, Point3DArray, Trajectory, TrajectoryArray
from observer import ball, camera_info, health, hosted, tracks_message
from scenes import ORIGIN, STEREO_RIG, exposed, line, stereo_rig

from liquid_mono3d_ros.nodes import monitor
from liquid_mono3d_ros.nodes.description import DescriptionNode
from liquid_mono3d_ros.nodes.liquid_filter import LiquidFilterNode
from liquid_mono3d_ros.nodes.messages import header, to_stamp
from liquid_mono3d_ros.nodes.tracking import TrackingNode
from liquid_mono3d_ros.nodes.triangulation import TriangulationNode

pytestmark = pytest.mark.ros
WARN = DiagnosticStatus.WARN[0]
FRAME = 33_333_333
PATH = line((3.0, -0.2, 1.0), (0.0, 0.4, 0.1))
RIG = {"rig": str(STEREO_RIG)}
INFO = {"extrinsics": "camera_info", "cameras": ["left", "right"]}
TRACKING = {"cameras": ["left"], "detector": "colour", "queue_size": 100}
"""The queue is long: a busy machine is no fault of the node."""
IMAGE = "{camera}/image_raw"


def complaint(node):
    """Return what /diagnostics says of a node that is not well, and its values."""
    level, sentence, values = health(node)
    assert level == WARN, sentence
    return sentence, values


def look(observer, k, **changes):
    """Publish the left camera's k-th image."""
    message = ball(ORIGIN + k * FRAME, (40.0 + k, 60.0))
    for name, value in changes.items():
        setattr(message, name, value)
    observer.say(IMAGE, message, camera="left")


def tracked(observer, frames=6, first=0):
    """Publish good images and wait for their tracks."""
    tracks = observer.listen("{camera}/tracks2d", camera="left")
    observer.meet("left/tracks2d")
    for k in range(first, first + frames):
        look(observer, k)
    observer.until(lambda: tracks and tracks[-1].tracks)
    return tracks


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"encoding": "nv99"}, "encoding must be one of"),
        ({"width": 400}, "data must be at least 120 rows of 1200 bytes"),
        ({"height": 0}, "image must be larger than nothing; got 160x0"),
    ],
)
def test_an_image_that_cannot_be_read(changes, sentence):
    with hosted(TrackingNode, TRACKING) as (node, observer):
        look(observer, 0, **changes)
        observer.until(lambda: node.counts["invalid_image"])
        said, values = complaint(node)
        assert f"left at stamp {ORIGIN}: {sentence}" in said
        assert values["count invalid_image"] == "1"
        tracked(observer, first=1)


def test_an_image_of_another_size_starts_anew_and_is_counted():
    with hosted(TrackingNode, TRACKING) as (node, observer):
        tracks = tracked(observer)
        bigger = ball(ORIGIN + 20 * FRAME, (50.0, 50.0), width=320, height=240)
        observer.say(IMAGE, bigger, camera="left")
        observer.until(lambda: tracks[-1].width == 320)
        assert tracks[-1].epoch == 1
        assert health(node)[2]["count left image_size"] == "1"


def test_an_image_with_stamp_zero():
    with hosted(TrackingNode, TRACKING) as (node, observer):
        observer.say(IMAGE, ball(0, (40.0, 60.0)), camera="left")
        observer.until(lambda: node.counts["zero_stamp"] == 1)
        said, _ = complaint(node)
        assert "/left/image_raw: stamp 0" in said
        assert "header.stamp" in said
        tracked(observer)


def test_a_camera_that_stops(monkeypatch):
    with hosted(TrackingNode, TRACKING) as (node, observer):
        tracked(observer)
        monkeypatch.setattr(monitor, "SILENT_AFTER", 0.1)
        observer.spin(0.3)
        said, values = complaint(node)
        assert "/left/image_raw: silent for" in said
        assert "It has stopped: check" in said
        assert values["/left/image_raw silences"] == "1"
        monkeypatch.setattr(monitor, "SILENT_AFTER", 60.0)
        tracked(observer, first=10)
        level, said, values = health(node)
        assert (level, said) == (0, "good")


def test_a_camera_without_a_publisher():
    with hosted(TrackingNode, TRACKING) as (node, observer):
        observer.spin(0.1)
        said, values = complaint(node)
        assert "/left/image_raw: no publisher. Check the topic name and the driver." in said
        assert values["/left/image_raw received"] == "0"


def test_a_rate_far_below_the_stamp_spacing():
    with hosted(TrackingNode, TRACKING) as (node, observer):
        heard = node.inputs["/left/image_raw"]
        for k in range(60):
            if k % 5 in (0, 1):  # three of five images are lost on the way
                before = heard.received
                look(observer, k)
                observer.until(lambda before=before: heard.received > before)
        said, values = complaint(node)
        assert "/left/image_raw: " in said
        assert "of the messages that its stamps promise do not arrive. Set reliability" in said
        assert int(values["/left/image_raw missing"]) > 20


def locate(observer, frames=8, first=0, rig=None, **changes):
    """Publish good tracks of both cameras and return the points that come."""
    points = observer.listen("points3d")
    observer.meet("points3d")
    for k in range(first, first + frames):
        stamp = ORIGIN + k * FRAME
        for camera in stereo_rig().cameras.values():
            uv, velocity = exposed(camera, stamp, [PATH])
            message = tracks_message(camera, stamp, uv, velocity=velocity)
            for name, value in changes.items():
                setattr(message, name, value)
            observer.say("{camera}/tracks2d", message, camera=camera.name)
    if not changes:
        observer.until(lambda: points and points[-1].points)
    return points


def test_a_nan_in_the_tracks():
    left = stereo_rig().cameras["left"]
    broken = tracks_message(left, ORIGIN, [[1.0, 2.0]])
    broken.tracks[0].u = math.nan
    with hosted(TriangulationNode, RIG) as (node, observer):
        observer.say("{camera}/tracks2d", broken, camera="left")
        observer.until(lambda: node.counts["invalid_message"] == 1)
        said, _ = complaint(node)
        assert f"/left/tracks2d at {ORIGIN} ns: tracks[].u, v must be finite" in said
        locate(observer, first=1)


@pytest.mark.parametrize("parameters", [RIG, INFO])
def test_images_of_another_size_than_the_calibration(parameters):
    with hosted(TriangulationNode, parameters) as (node, observer):
        if parameters is INFO:
            calibrate(observer)
        observer.until(lambda: node.triangulator)
        locate(observer, width=320, height=240)
        observer.until(lambda: node.counts["image_size"] == 16)
        said, values = complaint(node)
        assert "images of right must be 640x480 as calibrated; got 320x240. Use the" in said
        assert values["count image_size"] == "16"
        locate(observer, first=20)


def test_tracks_of_an_unknown_camera():
    with hosted(TriangulationNode, RIG) as (node, observer):
        locate(observer, frames=1, camera="top")
        observer.until(lambda: node.counts["unknown_camera"] == 2)
        assert "camera must be one of left, right; got 'top'" in complaint(node)[0]
        locate(observer, first=1)


def calibrate(observer, *, baseline=0.3, focal=500.0):
    """Publish CameraInfo of the stereo pair, as a stereo calibration writes it."""
    for camera in stereo_rig().cameras.values():
        move = np.zeros((3, 1))
        move[0] = -focal * baseline if camera.name == "right" else 0.0
        info = camera_info(camera, ORIGIN, P=np.hstack([camera.K, move]))
        observer.say("{camera}/camera_info", info, camera=camera.name)


def test_a_camera_that_is_not_calibrated():
    with hosted(TriangulationNode, INFO) as (node, observer):
        blank = camera_info(stereo_rig().cameras["left"], ORIGIN)
        blank.k, blank.p = [0.0] * 9, [0.0] * 12
        observer.say("{camera}/camera_info", blank, camera="left")
        observer.until(lambda: node.counts["invalid_message"] == 1)
        said, values = complaint(node)
        assert "K must be set in CameraInfo; got all zeros: left is uncalibrated. Calib" in said
        assert "no CameraInfo from right: check its topic" in said
        assert values["count invalid_message"] == "1"
        calibrate(observer)
        locate(observer)
        assert node.problems == {}


def test_tracks_that_come_before_the_calibration_are_counted():
    with hosted(TriangulationNode, INFO) as (node, observer):
        locate(observer, frames=3, epoch=0)
        observer.until(lambda: node.counts["waiting_for_calibration"] == 6)
        said, values = complaint(node)
        assert "no CameraInfo from left" in said
        assert values["count waiting_for_calibration"] == "6"
        calibrate(observer)
        locate(observer, first=3)


def test_cameras_without_a_baseline():
    with hosted(TriangulationNode, INFO) as (node, observer):
        calibrate(observer, baseline=0.0)
        observer.until(lambda: node.counts["invalid_message"])
        said, _ = complaint(node)
        assert "P[0, 3] must be other than 0 on at least one camera; got 0 on all of left" in said
        assert "Calibrate the cameras as a pair, or set extrinsics to rig or tf." in said
        calibrate(observer)
        locate(observer)
        assert "P[0, 3]" not in " ".join(node.complaints())


def test_a_calibration_that_changes_is_taken_and_counted():
    with hosted(TriangulationNode, INFO) as (node, observer):
        calibrate(observer)
        near = locate(observer)[-1]
        calibrate(observer, baseline=0.6)
        observer.until(lambda: node.counts["calibration_changed"] == 1)
        far = locate(observer, first=20)[-1]
        assert far.points[0].position.z == pytest.approx(2 * near.points[0].position.z, rel=0.05)
        assert (near.epoch, far.epoch) == (0, 1)  # track numbers begin again


def located(k, *, track_id=1, xyz=(1.0, 2.0, 3.0), **changes):
    point = Point3D(track_id=track_id, kind=Point3D.POINT)
    point.position.x, point.position.y, point.position.z = xyz
    point.covariance = (1e-6 * np.eye(3)).ravel()
    point.systematic_covariance = [math.nan] * 9
    for name, value in changes.items():
        setattr(point, name, value)
    return Point3DArray(header=header(ORIGIN + k * FRAME, "world"), points=[point])


@pytest.mark.parametrize(
    ("changes", "cause", "sentence"),
    [
        ({"xyz": (math.nan, 0.0, 0.0)}, "not_finite", "is NaN or infinite"),
        ({"covariance": [math.inf] * 9}, "not_finite", "is NaN or infinite"),
        ({"covariance": [-1.0] * 9}, "covariance_not_positive", "not symmetric and positive"),
        ({"kind": 9}, "unknown_kind", "kind is neither POINT nor BEARING"),
    ],
)
def test_a_point_that_cannot_be_used(changes, cause, sentence):
    with hosted(LiquidFilterNode) as (node, observer):
        poses = observer.listen("pose")
        observer.meet("pose")
        observer.say("points3d", located(0, **changes))
        observer.until(lambda: node.filter.dropped[cause] == 1)
        said, values = complaint(node)
        assert f"points3d at {ORIGIN} ns: " in said
        assert f"{sentence}. Such points are left out: check what publishes them." in said
        assert values[f"count {cause}"] == "1"
        for k in range(1, 9):
            observer.say("points3d", located(k))
        observer.until(lambda: poses)
        assert abs(poses[-1].pose.position.x - 1.0) < 0.01


def test_a_trajectory_that_cannot_be_used():
    broken = Trajectory(header=header(ORIGIN, "world"), track_id=5, state=2, filter=1)
    broken.position.x = math.nan
    good = Trajectory(header=header(ORIGIN, "world"), track_id=6, state=2, filter=1, measured=True)
    good.covariance = (1e-6 * np.eye(6)).ravel()
    good.last_measured = good.header.stamp
    with hosted(DescriptionNode) as (node, observer):
        facts = observer.listen("facts")
        observer.meet("facts")
        both = TrajectoryArray(header=header(ORIGIN, "world"), trajectories=[broken, good])
        observer.say("trajectories", both)
        observer.until(lambda: facts)
        assert facts[0].track_id == 6
        said, values = complaint(node)
        assert f"track 5 at {ORIGIN} ns: position must be finite" in said
        assert values["count invalid_trajectory"] == "1"


def test_a_facts_frame_without_tf_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tf2_ros", None)
    with hosted(DescriptionNode, {"facts_frame": "base"}) as (node, observer):
        array = TrajectoryArray(header=header(ORIGIN, "world"), trajectories=[Trajectory()])
        observer.say("trajectories", array)
        observer.until(lambda: node.counts["missing_package"] == 1)
        assert "apt install ros-" in complaint(node)[0]


def test_diagnostics_are_published_each_second():
    with hosted(TrackingNode, TRACKING, namespace="robot") as (_, observer):
        heard = observer.listen("/diagnostics")
        observer.until(lambda: heard)
        (status,) = heard[0].status
        assert (status.name, status.hardware_id) == ("robot/tracking", "liquid_mono3d")
        assert to_stamp(heard[0].header.stamp) > 0
