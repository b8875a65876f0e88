from dataclasses import replace

import numpy as np
import pytest

from liquid_mono3d_ros.liquid.bank import (
    birth,
    collapse,
    collapse_expert,
    correct,
    hedge,
    innovate,
    log_densities,
    mix,
    propagate,
    surprise,
    weights,
)
from liquid_mono3d_ros.liquid.belief import Belief
from liquid_mono3d_ros.liquid.design import FilterSettings, design_filter
from liquid_mono3d_ros.liquid.measurement import Measurement
from liquid_mono3d_ros.liquid.motion import transition


@pytest.fixture
def bank():
    return design_filter(FilterSettings()).bank


def random_belief(n=4, m=5, seed=0):
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
    np.testing.assert_allclose(mixed.x, np.repeat(collapse(belief)[0][:, None], 5, axis=1))
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


# Falling, slow errors, experts


def test_the_falling_model_falls(bank):
    belief = random_belief()
    moved, _ = propagate(replace(bank, gravity=np.array([0, 0, -10.0])), belief, 0.5)
    still, _ = propagate(bank, belief, 0.5)
    dropped = np.zeros((4, 5, 9))
    dropped[:, 4, 2], dropped[:, 4, 5] = -1.25, -5.0
    np.testing.assert_allclose(moved.x - still.x, dropped, atol=1e-12)
    np.testing.assert_array_equal(moved.P, still.P)
    g, dt = np.array([[0, 0, -10.0]] * 4), np.full(4, 0.5)
    each, _ = propagate(bank, mix(bank, belief, dt), dt, g)
    once, _ = propagate(replace(bank, gravity=g[0]), mix(bank, belief, 0.5), 0.5)
    np.testing.assert_allclose(each.x, once.x, atol=1e-12)
    np.testing.assert_allclose(each.P, once.P, atol=1e-12)


def consider(z, R, B, dt, bias_time, F, Q, speed, held):
    """The Schmidt filter of the books: state and bias in one, the bias never corrected."""
    G = np.array([np.linalg.cholesky(b) for b in B])
    x = np.concatenate([z[0], np.zeros(6)])
    J = np.zeros((12, 12))
    J[:9, :9] = np.diag([0.0] * 3 + [speed**2] * 3 + [held**2] * 3)
    J[:3, :3] = R[0] + B[0]
    J[9:, 9:] = np.eye(3)
    J[:3, 9:], J[9:, :3] = -G[0], -G[0].T
    fade = np.exp(-dt / bias_time)
    A = np.block([[F, np.zeros((9, 3))], [np.zeros((3, 9)), fade * np.eye(3)]])
    N = np.block([[Q, np.zeros((9, 3))], [np.zeros((3, 9)), (1 - fade**2) * np.eye(3)]])
    for k in range(1, len(z)):
        x, J = F @ x, A @ J @ A.T + N
        H = np.concatenate([np.eye(3, 9), G[k]], axis=1)
        S = H @ J @ H.T + R[k]
        K = J @ H.T @ np.linalg.inv(S)
        x = x + K[:9] @ (z[k] - x[:3])
        K[9:] = 0  # considered, not estimated
        J = (np.eye(12) - K @ H) @ J @ (np.eye(12) - K @ H).T + K @ R[k] @ K.T
    return x, J[:9, :9], J[:9, 9:] @ G[-1].T


