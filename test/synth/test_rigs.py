import numpy as np
import pytest

from liquid_mono3d_ros.synth.rigs import look_at, ring_rig, stereo_rig


def test_convention_optical_frame_is_z_forward_x_right_y_down():
    R_cw, t_cw = look_at(np.array([0.0, 0, 1]), np.array([5.0, 0, 1]))
    np.testing.assert_allclose(R_cw @ (3, 0, 1) + t_cw, (0, 0, 3), atol=1e-12)
    np.testing.assert_allclose(R_cw @ (3, 1, 1) + t_cw, (-1, 0, 3), atol=1e-12)  # y is left
    np.testing.assert_allclose(R_cw @ (3, 0, 2) + t_cw, (0, -1, 3), atol=1e-12)  # z is up
    assert np.linalg.det(R_cw) == pytest.approx(1)


def test_stereo_disparity():
    rig = stereo_rig(0.2, focal=400.0)
    point = np.array([[4.0, 0.3, 1.0]])
    left, right = (rig.cameras[name].project(point)[0] for name in ("left", "right"))
    np.testing.assert_allclose(left - right, (400 * 0.2 / 4, 0), atol=1e-9)
    assert next(iter(rig.cameras)) == "left"
    np.testing.assert_allclose(rig.up, (0, 0, 1))


def test_ring_looks_at_its_target_from_all_sides():
    rig = ring_rig(5, radius=3, height_above_floor=2.5, target=(1, 2, 0.5))
    cameras = list(rig.cameras.values())
    centres = np.array([camera.centre for camera in cameras])
    np.testing.assert_allclose(np.linalg.norm(centres[:, :2] - (1, 2), axis=1), 3)
    np.testing.assert_allclose(centres[0], (4, 2, 2.5))
    for camera in cameras:
        uv = camera.project(np.array([[1, 2, 0.5]]))
        np.testing.assert_allclose(uv, [(319.5, 239.5)], atol=1e-9)


def test_bad_rigs_are_refused():
    with pytest.raises(ValueError, match="baseline must be positive, m; got 0"):
        stereo_rig(0.0)
    with pytest.raises(ValueError, match="target must be beside the camera"):
        look_at(np.zeros(3), np.array([0.0, 0, 1]))
    with pytest.raises(ValueError, match="cameras must be two or more; got 1"):
        ring_rig(1)
