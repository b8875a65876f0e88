import copy
import itertools
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liquid_mono3d_ros.liquid.design import design_filter
from liquid_mono3d_ros.liquid.motion import stay_or_switch, transition
from liquid_mono3d_ros.liquid.trajectory_filter import FilterSettings, TrackFilter
from liquid_mono3d_ros.records import FilterKind, Health, Sighting, State

STEP = 33_333_333
START = 1_700_000_000_123_456_789


def feed(track_filter, make_points, path, *, start=START, step=STEP, **fields):
    """Update with positions (T, N, 3); return every update."""
    return [
        track_filter.update(make_points(start + k * step, xyz, **fields))
        for k, xyz in enumerate(path)
    ]


def straight(rng, T, n=1, speed=2.0, dt=1 / 30):
    """Lines from anywhere to anywhere, (T, N, 3) m."""
    velocity = rng.normal(size=(n, 3)) * speed
    return rng.normal(size=(n, 3)) + np.arange(T)[:, None, None] * dt * velocity


def nees(trajectory, xyz, velocity):
    """Normalised estimation error squared of position and velocity, over its expectation."""
    e = np.concatenate((trajectory.xyz - xyz, trajectory.velocity - velocity))
    return e @ np.linalg.solve(trajectory.covariance, e) / 6


# Accuracy


def test_a_straight_line_is_found(make_points):
    rng = np.random.default_rng(0)
    truth = straight(rng, 60)
    updates = feed(TrackFilter(FilterSettings()), make_points, truth)
    last = updates[-1].now.trajectories[0]
    velocity = (truth[-1, 0] - truth[0, 0]) / (59 / 30)
    np.testing.assert_allclose(last.xyz, truth[-1, 0], atol=1e-3)
    np.testing.assert_allclose(last.velocity, velocity, atol=2e-2)
    assert last.filter == FilterKind.IMM
    assert last.num_cameras == 2
    assert last.health == Health.GOOD
    assert last.persistence > 0.95


@pytest.mark.parametrize("kind", ["imm", "cv"])
def test_covariance_is_honest_when_objects_move_as_the_models_say(make_points, kind):
    options = FilterSettings(filter=kind, horizon=0, lag=0)
    bank, rng = design_filter(options).bank, np.random.default_rng(1)
    n, T, dt, R = 250, 25, 0.04, np.array([[4, 1, 0], [1, 2, 0], [0, 0, 9]]) * 1e-4
    F, Q = transition(bank, dt)
    push, noise = np.linalg.cholesky(Q + 1e-18 * np.eye(9)), np.linalg.cholesky(R)
    model = rng.choice(len(bank), p=bank.share, size=n)
    sigma = [0] * 3 + [options.initial_speed] * 3 + [options.acceleration_sigma] * 3
    x = rng.normal(size=(n, 9)) * sigma
    track_filter = TrackFilter(options)
    for k in range(T):
        z = x[:, :3] + rng.normal(size=(n, 3)) @ noise.T
        update = track_filter.update(make_points(k * 40_000_000, z, np.tile(R, (n, 1, 1))))
        truth = x
        odds = stay_or_switch(bank, dt)[model].cumsum(axis=1)
        model = (rng.random((n, 1)) > odds).sum(axis=1).clip(max=len(bank) - 1)
        x = (F[model] @ x[..., None] + push[model] @ rng.normal(size=(n, 9, 1)))[..., 0]
    tracks = zip(update.now.trajectories, truth, strict=True)
    assert 0.85 < np.mean([nees(t, x[:3], x[3:6]) for t, x in tracks]) < 1.15


def test_on_a_straight_line_the_covariance_is_no_boast(make_points):
    rng, n = np.random.default_rng(2), 100
    truth = straight(rng, 31, n)
    velocity = (truth[1] - truth[0]) * 30
    track_filter = TrackFilter(FilterSettings(lag=0, horizon=0))
    z = truth + rng.normal(size=truth.shape) * 0.03
    update = feed(track_filter, make_points, z, sigma=0.03)[-1]
    tracks = zip(update.now.trajectories, truth[-1], velocity, strict=True)
    assert np.mean([nees(t, *at) for t, *at in tracks]) < 1.0


