import numpy as np
import pytest
from transforms3d import axangles

from liquid_mono3d_ros.geometry import rotation

TURN = axangles.axangle2mat([1.0, 2.0, -0.5], 1.2)


def test_convention_quaternion_order():
    quarter_left = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])  # x → y
    h = np.sqrt(0.5)
    np.testing.assert_allclose(rotation.quat_xyzw_from_matrix(quarter_left), [0, 0, h, h])
    np.testing.assert_allclose(rotation.quat_wxyz_from_matrix(quarter_left), [h, 0, 0, h])
    for quat, matrix in (
        (np.array([0, 0, h, h]), rotation.matrix_from_quat_xyzw),
        (np.array([h, 0, 0, h]), rotation.matrix_from_quat_wxyz),
    ):
        np.testing.assert_allclose(matrix(quat) @ [1, 0, 0], [0, 1, 0], atol=1e-12)


def test_reordering_is_its_own_inverse():
    quat = np.array([1.0, 2.0, 3.0, 4.0])
    np.testing.assert_array_equal(rotation.wxyz_from_xyzw(quat), [4, 1, 2, 3])
    np.testing.assert_array_equal(rotation.xyzw_from_wxyz(rotation.wxyz_from_xyzw(quat)), quat)


def test_matrix_and_quaternion_are_inverses():
    for there, back in (
        (rotation.quat_xyzw_from_matrix, rotation.matrix_from_quat_xyzw),
        (rotation.quat_wxyz_from_matrix, rotation.matrix_from_quat_wxyz),
    ):
        np.testing.assert_allclose(back(there(TURN)), TURN, atol=1e-12)


def test_slerp_turns_at_constant_rate():
    start = axangles.axangle2mat([0.3, -1.0, 0.2], 2.5)
    end = start @ axangles.axangle2mat([0.0, 1.0, 1.0], 2.0)
    for w in (0.0, 0.25, 0.5, 1.0, 1.25):
        expected = start @ axangles.axangle2mat([0.0, 1.0, 1.0], 2.0 * w)
        np.testing.assert_allclose(rotation.slerp(start, end, w), expected, atol=1e-9)
    np.testing.assert_allclose(rotation.slerp(start, start, 0.4), start, atol=1e-12)


def test_rotation_between_takes_one_direction_to_the_other():
    for a, b in (([0, 0, 1], [0, -2, 0]), ([1, 2, 3], [1, 2, 3]), ([0, 0, 1], [0, 0, -1])):
        a, b = np.array(a, float), np.array(b, float)
        R = rotation.rotation_between(a, b)
        rotation.check_rotation("R", R)
        np.testing.assert_allclose(R @ a / np.linalg.norm(a), b / np.linalg.norm(b), atol=1e-12)


def test_wrong_values_are_refused():
    with pytest.raises(ValueError, match="quat_xyzw must be of length 1; got length 2"):
        rotation.matrix_from_quat_xyzw(np.array([0.0, 0.0, 0.0, 2.0]))
    with pytest.raises(ValueError, match="quat_wxyz must be of length 1; got length 0"):
        rotation.matrix_from_quat_wxyz(np.zeros(4))
    with pytest.raises(ValueError, match=r"quat_xyzw must be of shape \(4\)"):
        rotation.matrix_from_quat_xyzw(np.zeros(3))
    with pytest.raises(ValueError, match="R must be a rotation; got a reflection"):
        rotation.check_rotation("R", np.diag([1.0, 1.0, -1.0]))
    with pytest.raises(ValueError, match=r"R must be a rotation; got \|R Rᵀ − I\| = 0.21"):
        rotation.check_rotation("R", np.diag([1.0, 1.0, 1.1]))
