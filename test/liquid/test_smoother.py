import numpy as np
import pytest

from liquid_mono3d_ros.liquid.bank import collapse, mix, propagate
from liquid_mono3d_ros.liquid.belief import Belief
from liquid_mono3d_ros.liquid.design import FilterSettings, design_filter
from liquid_mono3d_ros.liquid.motion import stay_or_switch, transition
from liquid_mono3d_ros.liquid.smoother import link_states
from liquid_mono3d_ros.liquid.trajectory_filter import TrackFilter
from liquid_mono3d_ros.records import State

STEP = 40_000_000


def test_link_is_the_covariance_of_consecutive_mixtures():
    """Against the sum over all pairs of models, before and after."""
    bank = design_filter(FilterSettings()).bank
    rng, dt = np.random.default_rng(0), 0.2
    A = rng.normal(size=(1, 5, 9, 9))
    P, x, mu = A @ A.swapaxes(-1, -2), rng.normal(size=(1, 5, 9)), rng.dirichlet(np.ones(5), 1)
    mixed = mix(bank, Belief(x, P, np.log(mu)), dt)
    predicted, cross = propagate(bank, mixed, dt)
    link = link_states(mixed, predicted, cross, *collapse(predicted))

    F, weight = transition(bank, dt)[0], mu[0][:, None] * stay_or_switch(bank, dt)
    before, after = mu[0] @ x[0], link.x[0]
    C = sum(
        weight[i, j] * (P[0, i] @ F[j].T + np.outer(x[0, i] - before, F[j] @ x[0, i] - after))
        for i in range(5)
        for j in range(5)
    )
    np.testing.assert_allclose(link.gain[0] @ link.P[0], C, atol=1e-9)


def test_one_model_is_the_exact_posterior(make_points):
    """Against conditioning the joint Gaussian of all states on all measurements."""
    settings = FilterSettings(filter="cv", lag=4, gate_probability=1 - 1e-9)
    track_filter = TrackFilter(settings)
    rng, T, R = np.random.default_rng(1), 7, np.diag([0.01, 0.04, 0.09])
    z = rng.normal(size=(T, 3)) * 0.2
    for k in range(T):
        update = track_filter.update(make_points(k * STEP, z[k], R[None]))
    lagged = update.lagged[0]
    assert lagged.stamp == (T - 1 - 4) * STEP

    F, Q = (matrix[0, :6, :6] for matrix in transition(track_filter._design.bank, 0.04))
    mean, covariance = np.zeros((T, 6)), np.zeros((T, 6, T, 6))
    mean[0, :3] = z[0]
    covariance[0, :, 0] = np.diag([*np.diag(R), *3 * [settings.initial_speed**2]])
    for k in range(1, T):
        mean[k] = F @ mean[k - 1]
        for j in range(k):
            covariance[k, :, j] = F @ covariance[k - 1, :, j]
            covariance[j, :, k] = covariance[k, :, j].T
        covariance[k, :, k] = F @ covariance[k - 1, :, k - 1] @ F.T + Q
    S = covariance[1:, :3, 1:, :3].reshape(3 * T - 3, -1) + np.kron(np.eye(T - 1), R)
    gain = covariance[2][:, 1:, :3].reshape(6, -1) @ np.linalg.inv(S)
    expected = mean[2] + gain @ (z[1:] - mean[1:, :3]).ravel()
    expected_P = covariance[2, :, 2] - gain @ S @ gain.T

    smoothed = lagged.trajectories[0]
    np.testing.assert_allclose([*smoothed.xyz, *smoothed.velocity], expected, atol=1e-8)
    np.testing.assert_allclose(smoothed.covariance, expected_P, atol=1e-8)


def turning_path(rng, T=90, dt=1 / 30):
    """Half a second straight, then a quarter turn, then straight, at 3 m/s; (T, 3) m."""
    t = np.arange(T) * dt
    heading = np.clip((t - 1.0) / 0.5, 0.0, 1.0) * np.pi / 2
    velocity = 3.0 * np.stack([np.cos(heading), np.sin(heading), 0 * t], axis=-1)
    return np.cumsum(velocity * dt, axis=0) + rng.normal(size=3)