def test_a_slow_error_is_considered_as_in_the_books():
    bank = design_filter(FilterSettings(filter="cv", bias_time=0.5)).bank
    rng, T = np.random.default_rng(3), 12
    z = rng.normal(size=(T, 3))
    R = np.tile(np.diag([1.0, 2, 3]) * 1e-2, (T, 1, 1))
    # Along fixed axes the choice of the root does not matter.
    B = np.array([np.diag([4.0, 1, 0.5]) * 1e-2 * (1 + 0.5 * np.sin(k)) for k in range(T)])
    belief = birth(bank, z[:1], R[:1], 3.0, np.sqrt(B[:1]))
    for k in range(1, T):
        belief, _ = propagate(bank, mix(bank, belief, 0.1), 0.1)
        measurement = Measurement(z[k : k + 1], np.eye(3)[None], R[k : k + 1], B[k : k + 1])
        belief = correct(bank, belief, measurement, np.ones(1))
    F, Q = (matrix[0] for matrix in transition(bank, 0.1))
    x, P, C = consider(z, R, B, 0.1, 0.5, F, Q, 3.0, bank.acceleration_sigma)
    np.testing.assert_allclose(belief.x[0, 0], x, atol=1e-10)
    np.testing.assert_allclose(belief.P[0, 0], P, atol=1e-10)
    np.testing.assert_allclose(belief.C[0, 0] @ np.sqrt(B[-1]), C, atol=1e-10)


def test_a_slow_error_does_not_average_out(bank):
    z, R = np.zeros((1, 3)), np.eye(3)[None] * 1e-4
    belief = birth(bank, z, R, 1.0, np.eye(3)[None] * 0.1)
    for _ in range(300):
        belief, _ = propagate(bank, mix(bank, belief, 0.01), 0.01)
        belief = correct(
            bank, belief, Measurement(z, np.eye(3)[None], R, np.eye(3)[None] * 0.01), np.ones(1)
        )
    sigma = np.sqrt(np.diagonal(collapse(belief)[1][0])[:3])
    assert (sigma > 0.08).all()
    assert (sigma < 0.11).all()