def manoeuvre(n, rng, T=90, dt=1 / 30):
    """Straight, a sharp turn, straight, at 3 m/s, each in its own plane; (T, N, 3) m."""
    t = np.arange(T) * dt
    heading = np.clip((t - 1.0) / 0.4, 0.0, 1.0) * np.pi * 0.6
    velocity = 3.0 * np.stack([np.cos(heading), np.sin(heading), 0 * t], axis=-1)
    path = np.cumsum(velocity * dt, axis=0)
    rotations = np.linalg.qr(rng.normal(size=(n, 3, 3)))[0]
    return (rotations[None] @ path[:, None, :, None])[..., 0]


def test_several_models_follow_a_manoeuvre_better_than_one(make_points):
    rng = np.random.default_rng(3)
    truth = manoeuvre(20, rng, T=70)
    z = truth + rng.normal(size=truth.shape) * 0.03
    rmse = {}
    for name, options in {
        "imm": {},
        "calm": {"filter": "cv", "cv_noise": 1.0},
        "cv": {"filter": "cv"},
        "nervous": {"filter": "cv", "cv_noise": 100.0},
    }.items():
        track_filter = TrackFilter(FilterSettings(lag=0, horizon=0, **options))
        updates = feed(track_filter, make_points, z, sigma=0.03)
        xyz = np.array([[t.xyz for t in u.now.trajectories] for u in updates])
        rmse[name] = np.sqrt(np.mean((xyz - truth)[10:] ** 2))
    assert rmse["imm"] < 0.92 * min(rmse["calm"], rmse["cv"], rmse["nervous"])
    assert rmse["imm"] < 0.03


@pytest.mark.parametrize("kind", ["imm", "cv"])
def test_an_outlier_moves_little_and_is_named(make_points, kind):
    truth = straight(np.random.default_rng(4), 40)
    z = truth.copy()
    z[30] += 2.0
    updates = feed(TrackFilter(FilterSettings(filter=kind)), make_points, z)
    hit = updates[30].now.trajectories[0]
    assert hit.health == Health.GATED
    assert np.linalg.norm(hit.xyz - truth[30, 0]) < 0.02
    after = updates[31].now.trajectories[0]
    assert after.health == Health.GOOD
    assert np.linalg.norm(after.xyz - truth[31, 0]) < 0.02


def test_repeated_disagreement_restarts_the_track(make_points):
    truth = np.zeros((40, 1, 3))
    truth[30:] += 30.0
    track_filter = TrackFilter(FilterSettings(rejections_before_restart=4))
    updates = feed(track_filter, make_points, truth)
    health = [u.now.trajectories[0].health for u in updates]
    assert health[30:33] == [Health.GATED] * 3
    assert health[33] == Health.GATED | Health.REINITIALISED
    assert health[34:] == [Health.GOOD] * 6
    np.testing.assert_allclose(updates[33].now.trajectories[0].xyz, 30.0)


@pytest.mark.parametrize("kind", ["imm", "cv"])
def test_uncertainty_grows_through_a_gap(make_points, kind):
    rng = np.random.default_rng(5)
    track_filter = TrackFilter(FilterSettings(filter=kind))
    truth = straight(rng, 30)
    updates = feed(track_filter, make_points, truth + rng.normal(size=truth.shape) * 0.02)
    gap = [np.zeros((0, 3))] * 25
    updates += feed(track_filter, make_points, gap, start=START + 30 * STEP)
    sizes = [np.linalg.eigvalsh(u.now.trajectories[0].covariance[:3, :3])[0] for u in updates[29:]]
    assert (np.diff(sizes) > 0).all()
    last = updates[-1].now.trajectories[0]
    assert last.state == State.COASTING
    assert not last.measured
    assert last.last_measured == START + 29 * STEP


