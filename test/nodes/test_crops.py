"""Crops through their message: what is cut is what arrives."""

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("liquid_mono3d.msg", exc_type=ImportError)
from liquid_mono3d.msg import TrackCrop, TrackCropArray
from rclpy.serialization import deserialize_message, serialize_message
from scenes import stereo_rig, tracks2d

from liquid_mono3d_ros.nodes.crops import crops_from_msg, crops_to_msg
from liquid_mono3d_ros.records import Frame
from liquid_mono3d_ros.tracking.crops import crop_tracks

pytestmark = pytest.mark.ros


def test_a_crop_survives_the_wire():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (480, 640, 3), np.uint8)
    camera = stereo_rig().cameras["left"]
    tracks = tracks2d(camera, 12_345_678_901, np.array([(100.0, 90.0), (300.0, 200.0)]))
    frame = Frame("left", tracks.stamp, image, "left_optical_frame")
    message = crops_to_msg(frame, tracks)
    heard = deserialize_message(serialize_message(message), TrackCropArray)
    ids, pictures, sides = crop_tracks(frame, tracks)
    crops = crops_from_msg(heard)
    assert (heard.camera, heard.header.frame_id) == ("left", "left_optical_frame")
    assert [crop.track2d_id for crop in crops] == ids.tolist()
    assert [crop.side_px for crop in crops] == sides.tolist()
    assert {(crop.camera, crop.stamp) for crop in crops} == {("left", 12_345_678_901)}
    np.testing.assert_array_equal([crop.rgb for crop in crops], pictures)


@pytest.mark.parametrize("side", [0.0, -1.0, np.nan, np.inf])
def test_a_window_has_a_side(side):
    message = TrackCropArray(camera="left", crops=[TrackCrop(side_px=side)])
    with pytest.raises(ValueError, match="side_px must be positive; got"):
        crops_from_msg(message)
