"""Conversion of images, against values written by hand."""

import numpy as np
import pytest

sensor_msgs = pytest.importorskip("sensor_msgs.msg")
from liquid_mono3d_ros.nodes.images import (  # noqa: E402
    bgr_to_image,
    compressed_to_bgr,
    image_to_bgr,
)

pytestmark = pytest.mark.ros
BLUE, GREEN, RED = [255, 0, 0], [0, 255, 0], [0, 0, 255]


def message(encoding, data, width, height, *, step=None, big=False):
    data = np.ascontiguousarray(data)
    return sensor_msgs.Image(
        encoding=encoding,
        width=width,
        height=height,
        step=step or data.nbytes // height,
        is_bigendian=int(big),
        data=data.tobytes(),
    )


@pytest.mark.parametrize(
    ("encoding", "pixels"),
    [
        ("bgr8", [BLUE, RED]),
        ("rgb8", [BLUE[::-1], RED[::-1]]),
        ("bgra8", [[*BLUE, 9], [*RED, 9]]),
        ("rgba8", [[*BLUE[::-1], 9], [*RED[::-1], 9]]),
        ("8UC3", [BLUE, RED]),
    ],
)
def test_colours_arrive_as_bgr(encoding, pixels):
    image = image_to_bgr(message(encoding, np.array([pixels], np.uint8), 2, 1))
    np.testing.assert_array_equal(image, [[BLUE, RED]])


def test_mono_is_repeated_and_16_bit_keeps_the_upper_byte_in_either_order():
    np.testing.assert_array_equal(
        image_to_bgr(message("mono8", np.array([[7, 9]], np.uint8), 2, 1)), [[[7] * 3, [9] * 3]]
    )
    values = np.array([[0x1234, 0xFF00]])
    for big, order in ((False, "<u2"), (True, ">u2")):
        image = image_to_bgr(message("mono16", values.astype(order), 2, 1, big=big))
        np.testing.assert_array_equal(image, [[[0x12] * 3, [0xFF] * 3]])


@pytest.mark.parametrize(
    ("encoding", "red_at"),
    [
        ("bayer_rggb8", (0, 0)),
        ("bayer_bggr8", (1, 1)),
        ("bayer_grbg8", (0, 1)),
        ("bayer_gbrg8", (1, 0)),
    ],
)
def test_convention_bayer_pattern_names_its_first_row(encoding, red_at):
    mosaic = np.zeros((8, 8), np.uint8)
    mosaic[red_at[0] :: 2, red_at[1] :: 2] = 200  # light falls on the red pixels alone
    blue, green, red = image_to_bgr(message(encoding, mosaic, 8, 8))[2:6, 2:6].mean(axis=(0, 1))
    assert red > 190
    assert blue < 10
    assert green < 10


@pytest.mark.parametrize("encoding", ["yuv422", "uyvy", "yuv422_yuy2", "yuyv"])
def test_yuv422_grey_stays_grey(encoding):
    luma_first = encoding in ("yuv422_yuy2", "yuyv")
    pair = [126, 128, 126, 128] if luma_first else [128, 126, 128, 126]
    image = image_to_bgr(message(encoding, np.array([pair], np.uint8), 2, 1))
    assert np.ptp(image) <= 1
    assert abs(int(image[0, 0, 0]) - 128) <= 3


def test_row_padding_is_cut_off():
    padded = np.array([[*BLUE, *RED, 1, 2], [*RED, *BLUE, 3, 4]], np.uint8)
    image = image_to_bgr(message("bgr8", padded, 2, 2))
    np.testing.assert_array_equal(image, [[BLUE, RED], [RED, BLUE]])


def test_what_is_written_is_read():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (5, 7, 3), np.uint8)
    written = sensor_msgs.Image()
    bgr_to_image(written, image)
    np.testing.assert_array_equal(image_to_bgr(written), image)
    assert (written.encoding, written.step) == ("bgr8", 21)


def test_compressed_png_is_exact():
    import cv2

    image = np.random.default_rng(1).integers(0, 256, (6, 4, 3), np.uint8)
    data = cv2.imencode(".png", image)[1].tobytes()
    np.testing.assert_array_equal(
        compressed_to_bgr(sensor_msgs.CompressedImage(format="png", data=data)), image
    )


def test_errors_name_the_fault():
    short = message("bgr8", np.zeros((2, 6), np.uint8), 2, 2)
    short.height = 3
    with pytest.raises(ValueError, match=r"data must be at least 3 rows of 6 bytes; got 12 bytes"):
        image_to_bgr(short)
    with pytest.raises(ValueError, match=r"data must be a jpeg or png image; got 3 bytes"):
        compressed_to_bgr(sensor_msgs.CompressedImage(format="jpeg", data=b"abc"))


def test_unknown_encoding_says_what_to_do():
    with pytest.raises(ValueError, match=r"encoding must be .*got '?'?(nv99|.*nv99)"):
        image_to_bgr(message("nv99", np.zeros((2, 2), np.uint8), 2, 2))


@pytest.mark.parametrize("encoding", ["bgr8", "mono8", "bayer_rggb8", "yuv422", "rgb16"])
def test_an_image_without_pixels_is_refused(encoding):
    with pytest.raises(ValueError, match=r"image must be larger than nothing; got 0x2"):
        image_to_bgr(sensor_msgs.Image(encoding=encoding, width=0, height=2))


def test_a_size_that_the_encoding_cannot_have_is_refused():
    with pytest.raises(ValueError, match=r"image must be a size that yuyv can have; got 3x1"):
        image_to_bgr(message("yuyv", np.zeros((1, 6), np.uint8), 3, 1))