def test_a_path_is_predicted_with_covariance(make_points):
    settings = FilterSettings(horizon=0.5, prediction_step=0.1, gravity=(0, 0, 0))
    track_filter = TrackFilter(settings)
    truth = straight(np.random.default_rng(6), 40)
    now = feed(track_filter, make_points, truth)[-1].now
    predictions = now.trajectories[0].predictions
    assert [p.after for p in predictions] == [100_000_000 * k for k in range(1, 6)]
    sizes = [np.trace(p.covariance) for p in predictions]
    assert (np.diff(sizes) > 0).all()
    velocity = (truth[1, 0] - truth[0, 0]) * 30
    np.testing.assert_allclose(predictions[-1].xyz, truth[-1, 0] + 0.5 * velocity, atol=0.02)
    later = track_filter.predict(now.stamp + predictions[2].after).trajectories[0]
    np.testing.assert_allclose(later.xyz, predictions[2].xyz, rtol=1e-12)
    np.testing.assert_allclose(later.covariance[:3, :3], predictions[2].covariance, rtol=1e-9)


def test_no_horizon_no_predictions(make_points):
    updates = feed(TrackFilter(FilterSettings(horizon=0.0)), make_points, np.zeros((3, 1, 3)))
    assert updates[-1].now.trajectories[0].predictions == ()


# Life


def test_births_bring_their_history(make_points):
    track_filter = TrackFilter(FilterSettings())
    path = straight(np.random.default_rng(7), 4, n=2)
    updates = feed(track_filter, make_points, path, ids=[8, 5])
    states = [u.now.trajectories[0].state for u in updates]
    assert states == [State.TENTATIVE] * 2 + [State.CONFIRMED] * 2
    assert [len(u.history) for u in updates] == [0, 0, 4, 0]
    history = updates[2].history
    assert [(t.stamp, t.track_id) for t in history] == [
        (START, 8), (START, 5), (START + STEP, 8), (START + STEP, 5),
    ]  # fmt: skip
    assert {t.state for t in history} == {State.CONFIRMED}
    tentative = [t for u in updates[:2] for t in u.now.trajectories]
    for earlier, then in zip(history, tentative, strict=True):
        assert earlier.xyz is then.xyz
        assert earlier.measured


def test_a_track_that_is_not_confirmed_ends_without_history(make_points):
    path = [np.zeros((1, 3))] + [np.zeros((0, 3))] * 6
    updates = feed(TrackFilter(FilterSettings()), make_points, path)
    states = [[t.state for t in u.now.trajectories] for u in updates]
    assert states == [[State.TENTATIVE]] * 4 + [[State.DELETED], [], []]
    assert not any(u.history for u in updates)


def test_deleted_is_said_once(make_points):
    track_filter = TrackFilter(FilterSettings(coast_time=0.2))
    path = [np.zeros((2, 3))] * 10 + [np.ones((1, 3))] * 20
    updates = []
    for k, xyz in enumerate(path):
        ids = [1, 2] if k < 10 else [2]
        updates.append(track_filter.update(make_points(k * STEP, xyz * 0.0, ids=ids)))
    ends = [(k, t) for k, u in enumerate(updates) for t in u.now.trajectories
            if t.state == State.DELETED]  # fmt: skip
    assert [(k, t.track_id) for k, t in ends] == [(16, 1)]
    assert ends[0][1].predictions == ()
    assert len(updates[-1].now) == 1
    late_ends = [t for u in updates for lot in u.lagged for t in lot.trajectories
                 if t.state == State.DELETED]  # fmt: skip
    assert [t.track_id for t in late_ends] == [1]


