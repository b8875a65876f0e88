"""Time from the last image a pose needs to the pose."""

import numpy as np
import pytest

from liquid_mono3d_ros.bench.latency import image_to_pose_ms, summary_ms

MS = 1_000_000


def test_synchronised_cameras_count_from_the_later_publication():
    images = {"left": [(100, 10 * MS)], "right": [(100, 12 * MS)]}
    after_last, age = image_to_pose_ms(images, [(100, 30 * MS)])
    assert after_last == pytest.approx([18.0])
    assert age == pytest.approx([20.0])


def test_a_free_running_camera_counts_from_the_image_that_brackets():
    images = {
        "left": [(100, 0), (133, 33 * MS)],
        "right": [(83, -17 * MS), (116, 16 * MS), (150, 50 * MS)],
    }
    after_last, age = image_to_pose_ms(images, [(100, 20 * MS)])
    assert after_last == pytest.approx([4.0])
    assert age == pytest.approx([20.0])


def test_an_extrapolated_pose_counts_from_the_newest_image_that_was_there():
    images = {"left": [(100, 0)], "right": [(60, -40 * MS), (160, 60 * MS)]}
    after_last, _ = image_to_pose_ms(images, [(100, 5 * MS)])
    assert after_last == pytest.approx([5.0])


def test_a_pose_without_its_own_image_has_no_age():
    _, age = image_to_pose_ms({"left": [(100, 0)]}, [(90, MS)])
    assert np.isnan(age).all()


def test_summary_leaves_unknown_values_out():
    assert summary_ms(np.array([1.0, 3.0, np.nan]))["p50"] == 2.0
    assert np.isnan(summary_ms(np.array([np.nan]))["p99"])
