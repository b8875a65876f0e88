import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liquid_mono3d_ros.liquid.experts import (
    RegretRecord,
    forgotten,
    regret_bound,
    share,
    weigh,
)

part = st.sampled_from([0.0, 1e-4, 0.01, 0.3, 1.0])
loss = st.floats(-50, 50) | st.floats(-1e4, 1e4)


@st.composite
def games(draw, steps=8, experts=3):
    e = draw(st.integers(1, experts))
    t = draw(st.integers(1, steps))
    losses = draw(st.lists(st.lists(loss, min_size=e, max_size=e), min_size=t, max_size=t))
    return np.array(losses), draw(part)


def play(losses, given_away):
    """Loss of the mixture at each step, and the record of the whole game."""
    e = losses.shape[1]
    log_w, record, own = np.full(e, -np.log(e)), RegretRecord.begin((), e), []
    for k, now in enumerate(losses):
        given = given_away if k else 0.0
        log_w, mixture = weigh(share(log_w, given), now)
        record = record.add(now, mixture, given)
        own.append(mixture)
    return np.array(own), record


@settings(max_examples=300, deadline=None)
@given(games())
def test_the_mixture_is_never_much_worse_than_the_best_expert(game):
    losses, given_away = game
    if given_away == 1.0 and losses.shape[1] == 1:
        given_away = 0.5
    own, record = play(losses, given_away)
    bound = regret_bound(losses.shape[1], len(losses), 0, given_away)
    slack = 1e-9 * (1 + np.abs(losses).sum())
    assert own.sum() - losses.sum(axis=0).min() <= bound + slack
    np.testing.assert_allclose(record.mixture, own.sum(), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(record.losses, losses.sum(axis=0), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(record.bound, bound, rtol=1e-9)
    assert record.regret <= record.bound + slack


@settings(max_examples=200, deadline=None)
@given(games(steps=6))
def test_nor_than_the_best_sequence_of_experts(game):
    losses, given_away = game
    total, slack = play(losses, given_away)[0].sum(), 1e-9 * (1 + np.abs(losses).sum())
    steps, e = losses.shape
    for sequence in itertools.product(range(e), repeat=steps):
        switches = sum(a != b for a, b in itertools.pairwise(sequence))
        best = losses[np.arange(steps), sequence].sum()
        assert total - best <= regret_bound(e, steps, switches, given_away) + slack


def test_the_bound_is_reached_so_it_is_no_boast():
    """With one expert perfect and the others hopeless, all of log E is lost."""
    losses = np.array([[0.0, 1e6, 1e6]] * 5)
    own, _ = play(losses, 0.0)
    np.testing.assert_allclose(own.sum(), np.log(3.0))
    own, _ = play(losses, 0.1)
    np.testing.assert_allclose(own.sum(), regret_bound(3, 5, 0, 0.1))
    switching = np.array([[0.0, 1e6]] * 3 + [[1e6, 0.0]] * 3)
    own, _ = play(switching, 0.1)
    np.testing.assert_allclose(own.sum(), regret_bound(2, 6, 1, 0.1))


def test_two_equal_experts_are_one():
    own, _ = play(np.array([[3.0, 3.0], [1.0, 1.0]]), 0.2)
    np.testing.assert_allclose(own, [3.0, 1.0])


def test_sharing_keeps_the_sum_and_equals_out():
    log_w = np.log([[0.98, 0.01, 0.01], [0.2, 0.3, 0.5]])
    shared = np.exp(share(log_w, np.array([0.3, 1.0])))
    np.testing.assert_allclose(shared.sum(axis=1), 1.0)
    np.testing.assert_allclose(shared[0], [0.786, 0.107, 0.107])
    np.testing.assert_allclose(shared[1], 1 / 3)


def test_what_is_forgotten_does_not_depend_on_the_rate_of_the_steps():
    assert forgotten(0.1, 0.0) == 0
    assert 1 - forgotten(0.1, 2.0) == pytest.approx((1 - forgotten(0.1, 0.5)) ** 4)


def test_without_sharing_no_switch_is_affordable():
    assert regret_bound(3, 10, 1, 0.0) == np.inf