def test_drop_ends_a_track_at_the_next_update(make_points):
    track_filter = TrackFilter(FilterSettings())
    feed(track_filter, make_points, np.zeros((5, 2, 3)))
    track_filter.drop(0)
    assert [t.track_id for t in track_filter.predict(START + 5 * STEP).trajectories] == [1]
    update = track_filter.update(make_points(START + 5 * STEP, np.zeros((2, 3))))
    assert [t.state for t in update.now.trajectories] == [State.DELETED, State.CONFIRMED]
    assert track_filter.dropped == {"track_dropped": 1}
    update = track_filter.update(make_points(START + 6 * STEP, np.zeros((2, 3))))
    assert [(t.track_id, t.state) for t in update.now.trajectories] == [
        (1, State.CONFIRMED), (0, State.TENTATIVE),
    ]  # fmt: skip


def test_drop_of_an_unknown_track_is_an_error():
    with pytest.raises(ValueError, match=r"track_id must be the number of a live track.*got 4"):
        TrackFilter(FilterSettings()).drop(4)


def test_a_pause_of_the_whole_stream_restarts_the_track(make_points):
    track_filter = TrackFilter(FilterSettings(coast_time=1.0))
    feed(track_filter, make_points, straight(np.random.default_rng(8), 10))
    update = track_filter.update(make_points(START + 3_000_000_000, [[7, 7, 7]]))
    trajectory = update.now.trajectories[0]
    assert trajectory.state == State.CONFIRMED
    assert trajectory.health == Health.REINITIALISED
    np.testing.assert_allclose(trajectory.xyz, 7.0)


# Time


def test_convention_stamps_are_copied(make_points):
    track_filter = TrackFilter(FilterSettings(lag=2))
    updates = feed(track_filter, make_points, np.zeros((5, 1, 3)))
    assert [u.now.stamp for u in updates] == [START + k * STEP for k in range(5)]
    assert updates[-1].now.trajectories[0].stamp == START + 4 * STEP
    assert updates[-1].lagged[0].trajectories[0].stamp == START + 2 * STEP


def test_a_stamp_seen_before_updates_without_prediction(make_points):
    track_filter = TrackFilter(FilterSettings())
    before = feed(track_filter, make_points, np.zeros((10, 1, 3)))[-1].now.trajectories[0]
    update = track_filter.update(make_points(before.stamp, [[0, 0, 0]]))
    after = update.now.trajectories[0]
    assert update.lagged == ()
    assert np.trace(after.covariance) < np.trace(before.covariance)
    empty = track_filter.update(make_points(before.stamp)).now.trajectories[0]
    np.testing.assert_allclose(empty.covariance, after.covariance, rtol=1e-12)
    assert empty.measured
    assert empty.state == State.CONFIRMED
    # Two halves of the information in one instant are worth the whole.
    whole, halves = TrackFilter(FilterSettings(lag=3)), TrackFilter(FilterSettings(lag=3))
    for k in range(6):
        x = [[0.01 * k, 0, 0]]
        one = whole.update(make_points(k * STEP, x, sigma=0.02))
        if k in (0, 5):
            two = halves.update(make_points(k * STEP, x, sigma=0.02))
        else:
            halves.update(make_points(k * STEP, x, sigma=0.02 * 2**0.5))
            two = halves.update(make_points(k * STEP, x, sigma=0.02 * 2**0.5))
    a, b = one.now.trajectories[0], two.now.trajectories[0]
    np.testing.assert_allclose(a.xyz, b.xyz, atol=1e-4)
    np.testing.assert_allclose(a.covariance, b.covariance, atol=1e-3)
    assert [lot.stamp for lot in two.lagged] == [2 * STEP]


@pytest.mark.parametrize(
    ("reason", "fields"),
    [
        ("backward_reset", {"stamp": START - 1_000_000_000}),
        ("epoch_reset", {"stamp": START + 9 * STEP, "epoch": 1}),
        ("frame_reset", {"stamp": START + 9 * STEP, "frame_id": "map"}),
    ],
)
def test_another_time_or_frame_begins_an_epoch(make_points, reason, fields):
    track_filter = TrackFilter(FilterSettings())
    feed(track_filter, make_points, np.zeros((5, 1, 3)))
    update = track_filter.update(make_points(xyz=[[5, 5, 5]], **fields))
    assert track_filter.dropped == {reason: 1}
    assert track_filter.epoch == update.now.epoch == update.now.trajectories[0].epoch == 1
    assert [t.state for t in update.now.trajectories] == [State.TENTATIVE]
    np.testing.assert_allclose(update.now.trajectories[0].xyz, 5.0)


