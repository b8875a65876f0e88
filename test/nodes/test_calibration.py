"""CameraInfo → rig."""

import numpy as np
import pytest
from observer import camera_info
from scenes import ORIGIN, camera
from sensor_msgs.msg import RegionOfInterest

from liquid_mono3d_ros.nodes.calibration import InfoCalibration, info_arguments

pytestmark = pytest.mark.ros
LEFT = camera("left", (0.0, 0.15, 1.0), (1.0, 0.15, 1.0))
RIGHT = camera("right", (0.0, -0.15, 1.0), (1.0, -0.15, 1.0))
BASELINE = np.hstack([RIGHT.K, [[-500.0 * 0.3], [0.0], [0.0]]])


def calibration(**changes):
    values = {"rectified": False, "world_frame": "", **changes}
    return InfoCalibration(["left", "right"], **values)


def test_a_rig_comes_of_one_message_from_each_camera():
    calibrated = calibration()
    assert calibrated.missing == ["left", "right"]
    assert calibrated.take("left", camera_info(LEFT, ORIGIN))
    assert calibrated.missing == ["right"]
    assert calibrated.take("right", camera_info(RIGHT, ORIGIN, P=BASELINE))
    rig = calibrated.rig()
    assert rig.world_frame == "left_optical_frame"
    np.testing.assert_allclose(rig.cameras["left"].centre, 0.0, atol=1e-12)
    np.testing.assert_allclose(rig.cameras["right"].centre, [0.3, 0.0, 0.0], atol=1e-12)


def test_convention_the_centre_is_not_the_fourth_column():
    """P[0, 3] is minus the focal length times the baseline: a camera to the right has it < 0."""
    calibrated = calibration()
    calibrated.take("left", camera_info(LEFT, ORIGIN))
    calibrated.take("right", camera_info(RIGHT, ORIGIN, P=BASELINE))
    right = calibrated.rig().cameras["right"]
    assert right.t_cw[0] == pytest.approx(-0.3)
    assert right.centre[0] == pytest.approx(0.3)


def test_the_same_message_again_is_no_news_and_another_one_is():
    calibrated = calibration()
    assert calibrated.take("left", camera_info(LEFT, ORIGIN))
    assert not calibrated.take("left", camera_info(LEFT, ORIGIN + 1))
    moved = camera_info(LEFT, ORIGIN)
    moved.k[2] += 1.0
    assert calibrated.take("left", moved)


def test_an_uncalibrated_camera_is_refused_and_stays_missing():
    calibrated = calibration()
    blank = camera_info(LEFT, ORIGIN)
    blank.k, blank.p = [0.0] * 9, [0.0] * 12
    with pytest.raises(ValueError, match=r"K must be set in CameraInfo; .*left is uncalibrated"):
        calibrated.take("left", blank)
    assert calibrated.missing == ["left", "right"]
    with pytest.raises(ValueError, match="P must be set in CameraInfo"):
        calibration(rectified=True).take("left", blank)


def test_cameras_without_a_baseline_are_refused():
    calibrated = calibration()
    for one in (LEFT, RIGHT):
        calibrated.take(one.name, camera_info(one, ORIGIN))
    text = r"P\[0, 3\] must be other than 0 .* no baseline\. Calibrate the cameras as a pair"
    with pytest.raises(ValueError, match=text):
        calibrated.rig()


def test_the_world_frame_can_be_named():
    calibrated = calibration(world_frame="cell")
    calibrated.take("left", camera_info(LEFT, ORIGIN))
    calibrated.take("right", camera_info(RIGHT, ORIGIN, P=BASELINE))
    assert calibrated.rig().world_frame == "cell"


def test_tf_places_the_cameras_and_the_baseline_in_p_is_ignored():
    class Tree:
        def transform(self, target, source, stamp=None):
            assert source == "map"
            own = {"left_optical_frame": LEFT, "right_optical_frame": RIGHT}[target]
            return own.R_cw, own.t_cw

    calibrated = calibration(world_frame="map", tree=Tree())
    calibrated.take("left", camera_info(LEFT, ORIGIN))
    calibrated.take("right", camera_info(RIGHT, ORIGIN, P=BASELINE))
    rig = calibrated.rig()
    for own in (LEFT, RIGHT):
        np.testing.assert_allclose(rig.cameras[own.name].centre, own.centre, atol=1e-12)


def test_every_field_reaches_its_argument():
    message = camera_info(LEFT, ORIGIN)
    message.binning_x, message.binning_y = 2, 3
    message.roi = RegionOfInterest(x_offset=4, y_offset=5, width=320, height=240)
    arguments = info_arguments(message)
    assert (arguments["width"], arguments["height"]) == (640, 480)
    assert (arguments["binning"], arguments["roi"]) == ((2, 3), (4, 5, 320, 240))
    assert (arguments["model"], arguments["frame_id"]) == ("plumb_bob", "left_optical_frame")
    np.testing.assert_array_equal(arguments["K"].reshape(3, 3), LEFT.K)
    np.testing.assert_array_equal(arguments["P"].reshape(3, 4)[:, :3], LEFT.K)


def test_region_and_binning_change_size_and_principal_point():
    message = camera_info(LEFT, ORIGIN)
    message.binning_x = message.binning_y = 2
    message.roi = RegionOfInterest(x_offset=20, y_offset=40, width=320, height=240)
    calibrated = calibration()
    calibrated.take("left", message)
    calibrated.take("right", camera_info(RIGHT, ORIGIN, P=BASELINE))
    left = calibrated.rig().cameras["left"]
    assert (left.width, left.height) == (160, 120)
    assert left.K[0, 0] == 250.0
    # Pixels 320 and 321 of the full image, 300 and 301 of the region, are averaged to pixel 150.
    assert left.K[0, 2] == pytest.approx((319.5 - 20 + 0.5) / 2 - 0.5)
