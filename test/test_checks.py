import numpy as np
import pytest

from liquid_mono3d_ros.checks import check_covariance, check_finite, check_shape, complain


def test_every_error_has_one_form():
    sentence = complain("rate", "positive, Hz", "-1", "Choose a larger number.")
    assert sentence == "rate must be positive, Hz; got -1. Choose a larger number."


def test_shape_returns_what_the_letters_stand_for():
    assert check_shape("P", np.zeros((3, 4, 3)), ("C", 4, "D")) == {"C": 3, "D": 3}
    assert check_shape("stamp", np.zeros(()), ()) == {}


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        (np.zeros((4, 3)), ("N", 2)),
        (np.zeros(4), ("N", 2)),
        (np.zeros((2, 3)), ("N", "N")),
        (np.zeros((4, 2, 1)), ("N", 2)),
    ],
)
def test_another_shape_is_refused(value, shape):
    with pytest.raises(ValueError, match=r"^uv must be of shape \(.+\); got shape \(.+\)\. "):
        check_shape("uv", value, shape)


def test_what_is_no_array_is_refused():
    with pytest.raises(TypeError, match=r"uv must be a numpy array; got list\. Convert"):
        check_shape("uv", [[0.0, 0.0]], ("N", 2))


def test_unknown_elements_are_counted():
    check_finite("xyz", np.zeros((0, 3)))
    with pytest.raises(ValueError, match=r"xyz must be finite; got 2 of 3 elements"):
        check_finite("xyz", np.array([1.0, np.nan, np.inf]))


def test_covariances_pass_alone_and_in_stacks():
    check_covariance("P", np.diag([1.0, 2.0, 0.0]))
    check_covariance("P", np.stack([np.eye(2), 1e-12 * np.eye(2)]))
    check_covariance("P", np.zeros((0, 3, 3)))


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (np.array([[1.0, 0.5], [0.4, 1.0]]), "symmetric; got an asymmetric matrix"),
        (np.diag([1.0, -0.1]), r"positive semi-definite; got a variance of -0\.1"),
        (np.diag([1.0, np.nan]), "finite"),
    ],
)
def test_what_is_no_covariance_is_refused(value, rule):
    with pytest.raises(ValueError, match=f"^P must be {rule}"):
        check_covariance("P", np.stack([np.eye(2), value]))
