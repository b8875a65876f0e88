import numpy as np
import pytest

from liquid_mono3d_ros.liquid.covariance import invert


@pytest.mark.parametrize("d", [2, 3])
def test_inverse_and_determinant_are_those_of_the_books(d):
    A = np.random.default_rng(0).normal(size=(6, 4, d, d))
    S = A @ A.swapaxes(-1, -2) + 0.1 * np.eye(d)
    inverse, log_det = invert(S)
    np.testing.assert_allclose(inverse, np.linalg.inv(S), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(log_det, np.linalg.slogdet(S)[1], rtol=1e-12, atol=1e-12)


def test_a_flat_covariance_keeps_a_positive_determinant():
    """Rounding makes the determinant of such a matrix negative."""
    v = np.array([1.0, 2.0, -3.0])
    inverse, log_det = invert(1e12 * np.outer(v, v) + 1e-8 * np.eye(3))
    assert np.isfinite(log_det)
    assert (np.diag(inverse) > 0).all()