def test_reset_forgets_the_tracks(make_points):
    track_filter = TrackFilter(FilterSettings())
    feed(track_filter, make_points, np.zeros((5, 1, 3)))
    track_filter.reset()
    assert track_filter.epoch == 1
    assert len(track_filter.predict(0)) == 0


def test_predict_changes_nothing(make_points):
    track_filter = TrackFilter(FilterSettings())
    feed(track_filter, make_points, straight(np.random.default_rng(9), 10))
    twin = copy.deepcopy(track_filter)
    later = track_filter.predict(START + 20 * STEP)
    assert later.trajectories[0].state == State.COASTING
    assert not later.trajectories[0].measured
    points = make_points(START + 10 * STEP, [[1, 1, 1]])
    a, b = (f.update(points).now.trajectories[0] for f in (track_filter, twin))
    np.testing.assert_array_equal(a.covariance, b.covariance)
    np.testing.assert_array_equal(a.xyz, b.xyz)


def test_predict_into_the_past_is_an_error(make_points):
    track_filter = TrackFilter(FilterSettings())
    track_filter.update(make_points(10, [[0, 0, 0]]))
    with pytest.raises(ValueError, match=r"stamp must be at least the newest stamp, 10 ns; got 9"):
        track_filter.predict(9)


# Bearings and doubtful points


@pytest.mark.parametrize("kind", ["imm", "cv"])
def test_a_bearing_corrects_across_its_ray_only(make_points, kind):
    track_filter = TrackFilter(FilterSettings(filter=kind))
    feed(track_filter, make_points, np.zeros((10, 1, 3)))
    gap = START + 20 * STEP
    blind = track_filter.predict(gap).trajectories[0]
    rays = [-5.0, 0.02, 0], [1, 0, 0]
    seen = track_filter.update(make_points(gap, rays=rays, sigma=0.002)).now.trajectories[0]
    assert seen.measured
    assert seen.health == Health.BEARING_ONLY
    assert seen.num_cameras == 1
    np.testing.assert_allclose(seen.xyz, [0, 0.02, 0], atol=0.002)
    np.testing.assert_allclose(np.sqrt(seen.covariance[1, 1]), 0.002 * 5, rtol=0.1)
    if kind == "cv":
        np.testing.assert_allclose(seen.covariance[0], blind.covariance[0], rtol=1e-9, atol=1e-12)


def test_a_point_after_bearings_is_believed_at_once(make_points):
    """One camera lets the depth drift; the first point that says so begins the track anew."""
    track_filter = TrackFilter(FilterSettings())
    feed(track_filter, make_points, np.zeros((10, 1, 3)))
    for k in range(10, 15):
        rays = [-5.0, 0, 0], [1, 0, 0]
        track_filter.update(make_points(START + k * STEP, rays=rays, sigma=0.002))
    far = track_filter.update(make_points(START + 15 * STEP, [[8.0, 0, 0]])).now.trajectories[0]
    assert far.health & Health.REINITIALISED
    np.testing.assert_allclose(far.xyz, [8.0, 0, 0])


def test_a_bearing_starts_no_track(make_points):
    track_filter = TrackFilter(FilterSettings())
    update = track_filter.update(make_points(START, rays=([0, 0, 0], [1, 0, 0])))
    assert len(update.now) == 0
    assert track_filter.dropped == {"bearing_without_track": 1}


