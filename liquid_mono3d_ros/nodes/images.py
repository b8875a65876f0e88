"""sensor_msgs images ↔ BGR arrays, without copies where the bytes allow it."""

from __future__ import annotations

import array
from typing import Any

import cv2
import numpy as np

from liquid_mono3d_ros.checks import Array, complain

BYTES = {
    "mono8": (1, cv2.COLOR_GRAY2BGR),
    "8UC1": (1, cv2.COLOR_GRAY2BGR),
    "bgr8": (3, None),
    "8UC3": (3, None),
    "rgb8": (3, cv2.COLOR_RGB2BGR),
    "bgra8": (4, cv2.COLOR_BGRA2BGR),
    "rgba8": (4, cv2.COLOR_RGBA2BGR),
    "bayer_rggb8": (1, cv2.COLOR_BayerBG2BGR),
    "bayer_bggr8": (1, cv2.COLOR_BayerRG2BGR),
    "bayer_gbrg8": (1, cv2.COLOR_BayerGR2BGR),
    "bayer_grbg8": (1, cv2.COLOR_BayerGB2BGR),
    "yuv422": (2, cv2.COLOR_YUV2BGR_UYVY),
    "uyvy": (2, cv2.COLOR_YUV2BGR_UYVY),
    "yuv422_yuy2": (2, cv2.COLOR_YUV2BGR_YUY2),
    "yuyv": (2, cv2.COLOR_YUV2BGR_YUY2),
}
"""Encoding with one byte per value → (channels, OpenCV conversion). OpenCV names a Bayer pattern
by its second row, ROS by its first, so the names differ."""

WORDS = {
    "mono16": (1, cv2.COLOR_GRAY2BGR),
    "16UC1": (1, cv2.COLOR_GRAY2BGR),
    "bgr16": (3, None),
    "rgb16": (3, cv2.COLOR_RGB2BGR),
    "bayer_rggb16": (1, cv2.COLOR_BayerBG2BGR),
    "bayer_bggr16": (1, cv2.COLOR_BayerRG2BGR),
    "bayer_gbrg16": (1, cv2.COLOR_BayerGR2BGR),
    "bayer_grbg16": (1, cv2.COLOR_BayerGB2BGR),
}
"""Encoding with two bytes per value → (channels, OpenCV conversion)."""


def image_to_bgr(message: Any) -> Array:
    """Return the pixels of a sensor_msgs/Image, (H, W, 3) uint8 BGR; 16 bits keep the upper 8.

    Row padding (``step``) and byte order are respected. Encodings that are not listed here go
    through cv_bridge where it is installed.

    Raises:
        ValueError: If the encoding is unknown or the bytes do not fill the image.
    """
    encoding = message.encoding
    if encoding in BYTES:
        channels, conversion = BYTES[encoding]
        pixels = _rows(message, channels)
    elif encoding in WORDS:
        channels, conversion = WORDS[encoding]
        order = ">u2" if message.is_bigendian else "<u2"
        pixels = (_rows(message, 2 * channels).view(order) >> 8).astype(np.uint8)
    else:
        return _through_cv_bridge(message)
    pixels = pixels.reshape(message.height, message.width, channels)
    if conversion is None:
        return pixels
    try:
        return cv2.cvtColor(pixels, conversion)
    except cv2.error:
        got = f"{message.width}x{message.height}"
        rule, cure = f"a size that {encoding} can have", "4:2:2 needs an even width."
        raise ValueError(complain("image", rule, got, cure)) from None


def compressed_to_bgr(message: Any) -> Array:
    """Return the pixels of a sensor_msgs/CompressedImage, (H, W, 3) uint8 BGR.

    Raises:
        ValueError: If OpenCV cannot decode the bytes.
    """
    data = np.frombuffer(message.data, np.uint8)
    pixels = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if pixels is None:
        got = f"{data.size} bytes of format '{message.format}'"
        raise ValueError(complain("data", "a jpeg or png image", got, "Check the publisher."))
    return pixels


def bgr_to_image(message: Any, image: Array) -> None:
    """Write a (H, W, 3) uint8 BGR image into a sensor_msgs/Image; its header is left alone."""
    message.height, message.width = image.shape[:2]
    message.encoding = "bgr8"
    message.is_bigendian = 0
    message.step = 3 * message.width
    data = array.array("B")  # assigning anything else checks every byte in Python
    data.frombytes(np.ascontiguousarray(image).data)
    message.data = data


def _rows(message: Any, row_bytes_per_pixel: int) -> Array:
    """View the message's bytes as (H, W * bytes per pixel), padding cut off."""
    if not message.width or not message.height:
        got = f"{message.width}x{message.height}"
        raise ValueError(complain("image", "larger than nothing", got, "Check the driver."))
    width = message.width * row_bytes_per_pixel
    data = np.frombuffer(message.data, np.uint8)
    if message.step < width or data.size < message.step * message.height:
        rule = f"at least {message.height} rows of {width} bytes"
        got = f"{data.size} bytes with step {message.step}"
        raise ValueError(complain("data", rule, got, "Check width, height, step and encoding."))
    rows = data[: message.step * message.height].reshape(message.height, message.step)
    return np.ascontiguousarray(rows[:, :width])


def _through_cv_bridge(message: Any) -> Array:
    try:
        from cv_bridge import CvBridge, CvBridgeError
    except ImportError:
        known = ", ".join(sorted(BYTES | WORDS))
        cure = "Convert it, or install cv_bridge (apt install ros-$ROS_DISTRO-cv-bridge)."
        raise ValueError(
            complain("encoding", f"one of {known}", f"'{message.encoding}'", cure)
        ) from None
    try:
        return np.asarray(CvBridge().imgmsg_to_cv2(message, "bgr8"))
    except CvBridgeError as error:
        rule, cure = "one that cv_bridge converts to bgr8", "Convert it before."
        got = f"'{message.encoding}' ({error})"
        raise ValueError(complain("encoding", rule, got, cure)) from error
