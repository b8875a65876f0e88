import dataclasses
import json
import math

import numpy as np
import pytest

from liquid_mono3d_ros.liquid.lifecycle import JUDGED, Witness, enter, grow_older, new_lives
from liquid_mono3d_ros.liquid.persistence import (
    SIGNS,
    Judge,
    assess,
    load_judge,
    signs,
)
from liquid_mono3d_ros.liquid.rnn.running import CellDesign, RunningStep
from liquid_mono3d_ros.liquid.rnn.weights import read_weights, write_weights
from liquid_mono3d_ros.liquid.rows import ALL
from liquid_mono3d_ros.liquid.trajectory_filter import FilterSettings, TrackFilter
from liquid_mono3d_ros.records import State

STEP = 33_333_333


@pytest.fixture
def judge():
    """Weights that nobody trained."""
    rng, units = np.random.default_rng(0), 6
    weights = {
        "W": rng.normal(0, 0.5, (2 * units, len(SIGNS))),
        "U": rng.normal(0, 0.5, (2 * units, units)),
        "b": rng.normal(0, 0.5, 2 * units),
    }
    step = RunningStep(weights, CellDesign("adaptive", tau_min=0.01, tau_max=1.0))
    return Judge(step, rng.normal(size=units), 0.3)


def lives_of(n, units=0):
    return new_lives(
        np.arange(n, dtype=np.uint64), Witness(0, np.zeros(n, int), np.full(n, 3)), units
    )


def states_of(n):
    rng = np.random.default_rng(1)
    root = rng.normal(size=(n, 9, 9))
    return rng.normal(size=(n, 9)), root @ root.swapaxes(1, 2) + np.eye(9)


def test_what_is_heard_of_a_birth():
    x, P = np.zeros((1, 9)), np.eye(9)[None] * 0.0025
    heard = dict(zip(SIGNS, signs(lives_of(1), x, P, np.zeros(1))[0], strict=True))
    assert heard["seen"] == heard["share of hits"] == 1
    assert heard["gated"] == heard["missed"] == heard["surprise"] == heard["motion"] == 0
    assert heard["hits"] == heard["age"] == 0.25
    assert heard["cameras"] == 0.75
    assert heard["noise"] == pytest.approx(0.0, abs=1e-6)  # of 5 cm along each axis


def test_what_is_heard_of_a_surprise_and_of_a_miss():
    lives = enter(
        grow_older(lives_of(2)),
        np.array([0]),
        Witness(1, np.zeros(1, int), np.array([2])),
        np.array([True]),
        np.array([2.0]),
    )
    heard = signs(lives, *states_of(2), np.full(2, 0.03))
    column = {name: heard[:, k] for k, name in enumerate(SIGNS)}
    assert column["seen"].tolist() == [1, 0]
    assert column["gated"].tolist() == [1, 0]
    assert column["missed"].tolist() == [0, 0.25]
    assert column["cameras"].tolist() == [0.5, 0]
    assert column["share of hits"].tolist() == [0.5, 0.5]  # a gated one is no hit
    np.testing.assert_allclose(column["surprise"], [0.3 * math.log(33), 0], rtol=1e-6)
    np.testing.assert_allclose(column["time step"], 0, atol=1e-6)


def test_convention_nothing_heard_changes_when_the_world_turns():
    x, P = states_of(4)
    c, s = math.cos(1.1), math.sin(1.1)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array(
        [[1, 0, 0], [0, c, -s], [0, s, c]]
    )
    whole = np.kron(np.eye(3), turn)
    args = lives_of(4), np.full(4, 0.1)
    np.testing.assert_allclose(
        signs(args[0], x @ whole.T, whole @ P @ whole.T, args[1]),
        signs(args[0], x, P, args[1]),
        atol=1e-6,
    )


def test_without_a_judge_nothing_is_said():
    lives = lives_of(3)
    assert assess(None, lives, *states_of(3), 0.1) is lives
    assert np.isnan(lives.persistence).all()


def test_misses_are_evidence_and_time_counts(judge):
    lives = grow_older(lives_of(1, judge.units))
    x, P = states_of(1)
    soon, late = (assess(judge, lives, x, P, dt) for dt in (0.01, 0.5))
    seen = enter(lives, ALL, Witness(1, np.zeros(1, int), np.array([3])), np.array([False]))
    hit = assess(judge, seen, x, P, 0.01)
    answers = [float(one.persistence[0]) for one in (soon, late, hit)]
    assert len(set(answers)) == 3
    assert all(0 < answer < 1 for answer in answers)