def test_a_bearing_from_which_the_object_is_behind_is_dropped(make_points):
    track_filter = TrackFilter(FilterSettings())
    feed(track_filter, make_points, np.zeros((5, 1, 3)))
    track_filter.update(make_points(START + 5 * STEP, rays=([1, 0, 0], [1, 0, 0])))
    assert track_filter.dropped == {"behind_camera": 1}


def test_an_extrapolated_sighting_is_named(make_points):
    track_filter = TrackFilter(FilterSettings())
    sightings = tuple(Sighting(c, 1, 0, np.zeros(2), c == "a") for c in "ab")
    points = make_points(START, [[0, 0, 0]], sightings=(sightings,))
    assert track_filter.update(points).now.trajectories[0].health == Health.EXTRAPOLATED


def test_faulty_points_are_dropped_and_counted(make_points):
    track_filter = TrackFilter(FilterSettings())
    feed(track_filter, make_points, np.zeros((5, 1, 3)))
    for k, xyz in enumerate([math.nan, math.inf, 1e300]):
        update = track_filter.update(make_points(START + (5 + k) * STEP, [[xyz, 0, 0]]))
        assert np.isfinite(update.now.trajectories[0].xyz).all()
        assert update.now.trajectories[0].state == State.COASTING
    assert track_filter.dropped == {"not_finite": 2, "out_of_range": 1}


def test_systematic_covariance_widens_the_estimate(make_points):
    sure, unsure = TrackFilter(FilterSettings()), TrackFilter(FilterSettings())
    a = feed(sure, make_points, np.zeros((20, 1, 3)))
    b = feed(
        unsure, make_points, np.zeros((20, 1, 3)), systematic_covariance=np.eye(3)[None] * 0.01
    )
    trace = [np.trace(u[-1].now.trajectories[0].covariance[:3, :3]) for u in (a, b)]
    assert trace[1] > 5 * trace[0]


# Structure


def test_many_tracks_at_once_are_as_many_filters(make_points):
    """Exact to the last bit, with gaps, an outlier and different births."""
    rng, n, T = np.random.default_rng(10), 6, 40
    path = straight(rng, T, n) + rng.normal(size=(T, n, 3)) * 0.02
    path[20, 2] += 3.0
    seen = rng.random((T, n)) < 0.8
    seen[:4] = np.arange(n) <= 3
    settings = FilterSettings(confirm_window=20)
    together, alone = TrackFilter(settings), [TrackFilter(settings) for _ in range(n)]
    for k in range(T):
        ids = np.flatnonzero(seen[k])
        update = together.update(make_points(START + k * STEP, path[k, ids], ids=ids))
        single = {}
        for i in range(n):
            mine = [i] if seen[k, i] else []
            points = make_points(START + k * STEP, path[k, mine], ids=mine)
            single[i] = alone[i].update(points)
        for t in update.now.trajectories:
            compare(t, single[t.track_id].now.trajectories[0])
        for lot in update.lagged:
            for t in lot.trajectories:
                compare(t, single[t.track_id].lagged[0].trajectories[0])
        history = sorted(update.history, key=lambda t: t.track_id)
        others = itertools.chain.from_iterable(single[i].history for i in range(n))
        for t, other in zip(history, others, strict=True):
            compare(t, other)


def compare(t, other):
    for name in ("stamp", "track_id", "state", "measured", "health", "last_measured"):
        assert getattr(t, name) == getattr(other, name)
    for name in ("xyz", "velocity", "covariance"):
        np.testing.assert_array_equal(getattr(t, name), getattr(other, name))
    for p, q in zip(t.predictions, other.predictions, strict=True):
        np.testing.assert_array_equal(p.xyz, q.xyz)
        np.testing.assert_array_equal(p.covariance, q.covariance)


