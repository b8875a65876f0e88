import numpy as np
import pytest

from liquid_mono3d_ros.liquid.bank import (
    Belief,
    birth,
    collapse,
    correct,
    mix,
    propagate,
    surprise,
)
from liquid_mono3d_ros.liquid.design import FilterSettings, design_filter
from liquid_mono3d_ros.liquid.measurement import Measurement
from liquid_mono3d_ros.liquid.motion import transition


@pytest.fixture
def bank():
    return design_filter(FilterSettings()).bank


def random_belief(n=4, m=3, seed=0):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(n, m, 9, 9))
    mu = rng.dirichlet(np.ones(m), size=n)
    return Belief(rng.normal(size=(n, m, 9)), A @ A.swapaxes(-1, -2), np.log(mu))


def positions(z, R):
    return Measurement(z, np.broadcast_to(np.eye(3), (len(z), 3, 3)), R)


def test_birth_is_the_measurement_at_rest(bank):
    xyz, R = np.array([[1.0, 2, 3]]), np.diag([1.0, 4, 9])[None]
    x, P = collapse(birth(bank, xyz, R, 2.0))
    np.testing.assert_allclose(x, [[1, 2, 3, 0, 0, 0, 0, 0, 0]])
    sigma = [1, 2, 3, 2, 2, 2] + 3 * [bank.acceleration_sigma]
    np.testing.assert_allclose(P, np.diag(np.square(sigma))[None], atol=1e-12)


def test_mixing_keeps_the_whole(bank):
    belief = random_belief()
    mixed = mix(bank, belief, 0.1)
    for before, after in zip(collapse(belief), collapse(mixed), strict=True):
        np.testing.assert_allclose(after, before, atol=1e-12)
    np.testing.assert_allclose(np.exp(mixed.log_mu).sum(axis=1), 1.0)


def test_mixing_over_no_time_changes_little_over_long_time_all(bank):
    belief = random_belief()
    np.testing.assert_allclose(mix(bank, belief, 1e-9).x, belief.x, atol=1e-6)
    mixed = mix(bank, belief, 1e3)
    np.testing.assert_allclose(mixed.x, np.repeat(collapse(belief)[0][:, None], 3, axis=1))
    np.testing.assert_allclose(mixed.log_mu, np.tile(np.log(bank.share), (4, 1)))


def test_one_model_is_the_kalman_filter_of_the_books():
    bank = design_filter(FilterSettings(filter="cv")).bank
    belief = random_belief(n=1, m=1)
    belief = Belief(belief.x, belief.P, np.zeros((1, 1)))
    z, R = np.array([[0.3, -0.2, 0.1]]), np.diag([0.1, 0.2, 0.3])[None]
    F, Q = (matrix[0] for matrix in transition(bank, 0.1))
    H = np.eye(3, 9)
    x, P = F @ belief.x[0, 0], F @ belief.P[0, 0] @ F.T + Q
    S = H @ P @ H.T + R[0]
    K = P @ H.T @ np.linalg.inv(S)
    y = z[0] - H @ x

    predicted, cross = propagate(bank, mix(bank, belief, 0.1), 0.1)
    measurement = positions(z, R)
    d2 = surprise(*collapse(predicted), measurement)
    corrected = correct(bank, predicted, measurement, np.ones(1))
    np.testing.assert_allclose(cross[0, 0], belief.P[0, 0] @ F.T, atol=1e-12)
    np.testing.assert_allclose(d2, [y @ np.linalg.solve(S, y)])
    np.testing.assert_allclose(corrected.x[0, 0], x + K @ y, atol=1e-12)
    np.testing.assert_allclose(corrected.P[0, 0], P - K @ S @ K.T, atol=1e-12)


def test_probabilities_follow_bayes_and_keep_the_floor(bank):
    belief = random_belief()
    z, R = np.full((4, 3), 0.2), np.tile(np.eye(3), (4, 1, 1))
    corrected = correct(bank, belief, positions(z, R), np.ones(4))
    S = belief.P[..., :3, :3] + R[:, None]
    y = z[:, None] - belief.x[..., :3]
    d2 = (y * np.linalg.solve(S, y[..., None])[..., 0]).sum(axis=-1)
    weight = np.exp(belief.log_mu - d2 / 2) / np.sqrt(np.linalg.det(S))
    expected = weight / weight.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.exp(corrected.log_mu), expected, rtol=1e-2)
    sharp = correct(bank, belief, positions(z * 1e3, R * 1e-9), np.ones(4))
    assert np.exp(sharp.log_mu).min() > 0.9 * bank.floor
    np.testing.assert_allclose(np.exp(sharp.log_mu).sum(axis=1), 1.0)


def test_distrust_shrinks_the_gain(bank):
    belief = random_belief()
    measurement = positions(np.full((4, 3), 2.0), np.tile(np.eye(3), (4, 1, 1)))
    near = correct(bank, belief, measurement, np.ones(4))
    far = correct(bank, belief, measurement, np.full(4, 10.0))
    np.testing.assert_allclose(far.x - belief.x, (near.x - belief.x) / 10)
    gained = belief.P - near.P
    np.testing.assert_allclose(belief.P - far.P, gained / 10, atol=1e-12)


def test_large_coordinates_keep_their_digits(bank):
    belief = random_belief()
    shifted = Belief(belief.x.copy(), belief.P, belief.log_mu)
    shifted.x[..., :3] += 6e6
    np.testing.assert_allclose(collapse(shifted)[1], collapse(belief)[1], atol=1e-7)
    np.testing.assert_allclose(mix(bank, shifted, 0.1).P, mix(bank, belief, 0.1).P, atol=1e-7)


def test_no_tracks(bank):
    none = random_belief().take(slice(0, 0))
    assert [a.shape for a in collapse(none)] == [(0, 9), (0, 9, 9)]
