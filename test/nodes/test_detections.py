"""Detection2DArray → Detections, by messages that look like those of vision_msgs."""

from __future__ import annotations

import math
from types import SimpleNamespace as Message
from typing import Any

import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo

from liquid_mono3d_ros.nodes.detections import (
    check_vision_msgs,
    detections_from_msg,
    image_size,
)
from liquid_mono3d_ros.tracking.detection import TopicSettings

pytestmark = pytest.mark.ros
DEFAULT = TopicSettings()


def hypothesis(class_id: str, score: float, variance: float = 0.0) -> Any:
    covariance = np.zeros(36)
    covariance[[0, 7]] = variance
    return Message(
        hypothesis=Message(class_id=class_id, score=score), pose=Message(covariance=covariance)
    )


def detection(
    middle: tuple[float, float] = (50.0, 40.0),
    size: tuple[float, float] = (20.0, 10.0),
    *results: Any,
    theta: float = 0.0,
) -> Any:
    center = Message(position=Message(x=middle[0], y=middle[1]), theta=theta)
    bbox = Message(center=center, size_x=size[0], size_y=size[1])
    return Message(bbox=bbox, results=list(results))


def array(*detections: Any) -> Any:
    return Message(detections=list(detections))


def convert(*detections: Any, **settings: Any) -> Any:
    return detections_from_msg(array(*detections), TopicSettings(**settings))


def test_convention_detectors_count_from_the_corner() -> None:
    seen = convert(detection((50, 40), (20, 10), hypothesis("ball", 0.8)))
    assert seen.uv.tolist() == [[49.5, 39.5]]
    assert seen.bbox.tolist() == [[39.5, 34.5, 20, 10]]
    assert seen.sigma_px.tolist() == [3.0]
    assert seen.score.tolist() == [0.8]
    assert seen.class_id == ("ball",)


def test_nothing_seen_is_no_detections() -> None:
    assert len(convert()) == 0
    assert len(convert(wanted=("ball",), score_min=0.5)) == 0


def test_the_best_hypothesis_counts() -> None:
    results = (hypothesis("dog", 0.2, 1.0), hypothesis("ball", 0.7, 4.0), hypothesis("cat", 0.1))
    seen = convert(detection((5, 5), (2, 2), *results))
    assert seen.class_id == ("ball",)
    assert seen.sigma_px.tolist() == [2.0]


def test_a_detection_without_hypothesis_has_no_score() -> None:
    seen = convert(detection(), score_min=0.5)
    assert seen.class_id == ("",)
    assert math.isnan(seen.score[0])


def test_anchor_class_and_score_are_chosen() -> None:
    both = (
        detection((5, 5), (2, 4), hypothesis("dog", 0.9)),
        detection((50, 5), (2, 4), hypothesis("ball", 0.4)),
    )
    assert convert(*both, anchor="top").uv.tolist() == [[4.5, 2.5], [49.5, 2.5]]
    assert convert(*both, anchor="bottom").uv.tolist() == [[4.5, 6.5], [49.5, 6.5]]
    assert convert(*both, score_min=0.5).class_id == ("dog",)
    assert convert(*both, wanted=("ball", "cup")).class_id == ("ball",)


def test_a_turned_box_becomes_the_upright_one_around_it() -> None:
    seen = convert(detection((50, 40), (20, 10), theta=math.pi / 2))
    np.testing.assert_allclose(seen.bbox, [[44.5, 29.5, 10, 20]])
    side = (20 + 10) / math.sqrt(2)
    np.testing.assert_allclose(convert(detection(theta=math.pi / 4)).bbox[0, 2:], [side, side])


NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        (detection((NAN, 4)), r"detections\[\]\.bbox must be of finite numbers; got 1 of 2"),
        (detection((4, INF)), r"detections\[\]\.bbox must be of finite numbers"),
        (detection(theta=NAN), r"detections\[\]\.bbox must be of finite numbers"),
        (detection((4, 4), (-1, 2)), r"detections\[\]\.bbox must be of sizes >= 0"),
        (detection((4, 4), (2, 2), hypothesis("a", 1.5)), "score must be between 0 and 1"),
        (detection((4, 4), (2, 2), hypothesis("a", 0.5, NAN)), "covariance must be finite"),
        (detection((4, 4), (2, 2), hypothesis("a", 0.5, -1)), "covariance must be of variances"),
    ],
)
def test_a_broken_message_is_refused_as_a_whole(broken: Any, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        convert(detection(), broken)


def test_the_image_size_is_that_after_cropping_and_binning() -> None:
    info = CameraInfo(width=640, height=480)
    assert image_size(info) == (640, 480)
    info.binning_x, info.binning_y = 2, 4
    assert image_size(info) == (320, 120)
    info.roi.width, info.roi.height = 100, 80
    assert image_size(info) == (50, 20)
    with pytest.raises(ValueError, match=r"width and height must be set; got 0x0 px"):
        image_size(CameraInfo())


def test_width_goes_with_height() -> None:
    with pytest.raises(ValueError, match="width and height must be given together; got 640x0 px"):
        TopicSettings(width=640)


def test_messages_of_the_package_are_read() -> None:
    vision = pytest.importorskip("vision_msgs.msg")
    check_vision_msgs()
    result = vision.ObjectHypothesisWithPose()
    result.hypothesis.class_id, result.hypothesis.score = "ball", 0.5
    result.pose.covariance[0] = result.pose.covariance[7] = 4.0
    one = vision.Detection2D(results=[result])
    one.bbox.center.position.x, one.bbox.center.position.y = 50.0, 40.0
    one.bbox.size_x, one.bbox.size_y = 20.0, 10.0
    seen = detections_from_msg(vision.Detection2DArray(detections=[one]), DEFAULT)
    assert seen.bbox.tolist() == [[39.5, 34.5, 20, 10]]
    assert (seen.class_id, seen.sigma_px.tolist()) == (("ball",), [2.0])
