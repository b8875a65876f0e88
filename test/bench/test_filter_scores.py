from dataclasses import replace

import numpy as np
import pytest

from liquid_mono3d_ros.bench.filter_estimates import Estimates, Regret, is_scored, unstated
from liquid_mono3d_ros.bench.filter_scores import Errors, errors, is_lost, ratio, score
from liquid_mono3d_ros.synth.flight_table import Flights


@pytest.fixture
def flights():
    """Half-circles, all seen, the claimed noise 0.1 m."""
    n, frames = 30, 50
    t = np.arange(frames) / 25.0 + np.zeros((n, 1))
    zero = np.zeros_like(t)
    xyz = np.stack([np.cos(t), np.sin(t), zero], axis=2)
    velocity = np.stack([-np.sin(t), np.cos(t), zero], axis=2)
    eye = np.zeros((n, frames, 1, 1)) + np.eye(3)
    none = np.zeros((n, frames), dtype=bool)
    g, family = np.zeros((n, 3)), np.zeros(n, dtype=int)
    return Flights(t, ~none, xyz, 0.01 * eye, 0.0 * eye, xyz, velocity, g, family, none)


def perfect(flights, sigma=0.1):
    n, frames = flights.t.shape
    P = sigma**2 * np.eye(6) + np.zeros((n, frames, 1, 1))
    return Estimates(flights.xyz, flights.velocity, P, np.zeros((n, frames)))


def test_honest_gaussian_errors_score_as_theory_says(flights):
    noise = np.random.default_rng(0).normal(0, 0.1, flights.xyz.shape)
    found = replace(perfect(flights), xyz=flights.xyz + noise)
    own = score(found, flights)
    assert own["rmse_mm"] == pytest.approx(100 * 3**0.5, rel=0.05)
    assert own["anees"] == pytest.approx(1.0, rel=0.06)
    assert own["inside_50_percent"] == pytest.approx(50, abs=3)
    assert own["inside_95_percent"] == pytest.approx(95, abs=1.5)
    entropy = 1.5 * np.log(2 * np.pi * np.e * 0.01)
    assert own["nll"] == pytest.approx(entropy, abs=0.1)
    assert own["lost_percent"] == 0.0


def test_lag_is_the_delay(flights):
    late = flights.xyz - 0.04 * flights.velocity
    own = score(replace(perfect(flights), xyz=late), flights)
    assert own["lag_ms"] == pytest.approx(40.0, abs=0.1)


def test_acceleration_of_the_truth_is_the_measure(flights):
    own = score(perfect(flights), flights)
    assert own["acceleration_ratio"] == pytest.approx(1.0)
    assert own["jitter_m_per_s2"] == pytest.approx(0.0, abs=1e-9)
    wide = replace(perfect(flights), xyz=2 * flights.xyz)
    assert score(wide, flights)["acceleration_ratio"] == pytest.approx(2.0)


def test_lost_is_who_ends_away_or_says_nothing(flights):
    xyz = flights.xyz.copy()
    xyz[0, -5:] += 2.0  # away
    xyz[1, :20] += 2.0  # came back
    xyz[2, 30] = np.nan
    xyz[3, -1] += 2.0  # one frame
    lost = is_lost(replace(perfect(flights), xyz=xyz), flights)
    assert np.flatnonzero(lost).tolist() == [0, 2]


def test_unscored_frames_do_not_count(flights):
    seen = flights.seen.copy()
    seen[:, 1:10] = False
    later = replace(flights, seen=seen)
    assert is_scored(later)[0].tolist() == [False] * 10 + [True] * 40
    xyz = flights.xyz.copy()
    xyz[:, :10] += 100.0
    assert errors(replace(perfect(flights), xyz=xyz), later).rmse == 0.0


def test_unstated_covariance_is_not_judged(flights):
    own = score(Estimates(flights.xyz, flights.velocity, *unstated(flights)), flights)
    assert np.isnan(own["nll"])
    assert np.isnan(own["inside_95_percent"])
    assert own["rmse_mm"] == 0.0


def test_ratio_is_paired():
    rng = np.random.default_rng(1)
    squared, num = rng.exponential(size=200), np.full(200, 10)
    one, other = Errors(0.81 * squared, num), Errors(squared, num)
    assert ratio([one], [other]) == pytest.approx((0.9, 0.9, 0.9))
    worse = Errors(squared * rng.uniform(0.5, 1.5, 200), num)
    middle, low, high = ratio([worse], [other])
    assert low < 1.0 < high
    assert low < middle < high


def test_ratio_draws_seeds():
    squared, num = np.ones(50), np.ones(50)
    good, bad = Errors(0.64 * squared, num), Errors(1.44 * squared, num)
    middle, low, high = ratio([good, bad], [Errors(squared, num)])
    assert middle == pytest.approx(1.0)
    assert low == pytest.approx(0.8)
    assert high == pytest.approx(1.2)


def test_regret_is_over_the_best_expert():
    loss = np.array([[[1.0, 2.0], [5.0, 3.0]]])
    found = Regret(loss, np.array([[1.5, 3.5]]), np.ones((1, 2)))
    np.testing.assert_allclose(found.excess, [[0.5, 0.5]])
