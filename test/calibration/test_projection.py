import numpy as np
import pytest
from board_scenes import lens

from liquid_mono3d_ros.calibration.projection import (
    by_turn,
    exponential,
    project_with_jacobians,
    turned_and_moved,
)

RATIONAL = (0.3, 0.1, 0.001, -0.001, 0.02, 0.1, 0.05, 0.01)
LENSES = {
    "plumb_bob": lens("a"),
    "equidistant": lens("a", model="equidistant", D=(0.05, -0.01, 0.003, -0.001)),
    "rational": lens("a", model="rational_polynomial", D=RATIONAL),
    "none": lens("a", D=()),
}
XYZ = np.array([[0.1, -0.2, 1.0], [-0.4, 0.3, 2.0], [0.0, 0.0, 0.5]])


def project(camera, K, D, xyz):
    return project_with_jacobians(camera.model, K, D, xyz)[0]


@pytest.mark.parametrize("camera", LENSES.values(), ids=LENSES)
def test_convention_pixels_are_those_of_camera(camera):
    np.testing.assert_allclose(project(camera, camera.K, camera.D, XYZ), camera.project(XYZ))


@pytest.mark.parametrize("camera", LENSES.values(), ids=LENSES)
def test_slopes_are_those_of_small_steps(camera):
    K, D, h = camera.K, camera.D, 1e-6
    uv, by_xyz, by_lens = project_with_jacobians(camera.model, K, D, XYZ)
    for axis in range(3):
        step = h * np.eye(3)[axis]
        slope = (project(camera, K, D, XYZ + step) - uv) / h
        np.testing.assert_allclose(by_xyz[..., axis], slope, atol=0.02)
    for column in range(4 + len(D)):
        K_step, D_step = K.copy(), D.copy()
        if column < 4:
            K_step[[0, 1, 0, 1][column], [0, 1, 2, 2][column]] += h
        else:
            D_step[column - 4] += h
        slope = (project(camera, K_step, D_step, XYZ) - uv) / h
        np.testing.assert_allclose(by_lens[..., column], slope, atol=0.02)


def test_a_turn_moves_points_as_its_slope_says():
    turn = 1e-7 * np.array([0.3, -0.5, 0.8])
    moved = XYZ @ exponential(turn).T
    np.testing.assert_allclose(moved - XYZ, by_turn(XYZ) @ turn, atol=1e-13)


def test_a_pose_turns_about_the_origin_of_its_target_frame():
    R, t = exponential(np.array([0.1, 0.2, 0.3])), np.array([1.0, 2.0, 3.0])
    step = np.array([0, 0, np.pi / 2, 0.5, 0, 0])
    R_new, t_new = turned_and_moved(R, t, step)
    before = XYZ @ R.T + t
    np.testing.assert_allclose(
        XYZ @ R_new.T + t_new, np.stack([-before[:, 1] + 0.5, before[:, 0], before[:, 2]], axis=1)
    )