def test_a_slow_error_of_zero_changes_nothing_to_the_last_bit(bank):
    belief = random_belief()
    plain = positions(np.full((4, 3), 0.2), np.tile(np.eye(3), (4, 1, 1)))
    zero = replace(plain, B=np.zeros((4, 3, 3)))
    a = correct(bank, belief, plain, np.full(4, 2.0))
    b = correct(bank, belief, zero, np.full(4, 2.0))
    for name in ("x", "P", "log_mu"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert a.C.shape == (4, 5, 9, 0)
    np.testing.assert_array_equal(b.C, 0)


def test_tracks_with_and_without_slow_error_live_together(bank):
    z, R = np.zeros((1, 3)), np.eye(3)[None]
    plain, biased = birth(bank, z, R, 1.0), birth(bank, z, R, 1.0, R)
    both = plain.join(biased)
    assert both.C.shape == (2, 5, 9, 3)
    np.testing.assert_array_equal(both.C[0], 0)
    np.testing.assert_array_equal(both.put(np.array([1]), plain).C, 0)
    assert len(both.take(np.array([1]))) == 1


def test_a_changing_slow_error_never_makes_a_covariance_negative(bank):
    rng, z, R = np.random.default_rng(0), np.zeros((1, 3)), np.eye(3)[None] * 1e-8
    belief = birth(bank, z, R, 1.0, np.eye(3)[None])
    for k in range(60):
        belief, _ = propagate(bank, mix(bank, belief, 0.01), 0.01)
        A = rng.normal(size=(1, 3, 3)) * 10.0 ** rng.uniform(-4, 1)
        measurement = Measurement(z, np.eye(3)[None], R, A @ A.swapaxes(1, 2) * (k % 3 > 0))
        assert (np.linalg.eigvalsh(innovate(belief, measurement).S) > 0).all()
        belief = correct(bank, belief, measurement, np.ones(1))
        scale = np.sqrt(np.diagonal(belief.P, axis1=-2, axis2=-1))
        whitened = belief.P / scale[..., None] / scale[..., None, :]
        assert np.linalg.eigvalsh(whitened).min() > -1e-9


@pytest.fixture
def three():
    """Two experts of five models and one of one."""
    settings = FilterSettings(gravity=(0, 0, -9.81))
    return design_filter(settings, ("imm", "liquid", "abrupt")).bank


def test_each_expert_is_the_bank_it_would_be_alone(bank, three):
    bank = replace(bank, gravity=three.gravity)
    wide = design_filter(FilterSettings(filter="cv", cv_noise=100.0)).bank
    rng = np.random.default_rng(4)
    z, R = rng.normal(size=(3, 3)), np.tile(np.eye(3), (3, 1, 1)) * 1e-2
    together = birth(three, z, R, 3.0)
    alone = [(b, birth(b, z, R, 3.0)) for b in (bank, bank, wide)]
    for _ in range(20):
        z = z + rng.normal(size=(3, 3)) * 0.1
        measurement, dt = positions(z, R), rng.uniform(0.01, 0.1)
        together, _ = propagate(three, mix(three, together, dt), dt)
        together, losses, loss = hedge(
            three, together, innovate(together, measurement), measurement
        )
        together = correct(three, together, measurement, np.ones(3))
        parts = []
        for e, (own, belief) in enumerate(alone):
            belief, _ = propagate(own, mix(own, belief, dt), dt)
            density = log_densities(innovate(belief, measurement), measurement)
            expected = -np.log(np.exp(belief.log_mu + density).sum(axis=1))
            np.testing.assert_allclose(losses[:, e], expected, rtol=1e-9)
            parts.append((own, correct(own, belief, measurement, np.ones(3))))
            for a, b in zip(
                collapse_expert(three, together, e), collapse(parts[e][1]), strict=True
            ):
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
        alone = parts
        assert (loss <= losses.max(axis=1) + 1e-9).all()
        assert (loss >= losses.min(axis=1) - 1e-9).all()
    np.testing.assert_allclose(weights(three, together).sum(axis=1), 1.0)
    odds = np.log(three.prior[1] / three.prior[0])  # both lost the same
    np.testing.assert_allclose(together.log_w[:, 1] - together.log_w[:, 0], odds)


def test_advice_scales_noise_and_shifts_probabilities(bank):
    belief, R = random_belief(), np.tile(np.eye(3), (4, 1, 1))
    measurement, one = positions(np.full((4, 3), 0.5), R), np.ones(4)
    noisier = correct(bank, belief, measurement, one, log_r=np.full((4, 5), np.log(3.0)))
    expected = correct(bank, belief, positions(measurement.z, 3 * R), one)
    np.testing.assert_allclose(noisier.x, expected.x, atol=1e-12)
    np.testing.assert_allclose(noisier.P, expected.P, atol=1e-12)
    np.testing.assert_allclose(noisier.log_mu, expected.log_mu, atol=1e-12)
    odds = correct(bank, belief, measurement, one, delta=np.eye(5)[1] + np.zeros((4, 5))).log_mu
    plain = correct(bank, belief, measurement, one).log_mu
    np.testing.assert_allclose((odds - plain)[:, 1] - (odds - plain)[:, 0], 1.0, atol=1e-2)
    calm, wild = (propagate(bank, belief, 0.1, log_q=np.full((4, 5), q))[0].P for q in (0.0, 1.0))
    Q = transition(bank, 0.1)[1]
    np.testing.assert_allclose(wild - calm, (np.e - 1) * Q[None] + 0 * calm, atol=1e-9)


def test_a_model_that_is_not_gated_believes_everything(bank):
    open_bank = replace(bank, gated=np.array([True, True, True, False, True]))
    belief = random_belief()
    measurement = positions(np.full((4, 3), 5.0), np.tile(np.eye(3), (4, 1, 1)))
    near, far = (correct(open_bank, belief, measurement, np.full(4, s)) for s in (1.0, 10.0))
    moved = np.linalg.norm(far.x - belief.x, axis=-1) / np.linalg.norm(near.x - belief.x, axis=-1)
    np.testing.assert_allclose(moved, np.tile([0.1, 0.1, 0.1, 1.0, 0.1], (4, 1)))
