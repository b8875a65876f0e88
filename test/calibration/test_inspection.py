import dataclasses
import math

import numpy as np
import pytest

from liquid_mono3d_ros.calibration.inspection import DISTANCES, inspect_pair, inspect_rig
from liquid_mono3d_ros.geometry.rig import Rig
from liquid_mono3d_ros.synth.rigs import ring_rig, stereo_rig


def told(rig):
    return [(problem.is_error, problem.sentence) for problem in inspect_rig(rig).problems]


def with_camera(rig, name, **changes):
    changed = dataclasses.replace(rig.cameras[name], **changes)
    return Rig({**rig.cameras, name: changed}, rig.world_frame, rig.up)


def test_a_good_rig_has_no_problems():
    assert told(stereo_rig()) == []
    assert told(ring_rig(4)) == []


def test_field_of_view_and_axis():
    own = inspect_rig(stereo_rig()).cameras["left"]
    np.testing.assert_allclose(own.field_of_view, [2 * math.atan(0.64), 2 * math.atan(0.48)])
    np.testing.assert_allclose(own.axis, [1, 0, 0], atol=1e-12)
    assert own.invertible == 1.0


def test_depth_sigma_is_that_of_a_stereo_pair():
    """Parallel cameras: Z² √2 / (f b) for 1 px in each; 15 % where Z √2 = 0.15 f b."""
    pair = inspect_pair(*stereo_rig(0.2, width=640, height=48, focal=1000.0).cameras.values())
    expected = np.square(DISTANCES) * math.sqrt(2) / (1000 * 0.2)
    np.testing.assert_allclose(pair.depth_sigma, expected, rtol=0.05)
    np.testing.assert_allclose(pair.reach, 0.15 * 1000 * 0.2 / math.sqrt(2), rtol=0.05)
    np.testing.assert_allclose(pair.overlap[3], 1 - 20 / 640, atol=0.06)  # 20 px of disparity
    assert (pair.baseline, pair.angle) == (pytest.approx(0.2), pytest.approx(0.0))


def test_two_cameras_at_one_place_give_no_depth():
    rig = stereo_rig()
    left = rig.cameras["left"]
    same = with_camera(rig, "right", R_cw=left.R_cw, t_cw=left.t_cw)
    assert told(same) == [
        (
            True,
            "left and right are 0.0 mm apart, at one place, so they give no depth: measure their "
            "poses (liquid-mono3d calibrate).",
        )
    ]


def test_a_weak_baseline_is_named_with_its_reach():
    assert told(stereo_rig(0.01)) == [
        (
            False,
            "left and right are 0.01 m apart, a weak baseline: beyond 0.6 m the depth is "
            "uncertain by more than 15%.",
        )
    ]


def test_a_camera_that_looks_away_is_an_error():
    rig = stereo_rig()
    away = rig.cameras["right"]
    back = np.diag([-1.0, 1.0, -1.0]) @ away.R_cw
    turned = with_camera(rig, "right", R_cw=back, t_cw=-back @ away.centre)
    assert [is_error for is_error, _ in told(turned)] == [True, True]
    assert told(turned)[1][1] == (
        "right looks away: it sees nothing that another camera sees, from 0.2 to 500 m. Is its "
        "pose R_cw, t_cw and not that of the camera in the world?"
    )


def test_a_lens_that_cannot_be_undone_and_other_strange_numbers():
    rig = stereo_rig()
    folded = told(with_camera(rig, "left", D=[-0.9, 0.0, 0.0, 0.0]))
    assert len(folded) == 1
    assert folded[0][1].startswith("left: the distortion cannot be undone in ")
    K = rig.cameras["left"].K.copy()
    K[0, 2] = 900
    assert told(with_camera(rig, "left", K=K))[0] == (
        True,
        "left: the principal point (900, 240) is outside the image of 640x480: was it calibrated "
        "at another size?",
    )
    K[0, 2] = 100
    assert (
        "(100, 240) is far from the middle of 640x480" in told(with_camera(rig, "left", K=K))[0][1]
    )
    K[0, 2], K[1, 1] = 320, 300
    assert "fx and fy differ, 500 and 300 px" in told(with_camera(rig, "left", K=K))[0][1]
    late = told(with_camera(rig, "left", time_offset=20.0))
    assert late == [(False, "left: a time_offset of 20 s is large: it is in seconds.")]


def test_a_world_without_up_is_said():
    rig = stereo_rig()
    assert told(Rig(rig.cameras, "world", None)) == [
        (
            False,
            "The world has no up, so nothing is said to rise or fall: add `up: [0, 0, 1]` if its "
            "z axis is up, or calibrate with --world board:NUMBER.",
        )
    ]