def test_rotating_the_world_rotates_the_answer(make_points):
    rng, T = np.random.default_rng(11), 60
    A = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    A6 = np.kron(np.eye(2), A)
    path = manoeuvre(1, rng, T) + rng.normal(size=(T, 1, 3)) * 0.03
    path[40] += 1.0
    R = np.array([[4, 1, 0], [1, 2, 0.5], [0, 0.5, 9]])[None] * 1e-4
    g = np.array([0.0, 0.0, -9.81])
    plain = TrackFilter(FilterSettings(gravity=tuple(g.tolist())))
    turned = TrackFilter(FilterSettings(gravity=tuple((A @ g).tolist())))
    for k in range(T):
        stamp = START + k * STEP
        if k % 7 == 6:
            direction = path[k, 0] / np.linalg.norm(path[k, 0])
            origin = path[k, 0] - 4 * direction
            a = plain.update(make_points(stamp, rays=(origin, direction), sigma=0.01))
            rays = A @ origin, A @ direction
            b = turned.update(make_points(stamp, rays=rays, sigma=0.01))
        else:
            a = plain.update(make_points(stamp, path[k], R))
            b = turned.update(make_points(stamp, path[k] @ A.T, A @ R @ A.T))
        pairs = [(a.now, b.now), *zip(a.lagged, b.lagged, strict=True)]
        for ta, tb in ((x.trajectories[0], y.trajectories[0]) for x, y in pairs):
            assert ta.health == tb.health
            np.testing.assert_allclose(tb.xyz, A @ ta.xyz, atol=1e-9)
            np.testing.assert_allclose(tb.velocity, A @ ta.velocity, atol=1e-9)
            np.testing.assert_allclose(tb.covariance, A6 @ ta.covariance @ A6.T, atol=1e-9)
            for p, q in zip(ta.predictions, tb.predictions, strict=True):
                np.testing.assert_allclose(q.xyz, A @ p.xyz, atol=1e-9)


number = st.floats(allow_nan=True, allow_infinity=True)
coordinate = st.floats(-20, 20) | st.floats(-1e9, 1e9) | number
variance = st.sampled_from([0.0, 1e-12, 1e-6, 1e-3, 1.0, 1e6, 1e15, -1.0]) | number
observation = st.tuples(st.integers(0, 2), coordinate, coordinate, variance, variance)
instant = st.tuples(
    st.sampled_from([0, 1, 10**6, STEP, 10**8, 2 * 10**9, 10**18, -STEP, -(10**9)]),
    st.lists(observation, max_size=4),
    st.booleans(),
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(instant, max_size=12), st.sampled_from(["imm", "cv"]))
def test_nothing_that_comes_in_makes_nan_go_out(make_points, instants, kind):
    track_filter, stamp = TrackFilter(FilterSettings(filter=kind, lag=2)), START
    for wait, observations, bearing in instants:
        stamp += wait
        values = np.array([o[1:] for o in observations]).reshape(-1, 4)
        place = np.concatenate((values[:, :2], np.zeros((len(values), 1))), axis=1)
        fields = {"ids": [o[0] for o in observations]}
        if bearing:
            fields["ray_covariance"] = np.where(np.eye(2), values[:, 2, None, None], 0.0)
            points = make_points(stamp, rays=(place, [[1, 0, 0]] * len(place)), **fields)
        else:
            both = np.where(np.eye(3), values[:, 2:, None, None], 0.0)
            points = make_points(
                stamp, place, both[:, 0], systematic_covariance=both[:, 1], **fields
            )
        update = track_filter.update(points)
        lots = [update.now, *update.lagged, track_filter.predict(update.now.stamp + STEP)]
        for t in itertools.chain(update.history, *(lot.trajectories for lot in lots)):
            assert np.isfinite(t.xyz).all()
            assert np.isfinite(t.velocity).all()
            assert_covariance(t.covariance)
            for p in t.predictions:
                assert np.isfinite(p.xyz).all()
                assert_covariance(p.covariance)
        assert len({t.track_id for t in update.now.trajectories}) == len(update.now)


def assert_covariance(P):
    np.testing.assert_array_equal(P, P.T)
    scale = np.sqrt(np.diag(P))
    assert (scale > 0).all()
    assert np.linalg.eigvalsh(P / scale / scale[:, None])[0] > -1e-6
