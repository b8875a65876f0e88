from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from liquid_mono3d_ros.tracking.association import assign, likelihood_cost, miss_cost


def test_cost_is_minus_two_log_density() -> None:
    predicted = np.array([[10.0, 20.0], [30.0, 5.0]])
    covariance = np.array([[[4.0, 1.0], [1.0, 3.0]], [[9.0, -2.0], [-2.0, 5.0]]])
    uv = np.array([[11.0, 19.0], [29.0, 7.0], [12.0, 20.0]])
    sigma = np.array([1.0, 2.0, 0.5])
    cost = likelihood_cost(predicted, covariance, uv, sigma, gate_probability=1 - 1e-12)
    assert cost.shape == (2, 3)
    for i, j in ((0, 0), (0, 2), (1, 1)):
        S = covariance[i] + sigma[j] ** 2 * np.eye(2)
        assert np.isclose(cost[i, j], -2 * multivariate_normal(predicted[i], S).logpdf(uv[j]))


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_gate_passes_its_share_of_true_pairs(share: float, rng: np.random.Generator) -> None:
    uv = rng.multivariate_normal([0, 0], [[5.0, 2.0], [2.0, 3.0]], 20000)  # S = P + I
    covariance = np.array([[[4.0, 2.0], [2.0, 2.0]]])
    cost = likelihood_cost(
        np.zeros((1, 2)), covariance, uv, np.ones(len(uv)), gate_probability=share
    )
    assert abs(np.isfinite(cost).mean() - share) < 0.01


def test_a_sure_track_wins_over_an_uncertain_one_that_is_nearer() -> None:
    covariance = np.array([np.eye(2), 2500 * np.eye(2)])
    predicted = np.array([[0.0, 0.0], [3.0, 0.0]])
    cost = likelihood_cost(
        predicted, covariance, np.array([[2.0, 0.0]]), np.ones(1), gate_probability=0.999
    )
    rows, columns = assign(cost, miss_cost(0.9, 1e-6))
    assert rows.tolist() == [0]
    assert columns.tolist() == [0]


def test_miss_cost_is_where_pairing_and_not_pairing_are_as_likely() -> None:
    detected, density = 0.8, 1e-5
    pair = detected * np.exp(-miss_cost(detected, density) / 2)
    assert np.isclose(pair, (1 - detected) * density)


def total(cost: np.ndarray, pairs: list[tuple[int, int]], limit: float) -> float:
    return sum(cost[i, j] for i, j in pairs) + limit * (min(cost.shape) - len(pairs))


def best_by_search(cost: np.ndarray, limit: float) -> float:
    n, m = cost.shape
    best = np.inf
    for size in range(min(n, m) + 1):
        for rows in itertools.combinations(range(n), size):
            for columns in itertools.permutations(range(m), size):
                best = min(best, total(cost, list(zip(rows, columns, strict=True)), limit))
    return best


@pytest.mark.parametrize(("n", "m"), [(3, 3), (2, 4), (4, 2), (1, 1)])
def test_assignment_is_the_best_of_all(n: int, m: int, rng: np.random.Generator) -> None:
    for _ in range(20):
        cost = rng.uniform(0, 10, (n, m))
        cost[rng.random((n, m)) < 0.2] = np.inf
        rows, columns = assign(cost, 5.0)
        pairs = list(zip(rows.tolist(), columns.tolist(), strict=True))
        assert np.isclose(total(cost, pairs, 5.0), best_by_search(cost, 5.0))
        assert (cost[rows, columns] < 5.0).all()


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_nothing_to_assign(shape: tuple[int, int]) -> None:
    rows, columns = assign(np.zeros(shape), 5.0)
    assert len(rows) == len(columns) == 0
