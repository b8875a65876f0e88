"""vision_msgs/Detection2DArray of any detector → Detections; vision_msgs is optional."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.tracking.detection import Detections, TopicSettings, anchor_of_boxes


def check_vision_msgs() -> None:
    """Check that vision_msgs can be imported.

    Raises:
        ImportError: If it is not installed.
    """
    try:
        importlib.import_module("vision_msgs.msg")
    except ImportError:
        rule = "background, colour, flow or onnx where vision_msgs is missing"
        cure = "Install it: apt install ros-$ROS_DISTRO-vision-msgs."
        raise ImportError(complain("detector", rule, "topic", cure)) from None


def detections_from_msg(message: Any, settings: TopicSettings) -> Detections:
    """Return a ``vision_msgs/Detection2DArray`` as detections.

    Of several hypotheses the one with the best score counts. A turned box becomes the upright one
    around it. The covariance of the hypothesis' pose is taken as that of the point, in px², when
    x or y have one.

    Convention: detectors count pixels from the corner of the top-left pixel (as YOLO does;
    vision_msgs leaves it open), Detections from its centre.

    Args:
        message: The message.
        settings: Which of the detections count, and the error where they have none.

    Raises:
        ValueError: If a number is not finite, a size or variance negative, or a score not within
            0 to 1: the message as a whole is not to be believed.
    """
    best = [_best_hypothesis(detection) for detection in message.detections]
    bbox = _array([_box(detection.bbox) for detection in message.detections], 4)
    _check("detections[].bbox", np.isfinite(bbox).all(axis=1), "of finite numbers")
    _check("detections[].bbox", (bbox[:, 2:] >= 0).all(axis=1), "of sizes >= 0")
    variance = _array([_variance(hypothesis) for hypothesis in best], 1)[:, 0]
    _check("results[].pose.covariance", np.isfinite(variance), "finite")
    _check("results[].pose.covariance", variance >= 0, "of variances >= 0")
    seen = Detections(
        uv=anchor_of_boxes(bbox, settings.anchor),
        sigma_px=np.where(variance > 0, np.sqrt(variance), settings.sigma_px),
        bbox=bbox,
        score=np.array([h.hypothesis.score if h else np.nan for h in best], float),
        class_id=tuple(h.hypothesis.class_id if h else "" for h in best),
    )
    good = ~(seen.score < settings.score_min)
    if settings.wanted:
        good &= np.array([word in settings.wanted for word in seen.class_id], dtype=bool)
    return seen.rows(np.flatnonzero(good))


def image_size(info: Any) -> tuple[int, int]:
    """Return width and height of the images that a ``sensor_msgs/CameraInfo`` comes with, px.

    Raises:
        ValueError: If it does not say.
    """
    roi = info.roi
    width, height = (roi.width, roi.height) if roi.width else (info.width, info.height)
    size = width // max(1, info.binning_x), height // max(1, info.binning_y)
    if not all(size):
        cure = "Set topic.width and topic.height instead."
        raise ValueError(complain("width and height", "set", f"{size[0]}x{size[1]} px", cure))
    return size


def _best_hypothesis(detection: Any) -> Any:
    """Return the hypothesis with the best score; None if there is none."""
    return max(detection.results, key=lambda result: result.hypothesis.score, default=None)


def _box(bbox: Any) -> tuple[float, ...]:
    """Return left, top, width and height of the upright box around it."""
    width, height = bbox.size_x, bbox.size_y
    if bbox.center.theta:
        cos, sin = abs(np.cos(bbox.center.theta)), abs(np.sin(bbox.center.theta))
        width, height = cos * width + sin * height, sin * width + cos * height
    middle = bbox.center.position
    return middle.x - width / 2 - 0.5, middle.y - height / 2 - 0.5, width, height


def _variance(hypothesis: Any) -> float:
    """Return the mean variance of x and y, px²; 0 when the message gives none."""
    if hypothesis is None:
        return 0.0
    covariance = hypothesis.pose.covariance
    return float(covariance[0] + covariance[7]) / 2


def _array(rows: list[Any], columns: int) -> Array:
    return np.array(rows, float).reshape(len(rows), columns)


def _check(argument: str, good: Any, rule: str) -> None:
    if not good.all():
        got = f"{np.count_nonzero(~good)} of {good.size} that are not"
        raise ValueError(complain(argument, rule, got, "Check the detector."))