def test_a_birth_has_no_time_behind_it(judge):
    """However long the stream was silent: nothing but the prior is known."""
    born = assess(judge, lives_of(1, judge.units), *states_of(1), 7.0)
    assert born.persistence[0] == pytest.approx(1 / (1 + math.exp(-0.3)))
    assert not born.hidden.any()


def test_an_old_track_keeps_its_answer(judge):
    lives = lives_of(3, judge.units)
    age = np.array([JUDGED, JUDGED + 1, 2])
    lives = dataclasses.replace(lives, age=age, persistence=np.array([0.1, 0.2, 0.3]))
    after = assess(judge, lives, *states_of(3), 0.1)
    assert after.persistence[1] == 0.2
    assert not after.hidden[1].any()
    assert (after.persistence != lives.persistence).tolist() == [True, False, True]
    alone = assess(judge, lives.take([0]), *(a[:1] for a in states_of(3)), 0.1)
    assert after.persistence[0] == pytest.approx(alone.persistence[0], abs=1e-6)


def test_what_is_saved_is_read(judge, tmp_path):
    path = tmp_path / "judge.safetensors"
    judge.notes["card"] = "mine"
    judge.save(path)
    again = Judge.load(path)
    assert again.notes["card"] == "mine"
    heard = np.random.default_rng(2).normal(size=(4, len(SIGNS))).astype(np.float32)
    hidden = np.zeros((4, judge.units), dtype=np.float32)
    for ours, theirs in zip(
        judge(heard, hidden, np.full(4, 0.1)), again(heard, hidden, np.full(4, 0.1)), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_the_shapes_must_fit(judge):
    with pytest.raises(ValueError, match="weights must be for 12 inputs and one answer"):
        Judge(judge.step, np.zeros(judge.units + 1), 0.0)


@pytest.mark.parametrize("fault", ["missing", "version", "nan", "cut", "part"])
def test_bad_weights_count_alone_and_say_why(judge, tmp_path, make_points, fault):
    path = tmp_path / "judge.safetensors"
    judge.save(path)
    arrays, notes = read_weights(path)
    if fault == "missing":
        path.unlink()
    elif fault == "version":
        write_weights(path, arrays, {**notes, "version": "persistence-0"})
    elif fault == "nan":
        write_weights(path, {**arrays, "head": arrays["head"] * np.float32(np.nan)}, notes)
    elif fault == "cut":
        path.write_bytes(path.read_bytes()[:-40])
    else:
        write_weights(path, {k: a for k, a in arrays.items() if k != "U"}, notes)
    assert load_judge(str(path))[0] is None
    settings = FilterSettings(confirm_by="persistence", persistence_weights=str(path))
    track_filter = TrackFilter(settings)
    assert "Tracks are confirmed by counting measurements alone" in track_filter.unjudged_reason
    states = []
    for k in range(4):
        now = track_filter.update(make_points(k * STEP, [[0.01 * k, 0, 0]])).now
        states.append(now.trajectories[0].state)
        assert math.isnan(now.trajectories[0].persistence)
    assert states == [State.TENTATIVE] * 2 + [State.CONFIRMED] * 2


@pytest.mark.weights
def test_the_packaged_judge_is_read_and_says_more_with_every_measurement(make_points):
    judge, reason = load_judge("")
    assert judge is not None, reason
    scores = json.loads(judge.notes["card"])["scores"]
    assert scores["right_share"] > scores["majority_share"]
    rng = np.random.default_rng(3)
    track_filter = TrackFilter(FilterSettings(confirm_by="persistence"))
    said, confirmed = [], []
    for k in range(8):
        xyz = np.array([[0.05 * k, 0.02 * k, 1.0]]) + rng.normal(0, 0.02, (1, 3))
        trajectory = track_filter.update(make_points(k * STEP, xyz)).now.trajectories[0]
        said.append(trajectory.persistence)
        confirmed.append(trajectory.state == State.CONFIRMED)
    assert said[0] == pytest.approx(0.5, abs=0.1)  # nothing is known yet
    assert said[7] > 0.95
    assert confirmed[7]
    assert confirmed.index(True) < 5


@pytest.mark.weights
def test_the_packaged_judge_doubts_what_was_seen_once(make_points):
    track_filter = TrackFilter(FilterSettings(confirm_by="persistence"))
    track_filter.update(make_points(0, [[0, 0, 0]]))
    states = [
        track_filter.update(make_points(k * STEP, np.zeros((0, 3)))).now.trajectories[0]
        for k in range(1, 5)
    ]
    assert states[1].persistence < 0.2
    assert [t.state for t in states] == [State.TENTATIVE] * 3 + [State.DELETED]