@pytest.mark.parametrize("shape", ["line", "turn"])
def test_hindsight_beats_the_moment(make_points, shape):
    rng, n, lag = np.random.default_rng(2), 20, 5
    truth = np.stack([turning_path(rng) for _ in range(n)], axis=1)  # (T, N, 3)
    truth = truth[:30] if shape == "line" else truth
    z = truth + rng.normal(size=truth.shape) * 0.03
    track_filter = TrackFilter(FilterSettings(lag=lag, horizon=0.0))
    causal, lagged = [], []
    for k in range(len(truth)):
        update = track_filter.update(make_points(k * 33_333_333, z[k], sigma=0.03))
        causal.append([t.xyz for t in update.now.trajectories])
        lagged += [[t.xyz for t in lot.trajectories] for lot in update.lagged]
    assert len(lagged) == len(truth) - lag
    scored = slice(5, len(lagged))
    error = [
        np.sqrt(np.mean((a[scored] - truth[scored]) ** 2))
        for a in (np.array(causal), np.array(lagged))
    ]
    assert error[1] < 0.85 * error[0]


def test_no_lag_no_smoothing(make_points):
    track_filter = TrackFilter(FilterSettings(lag=0))
    for k in range(5):
        assert track_filter.update(make_points(k * STEP, [[0, 0, 0]])).lagged == ()


def test_lagged_states_keep_their_stamps_and_say_whether_they_were_measured(make_points):
    track_filter = TrackFilter(FilterSettings(lag=2))
    lagged = []
    for k in range(8):
        points = make_points(k * STEP, [[0, 0, 0]]) if k != 4 else make_points(k * STEP)
        lagged += track_filter.update(points).lagged
    assert [lot.stamp for lot in lagged] == [k * STEP for k in range(6)]
    states = [lot.trajectories[0].state for lot in lagged]
    assert states == 4 * [State.CONFIRMED] + [State.COASTING, State.CONFIRMED]
    assert [lot.trajectories[0].measured for lot in lagged] == [True] * 4 + [False, True]


def test_a_restart_cuts_off_the_past(make_points):
    settings = FilterSettings(lag=3, rejections_before_restart=2)
    track_filter = TrackFilter(settings)
    updates = []
    for k in range(20):
        xyz = [[0.0, 0, 0]] if k < 10 else [[50.0, 0, 0]]
        updates.append(track_filter.update(make_points(k * STEP, xyz)))
    lagged = {lot.stamp // STEP: lot.trajectories[0].xyz[0] for u in updates for lot in u.lagged}
    assert max(abs(lagged[k]) for k in range(10)) < 0.1
    assert abs(lagged[12] - 50) < 0.1


def test_hindsight_helps_where_measurements_have_a_slow_error_too(make_points):
    """Noise averages out, the slow error does not, and the covariance knows of both."""
    rng, n, T, lag = np.random.default_rng(5), 60, 60, 8
    truth = np.stack([turning_path(rng, T) for _ in range(n)], axis=1)  # (T, N, 3)
    fade, sigma, slow = np.exp(-1 / 30 / 5.0), 0.03, 0.05
    b = rng.normal(size=(T, n, 3)) * slow
    for k in range(1, T):
        b[k] = fade * b[k - 1] + np.sqrt(1 - fade**2) * b[k]
    z = truth + b + rng.normal(size=truth.shape) * sigma
    B = np.tile(np.eye(3) * slow**2, (n, 1, 1))
    track_filter = TrackFilter(FilterSettings(lag=lag, horizon=0.0, gravity=(0, 0, 0)))
    causal, lagged, nees = [], [], []
    for k in range(T):
        points = make_points(k * 33_333_333, z[k], sigma=sigma, systematic_covariance=B)
        update = track_filter.update(points)
        causal.append([t.xyz for t in update.now.trajectories])
        for lot in update.lagged:
            lagged.append([t.xyz for t in lot.trajectories])
            e = np.array(lagged[-1]) - truth[len(lagged) - 1]
            P = np.array([t.covariance[:3, :3] for t in lot.trajectories])
            nees.append((e * np.linalg.solve(P, e[..., None])[..., 0]).sum(axis=-1).mean() / 3)
    own, seen = np.array(lagged)[15:], slice(15, len(lagged))
    apparent = truth[seen] + b[seen]
    error = [np.sqrt(np.mean((a - apparent) ** 2)) for a in (np.array(causal)[seen], own)]
    assert error[1] < 0.85 * error[0]
    assert 0.5 < np.mean(nees[15:]) < 1.5
