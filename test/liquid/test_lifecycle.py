from dataclasses import replace

import numpy as np
import pytest

from liquid_mono3d_ros.liquid.lifecycle import (
    LifeRules,
    Witness,
    advance,
    enter,
    grow_older,
    new_lives,
    seen_today,
)
from liquid_mono3d_ros.liquid.rows import ALL
from liquid_mono3d_ros.records import Health, State

RULES = LifeRules(confirm_measurements=3, confirm_window=5, coast_time=10, rejections=4)


def witness(stamp, n=1):
    return Witness(stamp, np.zeros(n, np.int64), np.full(n, 2))


def live(measured, gated=()):
    """States of one track measured, or not, at stamps 0, 1, 2, …; the first is its birth."""
    lives = advance(new_lives(np.array([7], np.uint64), witness(0)), RULES, 0)
    states = [State(lives.state[0])]
    for stamp, seen in enumerate(measured[1:], start=1):
        lives = grow_older(lives)
        if seen:
            lives = enter(lives, ALL, witness(stamp), np.array([stamp in gated]))
        lives = advance(lives, RULES, stamp)
        states.append(State(lives.state[0]))
    return states


T, C, CO, D = State.TENTATIVE, State.CONFIRMED, State.COASTING, State.DELETED


@pytest.mark.parametrize(
    ("measured", "states"),
    [
        ([1, 1, 1, 1], [T, T, C, C]),
        ([1, 0, 1, 0, 1], [T, T, T, T, C]),
        ([1, 0, 0, 1, 0], [T, T, T, T, D]),
        ([1, 1, 1, 0, 1], [T, T, C, CO, C]),
        ([1, 1, 1] + 10 * [0], [T, T, C] + 10 * [CO]),
        ([1, 1, 1] + 11 * [0], [T, T, C] + 10 * [CO] + [D]),
    ],
)
def test_life_of_a_track(measured, states):
    assert live(measured) == states


def test_a_gated_measurement_confirms_nothing():
    assert live([1, 1, 1], gated={1}) == [T, T, T]


def test_enter_writes_only_the_chosen_rows():
    lives = new_lives(np.array([3, 4], np.uint64), witness(0, 2))
    seen = Witness(5, np.array([int(Health.EXTRAPOLATED)]), np.array([3]))
    after = enter(lives, np.array([1]), seen, np.array([True]))
    assert after.last_measured.tolist() == [0, 5]
    assert after.num_cameras.tolist() == [2, 3]
    assert after.rejected.tolist() == [0, 1]
    assert after.health.tolist() == [0, Health.EXTRAPOLATED | Health.GATED]
    again = enter(after, np.array([1]), seen, np.array([False]))
    assert again.rejected.tolist() == [0, 0]
    assert again.hits.tolist() == [1, 2]


def test_the_past_is_told_with_what_is_known_today():
    then = new_lives(np.array([1, 2], np.uint64), witness(0, 2))
    today = then.put(np.array([0]), enter(then, ALL, witness(1, 2), np.zeros(2, bool)).take([0]))
    confirmed = advance(
        enter(
            enter(today, ALL, witness(1, 2), np.zeros(2, bool)),
            ALL,
            witness(1, 2),
            np.zeros(2, bool),
        ),
        RULES,
        1,
    )
    assert confirmed.state.tolist() == [C, C]
    assert seen_today(then, confirmed, 0).state.tolist() == [C, C]
    assert seen_today(then, confirmed, 9).state.tolist() == [CO, CO]
    assert seen_today(then, then, 0).state.tolist() == [T, T]


def test_a_miss_is_counted_until_the_next_measurement():
    lives = grow_older(grow_older(new_lives(np.array([1], np.uint64), witness(0))))
    assert (lives.missed.tolist(), lives.surprise.tolist()) == ([2], [0.0])
    lives = enter(lives, ALL, witness(2), np.array([True]), np.array([3.5]))
    assert (lives.missed.tolist(), lives.surprise.tolist()) == ([0], [3.5])


@pytest.mark.parametrize(
    ("said", "measured", "states"),
    [
        ([0.5, 0.7, 0.9, 0.9], [1, 1, 1, 1], [T, T, C, C]),
        ([0.5, 0.9, 0.1, 0.1], [1, 1, 1, 1], [T, C, C, C]),  # confirmed once is enough
        ([0.5, 0.7, 0.9, 0.9], [1, 1, 0, 1], [T, T, T, C]),  # at a measurement only
        ([0.5] * 5, [1, 1, 1, 1, 1], [T, T, T, T, C]),  # even chances, at the window's end
        ([0.5] + [0.4] * 5 + [0.6], [1] * 7, [T] * 6 + [C]),  # doubt goes on
        ([0.5] + [0.4] * 24, [1] * 25, [T] * 24 + [C]),  # but not for ever
        ([0.5] + [0.4] * 12, [1] * 3 + 10 * [0], [T] * 13),
        ([0.5] + [0.4] * 13, [1] * 3 + 11 * [0], [T] * 13 + [D]),
        ([0.5] + [0.7] * 4, [1, 0, 0, 1, 1], [T, T, T, T, C]),
        ([0.5] + [0.7] * 4, [1, 0, 0, 0, 1], [T, T, T, T, D]),
        ([np.nan] * 4, [1, 1, 1, 1], [T, T, C, C]),  # not judged: counted
    ],
)
def test_life_of_a_judged_track(said, measured, states):
    rules = replace(RULES, certainty=0.8)
    lives, found = new_lives(np.array([7], np.uint64), witness(0)), []
    for stamp, (persistence, seen) in enumerate(zip(said, measured, strict=True)):
        if stamp:
            lives = grow_older(lives)
            if seen:
                lives = enter(lives, ALL, witness(stamp), np.array([False]))
        lives = advance(replace(lives, persistence=np.array([persistence])), rules, stamp)
        found.append(State(lives.state[0]))
    assert found == states
