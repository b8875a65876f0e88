"""Points that come late: the same as if they had come in time."""

from itertools import pairwise

import numpy as np
import pytest
from advisers import adviser

from liquid_mono3d_ros.liquid.replay import MOMENTS, MOST
from liquid_mono3d_ros.liquid.trajectory_filter import FilterSettings, TrackFilter
from liquid_mono3d_ros.records import State

SECOND = 1_000_000_000
STEP = SECOND // 30
START = 1_700_000_000_123_456_789


def make(kind, **options):
    network = adviser(loud=0.3) if kind == "liquid" else None
    return TrackFilter(FilterSettings(filter=kind, **options), adviser=network)


@pytest.fixture(params=["liquid", "imm", "cv"])
def kind(request):
    return request.param


def instants(make_points, n=60, seed=0, slow=0.0):
    """Two tracks that wind about, one of them not always seen; a third begins half way."""
    rng, found = np.random.default_rng(seed), []
    for k in range(n):
        t = k / 30
        xyz = np.array([[t, np.sin(3 * t), 0], [0, 2 - t, np.cos(2 * t)], [5, t, 5]])
        ids = [i for i in range(3) if (i != 1 or rng.random() < 0.7) and (i != 2 or k >= n // 2)]
        z = xyz[ids] + rng.normal(size=(len(ids), 3)) * 0.02
        fields = {"systematic_covariance": np.tile(np.eye(3) * slow**2, (len(ids), 1, 1))}
        fields = fields if slow else {}
        found.append(make_points(START + k * STEP, z, ids=ids, **fields))
    return found


def delayed(points, rng, most=8, share=0.3):
    """Return the instants with some of them up to ``most`` places later than they should."""
    place = np.arange(len(points)) + (rng.random(len(points)) < share) * rng.integers(
        1, most + 1, len(points)
    )
    place[-1] = len(points) + most  # the newest last, so that both end alike
    return [points[k] for k in np.argsort(place + 1e-3 * np.arange(len(points)))]


def same(one, other, atol=1e-9):
    """Compare what is told of every track."""
    assert one.stamp == other.stamp
    assert [t.track_id for t in one.trajectories] == [t.track_id for t in other.trajectories]
    for a, b in zip(one.trajectories, other.trajectories, strict=True):
        for name in ("stamp", "state", "measured", "health", "last_measured", "num_cameras"):
            assert getattr(a, name) == getattr(b, name), name
        for name in ("xyz", "velocity", "covariance", "persistence"):
            np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=0, atol=atol)
        for p, q in zip(a.predictions, b.predictions, strict=True):
            np.testing.assert_allclose(p.xyz, q.xyz, rtol=0, atol=atol)


@pytest.mark.parametrize("seed", range(3))
def test_late_points_are_as_good_as_timely_ones(make_points, kind, seed):
    points = instants(make_points, n=40, seed=seed, slow=0.01 * (seed == 1))
    straight, mixed = make(kind, lag=3), make(kind, lag=3)
    expected = [straight.update(one) for one in points]
    order = delayed(points, np.random.default_rng(seed + 10))
    assert any(a.stamp > b.stamp for a, b in pairwise(order))
    updates = [mixed.update(one) for one in order]
    same(updates[-1].now, expected[-1].now)
    assert (mixed.dropped, mixed.epoch) == ({}, 0)
    # The smoothed states of the last instants are the same too, and none is given out twice.
    given = {lot.stamp: lot for update in updates for lot in update.lagged}
    assert len(given) == sum(len(update.lagged) for update in updates)
    same(given[points[-4].stamp], expected[-1].lagged[0])
    # Once everything has come, both go on alike.
    extra = make_points(START + 40 * STEP, [[1.3, 0, 0]], ids=[0])
    same(mixed.update(extra).now, straight.update(extra).now)


def test_the_answer_is_that_of_the_newest_stamp(make_points, kind):
    points, track_filter = instants(make_points, n=30), make(kind)
    for one in points[:20] + points[21:]:
        track_filter.update(one)
    before = track_filter.predict(points[-1].stamp)
    update = track_filter.update(points[20])
    assert update.now.stamp == points[-1].stamp
    assert track_filter.newest == points[-1].stamp
    assert not np.array_equal(update.now.trajectories[0].xyz, before.trajectories[0].xyz)


def test_a_late_duplicate_adds_to_its_own_stamp(make_points, kind):
    points, more = instants(make_points, n=30), make_points(START + 20 * STEP, [[0.7, 0.9, 0]])
    straight, mixed = make(kind), make(kind)
    for one in [*points[:21], more, *points[21:]]:
        expected = straight.update(one)
    for one in points:
        mixed.update(one)
    same(mixed.update(more).now, expected.now)


def test_points_older_than_the_first_are_put_before_it(make_points, kind):
    points = instants(make_points, n=10)
    straight, mixed = make(kind), make(kind)
    for one in points:
        expected = straight.update(one)
    for one in [*points[3:], *points[:3]]:
        update = mixed.update(one)
    same(update.now, expected.now)


def test_a_track_that_was_dropped_stays_dropped(make_points, kind):
    points = instants(make_points, n=30)
    straight, mixed = make(kind), make(kind)
    for track_filter, order in ((straight, points), (mixed, points[:22] + points[23:])):
        for k, one in enumerate(order):
            if one.stamp == points[26].stamp:
                track_filter.drop(0)
            expected = track_filter.update(one)
            assert k < 30
    same(mixed.update(points[22]).now, straight.predict(points[-1].stamp))
    assert expected.now.stamp == points[-1].stamp


def test_history_comes_when_a_late_point_confirms_a_track(make_points, kind):
    track_filter = make(kind, confirm_measurements=3, confirm_window=6)
    seen = [[0.0, 0, 0]], [[0.1, 0, 0]], [[0.2, 0, 0]], (), ()
    points = [make_points(START + k * STEP, z, ids=[7] * len(z)) for k, z in enumerate(seen)]
    updates = [track_filter.update(one) for one in [*points[:2], *points[3:]]]
    assert {t.state for u in updates for t in u.now.trajectories} == {State.TENTATIVE}
    update = track_filter.update(points[2])
    assert [t.state for t in update.now.trajectories] == [State.COASTING]
    assert [t.stamp for t in update.history] == [points[k].stamp for k in range(3)]
    assert {t.state for t in update.history} == {State.CONFIRMED}


def test_a_track_that_ends_in_the_repetition_is_said_to_end(make_points, kind):
    """One update more since birth: the unconfirmed track is over before the newest stamp."""
    track_filter = make(kind, confirm_measurements=3, confirm_window=4)
    seen = [[0, 0, 0]], (), (), (), ()
    points = [make_points(START + k * STEP, z, ids=[7] * len(z)) for k, z in enumerate(seen)]
    for one in (points[0], points[2], points[3]):
        update = track_filter.update(one)
    assert [t.state for t in update.now.trajectories] == [State.TENTATIVE]
    update = track_filter.update(points[1])
    ended = update.now.trajectories
    assert [(t.track_id, t.state, t.stamp) for t in ended] == [(7, State.DELETED, points[3].stamp)]
    assert len(track_filter.update(points[4]).now) == 0


def test_points_too_late_are_dropped_and_counted(make_points):
    """At 1 kHz half a second is more than may be repeated at once."""
    track_filter = make("imm", late_window=0.5)
    for k in range(400):
        update = track_filter.update(make_points(START + k * SECOND // 1000, [[0, 0, 0]]))
    before = update.now.trajectories[0].xyz
    update = track_filter.update(make_points(START, np.ones((2, 3))))
    assert track_filter.dropped == {"late": 2}
    np.testing.assert_array_equal(update.now.trajectories[0].xyz, before)
    track_filter.update(make_points(START + 390 * SECOND // 1000, [[0, 0, 0]]))
    assert track_filter.dropped == {"late": 2}


@pytest.mark.parametrize("rate", [10, 100, 1000])
def test_what_is_kept_is_bounded(make_points, rate):
    track_filter = make("imm", late_window=0.5, horizon=0.0)
    most = 0
    for k in range(400):
        track_filter.update(make_points(START + k * SECOND // rate, [[0, 0, 0]]))
        segments = track_filter._recent.segments
        assert len(segments) <= MOMENTS + 2
        most = max(most, sum(len(one.events) for one in segments))
        reach = START + k * SECOND // rate - (segments[0].before.stamp or START)
        assert k < 200 or reach >= min(SECOND // 2, MOST * SECOND // rate)
    assert most <= MOST + MOST // MOMENTS


def test_without_a_window_nothing_is_kept_and_every_step_back_resets(make_points):
    track_filter = make("imm", late_window=0.0)
    for k in range(20):
        track_filter.update(make_points(START + k * STEP, [[0, 0, 0]]))
    assert not track_filter._recent.segments[0].events
    track_filter.update(make_points(START, [[0, 0, 0]]))
    assert track_filter.dropped == {"backward_reset": 1}
