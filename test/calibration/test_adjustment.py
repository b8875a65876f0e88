import numpy as np
import pytest
from scipy import sparse

from liquid_mono3d_ros.calibration.adjustment import Equations, minimise, stack


def line(t, y, scale):
    """Fit y = a + b t; each residual is its own group."""

    def linearise(state):
        jacobian = sparse.csr_matrix(np.stack([np.ones_like(t), t], axis=1))
        return Equations(state @ [np.ones_like(t), t] - y, jacobian, np.arange(len(t)),
                         np.full(len(t), scale))  # fmt: skip

    return minimise(np.zeros(2), linearise, np.add)


def test_plain_squares_are_the_textbook_line():
    t = np.arange(5.0)
    y = np.array([1.0, 2.9, 5.1, 7.0, 9.2])
    found = line(t, y, np.inf)
    design = np.stack([np.ones(5), t], axis=1)
    np.testing.assert_allclose(found.state, np.linalg.lstsq(design, y, rcond=None)[0], atol=1e-8)
    expected = np.linalg.inv(design.T @ design)
    np.testing.assert_allclose(found.covariance(np.array([0, 1])), expected, rtol=1e-9)
    np.testing.assert_allclose(found.covariance(np.array([1])), expected[1:, 1:], rtol=1e-9)
    assert found.converged


def test_a_gross_error_hardly_counts_with_a_finite_scale():
    t = np.arange(20.0)
    y = 1 + 2 * t
    y[7] += 500
    robust, plain = line(t, y, 2.0), line(t, y, np.inf)
    np.testing.assert_allclose(robust.state, [1, 2], atol=0.01)
    assert robust.weight[7] < 1e-3
    assert robust.weight[8] > 0.99
    assert abs(plain.state[0] - 1) > 10


def test_a_step_that_leaves_the_domain_is_not_taken():
    """Newton's first step for log(x) = 0 from x = 4 goes to x = −1.5, where there is no log."""

    def linearise(x):
        value = np.log(x) if x[0] > 0 else np.array([np.nan])
        return Equations(
            value, sparse.csr_matrix(1 / x[:, None]), np.array([0]), np.array([np.inf])
        )

    found = minimise(np.array([4.0]), linearise, np.add)
    np.testing.assert_allclose(found.state, [1.0], atol=1e-5)


@pytest.mark.parametrize("blocks", [[], [(np.array([1, 2]), np.array([0, 2]), np.ones((2, 2)))]])
def test_stack_puts_blocks_where_they_belong(blocks):
    expected = np.zeros((3, 3))
    if blocks:
        expected[np.ix_([1, 2], [0, 2])] = 1
    np.testing.assert_array_equal(stack(blocks, (3, 3)).toarray(), expected)
