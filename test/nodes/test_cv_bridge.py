"""Encodings that we lack, through a stand-in for cv_bridge."""

import sys
import types

import numpy as np
import pytest

sensor_msgs = pytest.importorskip("sensor_msgs.msg")
from liquid_mono3d_ros.nodes.images import image_to_bgr  # noqa: E402

pytestmark = pytest.mark.ros


@pytest.fixture
def asked(monkeypatch):
    """Install a cv_bridge that knows the encoding ``rare``; return what it is asked for."""
    module, asked = types.ModuleType("cv_bridge"), []

    class CvBridgeError(TypeError):
        pass

    class CvBridge:
        def imgmsg_to_cv2(self, message, desired_encoding="passthrough"):
            asked.append((message.encoding, desired_encoding))
            if message.encoding != "rare":
                raise CvBridgeError(f"[{message.encoding}] is not a color format")
            return np.full((message.height, message.width, 3), 7, np.uint8)

    module.CvBridge, module.CvBridgeError = CvBridge, CvBridgeError
    monkeypatch.setitem(sys.modules, "cv_bridge", module)
    return asked


def test_cv_bridge_is_asked_for_bgr8(asked):
    image = image_to_bgr(sensor_msgs.Image(encoding="rare", width=3, height=2))
    np.testing.assert_array_equal(image, np.full((2, 3, 3), 7))
    assert asked == [("rare", "bgr8")]


def test_cv_bridge_is_not_asked_for_what_we_can_do(asked):
    image_to_bgr(sensor_msgs.Image(encoding="mono8", width=1, height=1, step=1, data=b"\1"))
    assert asked == []


def test_what_cv_bridge_cannot_do_is_named(asked):
    text = r"encoding must be one that cv_bridge converts to bgr8; got 'odd' \(\[odd\] is not"
    with pytest.raises(ValueError, match=text):
        image_to_bgr(sensor_msgs.Image(encoding="odd", width=3, height=2))


def test_without_cv_bridge_the_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv_bridge", None)
    text = r"encoding must be one of .*mono8.*; got 'odd'. Convert it, or install cv_bridge"
    with pytest.raises(ValueError, match=text):
        image_to_bgr(sensor_msgs.Image(encoding="odd", width=3, height=2))
