"""What comes in over a day, at any rate, in any order: bounded memory, no NaN, no exception."""

import sys
import time

import numpy as np
import pytest
from advisers import adviser

from liquid_mono3d_ros.liquid.trajectory_filter import FilterSettings, TrackFilter
from liquid_mono3d_ros.records import Health, State

SECOND = 1_000_000_000


@pytest.fixture(params=["liquid", "imm", "cv"])
def track_filter(request):
    network = adviser(loud=0.3) if request.param == "liquid" else None
    return TrackFilter(FilterSettings(filter=request.param, lag=3), adviser=network)


def size(track_filter):
    """Bytes in the arrays that the filter remembers."""
    seen, total, stack = set(), 0, [vars(track_filter)]
    while stack:
        thing = stack.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, np.ndarray):
            total += thing.nbytes
        elif isinstance(thing, dict):
            stack += thing.values()
        elif isinstance(thing, (list, tuple)):
            stack += thing
            total += sys.getsizeof(thing)
        elif hasattr(thing, "__dataclass_fields__"):
            stack += [getattr(thing, name) for name in thing.__dataclass_fields__]
    return total


def check(update):
    for t in update.now.trajectories:
        assert np.isfinite(t.xyz).all()
        assert np.isfinite(t.velocity).all()
        scale = np.sqrt(np.diag(t.covariance))
        assert (scale > 0).all()
        assert np.linalg.eigvalsh(t.covariance / scale / scale[:, None])[0] > -1e-6


@pytest.mark.parametrize("gap", [1, 3600])
def test_a_gap(track_filter, make_points, gap):
    for k in range(10):
        track_filter.update(make_points(k * SECOND // 30, [[0.1 * k, 0, 0]]))
    for k in range(5):
        stamp = (9 * SECOND) // 30 + gap * SECOND + k * SECOND // 30
        update = track_filter.update(make_points(stamp, [[0.9 + 3.0 * (gap == 1), 0, 0]]))
        check(update)
    last = update.now.trajectories[0]
    assert last.state == State.CONFIRMED
    assert abs(last.xyz[0] - (3.9 if gap == 1 else 0.9)) < 0.2


def test_a_thousand_measurements_a_second(track_filter, make_points):
    rng = np.random.default_rng(0)
    for k in range(1000):
        z = [[2.0 * k / 1000, 0, 0] + rng.normal(size=3) * 0.02]
        update = track_filter.update(make_points(k * SECOND // 1000, z))
    check(update)
    last = update.now.trajectories[0]
    np.testing.assert_allclose(last.xyz, [2.0, 0, 0], atol=0.03)
    assert Health.REINITIALISED not in last.health


def test_ten_thousand_tracks(make_points):
    track_filter = TrackFilter(FilterSettings(lag=0, horizon=0.0))
    rng = np.random.default_rng(1)
    xyz = rng.normal(size=(10_000, 3)) * 100
    for k in range(3):
        update = track_filter.update(make_points(k * SECOND // 30, xyz))
    assert len(update.now) == 10_000
    P = np.array([t.covariance for t in update.now.trajectories])
    assert np.isfinite(P).all()


def test_a_day_of_stamps_takes_no_memory(track_filter, make_points):
    """Sparse: a burst every twelve minutes, each of a new object, and the old ones forgotten."""
    rng, sizes = np.random.default_rng(2), []
    for burst in range(120):
        start = 1_700_000_000 * SECOND + burst * 720 * SECOND
        for k in range(6):
            z = rng.normal(size=(1, 3)) * 0.02
            update = track_filter.update(make_points(start + k * SECOND // 30, z, ids=[burst]))
        check(update)
        sizes.append(size(track_filter))
    assert len(update.now) == 1
    assert max(sizes[60:]) <= max(sizes[:60])
    assert track_filter.dropped == {}


def test_outliers_duplicates_and_late_points(track_filter, make_points):
    rng = np.random.default_rng(3)
    for k in range(200):
        z = rng.normal(size=(2, 3)) * 0.02 + [[0, 0, 0], [5, 5, 5]]
        if rng.random() < 0.1:
            z[0] += rng.normal(size=3) * 10.0 ** rng.uniform(0, 6)
        stamp = (k - int(rng.random() < 0.1) * 3) * SECOND // 30
        update = track_filter.update(make_points(stamp, z))
        if rng.random() < 0.1:
            update = track_filter.update(make_points(stamp, z))
        check(update)
    assert track_filter.dropped == {}, "late points found their places"
    assert len(update.now) == 2


def test_late_points_of_many_tracks_take_bounded_memory(make_points):
    track_filter = TrackFilter(FilterSettings(lag=0, horizon=0.0))
    rng, sizes = np.random.default_rng(4), []
    xyz = rng.normal(size=(300, 3)) * 100
    for k in range(60):
        stamp = (k - 5 * (k % 10 == 9)) * SECOND // 30
        update = track_filter.update(make_points(stamp, xyz))
        sizes.append(size(track_filter))
    assert len(update.now) == 300
    assert track_filter.dropped == {}
    assert max(sizes[40:]) <= 1.05 * max(sizes[20:40])


@pytest.mark.slow
def test_ten_thousand_tracks_cost_no_more_each_than_a_thousand(track_filter, make_points):
    rng, cost = np.random.default_rng(5), {}
    for n in (1_000, 10_000):
        track_filter.reset()
        xyz = rng.normal(size=(n, 3)) * 100
        times = []
        for k in range(4):
            points, begun = make_points(k * SECOND // 30, xyz), time.process_time()
            update = track_filter.update(points)
            times.append(time.process_time() - begun)
        assert len(update.now) == n
        cost[n] = min(times[1:]) / n
        states = np.array([t.xyz for t in update.now.trajectories])
        assert np.isfinite(states).all()
        P = np.array([t.covariance for t in update.now.trajectories])
        assert np.isfinite(P).all()
    assert cost[10_000] < 6 * cost[1_000], "a cost that grows with the square would be 10"


@pytest.mark.slow
def test_a_whole_day_without_end(make_points):
    """One object seen every five seconds, with an hour's pause at noon; another now and then."""
    settings = FilterSettings(coast_time=12.0, late_window=20.0)
    track_filter, rng, sizes = TrackFilter(settings), np.random.default_rng(6), []
    start = 1_700_000_000 * SECOND
    for second in range(0, 86_400, 5):
        if 43_200 <= second < 46_800:
            continue
        angle = second * 2 * np.pi / 3600
        z = [[np.cos(angle), np.sin(angle), 1.0], [9.0, 9.0, 9.0]][: 1 + (second % 60 < 15)]
        z = np.array(z) + rng.normal(size=(len(z), 3)) * 0.02
        ids = [0, 1 + second // 60][: len(z)]
        update = track_filter.update(make_points(start + second * SECOND, z, ids=ids))
        if second % 1800 == 900:
            check(update)
            sizes.append(size(track_filter))
    first = next(t for t in update.now.trajectories if t.track_id == 0)
    assert first.state == State.CONFIRMED
    assert max(sizes[20:]) <= 1.05 * max(sizes[:20])
    assert track_filter.dropped == {}
