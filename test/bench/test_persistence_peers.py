import numpy as np
import pytest

from liquid_mono3d_ros.bench.persistence_peers import (
    PEERS,
    count,
    existence,
    fit_odds,
    mixed,
    recent,
    rules,
    track_score,
    tune,
)
from liquid_mono3d_ros.bench.persistence_runs import Watched

INF = np.inf


def seen_as(*rows):
    return np.array([[c == "1" for c in row] for row in rows])


def watched_as(*rows, log_density=0.0, d2=0.0, lasting=None):
    seen = seen_as(*rows)
    empty = np.zeros((*seen.shape, 0), dtype=np.float32)
    density = np.where(seen, log_density, 0.0)
    lasting = np.ones(len(seen), dtype=bool) if lasting is None else np.array(lasting)
    return Watched(empty, np.full(seen.shape, 0.1), seen, density, seen * d2, empty, lasting)


@pytest.mark.parametrize(
    ("rule", "updates"),
    [
        ((1, 1, True), [1, 1, 1, 1]),
        ((2, 2, True), [2, 5, INF, 6]),
        ((2, 2, False), [2, 5, INF, 6]),
        ((3, 4, True), [3, 6, INF, 7]),
        ((3, 5, True), [3, 5, INF, 7]),
        ((3, 5, False), [3, 5, INF, INF]),  # three of the first five, or begin anew
    ],
)
def test_count(rule, updates):
    seen = seen_as("1111111", "1001111", "1001001", "1000111")
    assert count(seen, rule).tolist() == updates


def test_recent_counts_the_last_updates():
    np.testing.assert_array_equal(recent(seen_as("1101"), 2), [[1, 2, 1, 1]])


def test_rules_are_all_of_them():
    assert len(rules()) == len(set(rules())) == 72


def test_existence_by_hand():
    values = {"vanish": 0.1, "miss": 0.2, "density": 0.5, "prior": 1.0}
    near = watched_as("110", d2=-2 * np.log(0.9))
    here = existence(near, {**values, "density": 0.225})
    found = existence(watched_as("110", log_density=np.log(2.0)), values, by_density=True)
    np.testing.assert_allclose(here, found)  # both four times as likely of an object
    p = 0.9 * 0.5
    odds = p / (1 - p) * (0.2 + 0.8 * 2.0 / 0.5)
    then = 0.9 * odds / (1 + odds)
    last = then / (1 - then) * 0.2
    np.testing.assert_allclose(found, [[0, np.log(odds), np.log(last)]])


def test_track_score_by_hand():
    values = {"miss": 0.2, "still": 0.4, "density": 0.5, "weight": 0.5, "floor": 1.0}
    found = track_score(watched_as("1100", d2=-2 * np.log(0.9)), {**values, "density": 0.225})
    hit, miss = np.log(2.0) + 0.5 * np.log(4.0), np.log(0.2 / 0.6)
    np.testing.assert_allclose(found, [[0, hit, hit + miss, max(hit + 2 * miss, -1.0)]])


def test_a_coin_between_two_rules_reaches_the_rate():
    lasting = np.array([True] * 2 + [False] * 4)
    at = {
        (1, 1, True): np.array([1, 1, 1, 1, 1, 1.0]),
        (2, 2, True): np.array([1, 2, 2, 2, INF, INF]),
        (3, 3, True): np.array([3, 3, INF, INF, INF, INF]),
    }
    careful, bold, chance = mixed(at, lasting, 0.25, lambda waits: waits.mean())
    assert (careful, bold, chance) == ((3, 3, True), (2, 2, True), 0.5)
    careful, _, chance = mixed(at, lasting, 0.0, lambda waits: waits.mean())
    assert (careful, chance) == ((3, 3, True), 1.0)


def test_a_rate_that_no_rule_reaches_gets_the_nearest():
    at = {(1, 1, True): np.array([1.0, 1.0]), (2, 2, True): np.array([2.0, 2.0])}
    found = mixed(at, np.array([True, False]), 0.1, lambda waits: waits.mean())
    assert found == ((1, 1, True), (1, 1, True), 1.0)


def test_the_search_makes_small_what_it_is_given():
    one = watched_as("1100", "1010")
    found = tune(one, lambda score: float(abs(score[0, -1] - 1.5)), ["sprt"])
    assert track_score(one, found["sprt"])[0, -1] == pytest.approx(1.5, abs=0.02)
    assert set(found["sprt"]) == set(PEERS["sprt"].space)


def test_regression_finds_the_odds_that_were_drawn():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20000, 2))
    truth = rng.random(20000) < 1 / (1 + np.exp(-(X @ [1.0, -2.0] + 0.5)))
    np.testing.assert_allclose(fit_odds(X, truth), [1.0, -2.0, 0.5], atol=0.1)
