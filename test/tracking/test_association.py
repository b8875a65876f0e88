from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from liquid_mono3d_ros.tracking.association import Pairs, assign, miss_cost, pair_up
from liquid_mono3d_ros.tracking.motion import Motion


def round_motion(centres: list[tuple[float, float]], sigma: list[float]) -> Motion:
    """Tracks of which both kinds agree, with the given error of the position, px."""
    x, p = np.zeros((4, 2, len(sigma))), np.zeros((3, 2, len(sigma)))
    x[:2] = np.array(centres).T[:, None]
    p[0] = np.square(sigma)
    return Motion(x, p, np.full(len(sigma), 0.1))


def all_pairs(cost: np.ndarray) -> Pairs:
    rows, columns = np.nonzero(np.isfinite(cost))
    return rows, columns, cost[rows, columns]


def test_a_pair_costs_minus_two_log_of_the_mixed_density() -> None:
    tracks = round_motion([(10.0, 20.0), (14.0, 21.0)], [2.0, 3.0])
    tracks.x[0, 1] += 5.0
    tracks.p[0, 1] *= 4.0
    uv, sigma = np.array([[11.0, 19.0], [15.0, 22.0], [900.0, 22.0]]), np.array([1.0, 2.0, 1.0])
    rows, columns, cost = pair_up(tracks, uv, sigma, gate_probability=1 - 1e-9)
    assert sorted(zip(rows.tolist(), columns.tolist(), strict=True)) == [
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
    ]
    for i, j, value in zip(rows, columns, cost, strict=True):
        density = sum(
            share
            * multivariate_normal(
                tracks.x[:2, kind, i], (tracks.p[0, kind, i] + sigma[j] ** 2) * np.eye(2)
            ).pdf(uv[j])
            for kind, share in ((0, 0.9), (1, 0.1))
        )
        assert np.isclose(value, -2 * np.log(density))


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_gate_passes_its_share_of_true_pairs(share: float, rng: np.random.Generator) -> None:
    uv = rng.normal(0, np.sqrt(5.0), (20000, 2))  # S = (4 + 1) I
    rows, _, _ = pair_up(
        round_motion([(0, 0)], [2.0]), uv, np.ones(len(uv)), gate_probability=share
    )
    assert abs(len(rows) / len(uv) - share) < 0.01


def test_a_sure_track_wins_over_an_uncertain_one_that_is_nearer() -> None:
    tracks = round_motion([(0.0, 0.0), (3.0, 0.0)], [1.0, 50.0])
    pairs = pair_up(tracks, np.array([[2.0, 0.0]]), np.ones(1), gate_probability=0.999)
    assert len(pairs[0]) == 2
    rows, columns = assign(pairs, miss_cost(np.full(2, 0.9), 1e-6))
    assert rows.tolist() == [0]
    assert columns.tolist() == [0]


def test_miss_cost_is_where_pairing_and_not_pairing_are_as_likely() -> None:
    detected, density = np.array([0.8, 0.05]), 1e-5
    pair = detected * np.exp(-miss_cost(detected, density) / 2)
    assert np.allclose(pair, (1 - detected) * density)


def best_by_search(cost: np.ndarray, limit: np.ndarray) -> float:
    n, m = cost.shape
    best = np.inf
    for size in range(min(n, m) + 1):
        for rows in itertools.combinations(range(n), size):
            for columns in itertools.permutations(range(m), size):
                out = np.delete(limit, rows).sum()
                best = min(best, cost[list(rows), list(columns)].sum() + out)
    return best


@pytest.mark.parametrize(("n", "m"), [(3, 3), (2, 4), (4, 2), (1, 1)])
def test_assignment_is_the_best_of_all(n: int, m: int, rng: np.random.Generator) -> None:
    for _ in range(30):
        cost, limit = rng.uniform(0, 10, (n, m)), rng.uniform(2, 8, n)
        cost[rng.random((n, m)) < 0.4] = np.inf
        rows, columns = assign(all_pairs(cost), limit)
        total = cost[rows, columns].sum() + np.delete(limit, rows).sum()
        assert np.isclose(total, best_by_search(cost, limit))
        assert len(set(rows.tolist())) == len(set(columns.tolist())) == len(rows)
        assert (cost[rows, columns] < limit[rows]).all()


@pytest.mark.parametrize(("n", "m"), [(0, 0), (0, 3), (3, 0)])
def test_nothing_to_pair(n: int, m: int) -> None:
    tracks = (
        round_motion([(0.0, 0.0)] * n, [1.0] * n)
        if n
        else Motion(np.zeros((4, 2, 0)), np.zeros((3, 2, 0)), np.zeros(0))
    )
    pairs = pair_up(tracks, np.zeros((m, 2)), np.ones(m), gate_probability=0.999)
    rows, columns = assign(pairs, np.full(n, 5.0))
    assert len(rows) == len(columns) == 0
