import numpy as np
import pytest

from liquid_mono3d_ros.bench.drone_data import Flight, Labels
from liquid_mono3d_ros.bench.drone_filter import Scored, is_scored, ratio
from liquid_mono3d_ros.bench.drone_kalman import filter_pairs, run_kalman
from liquid_mono3d_ros.bench.drone_noise import degraded
from liquid_mono3d_ros.geometry.rig import Rig
from liquid_mono3d_ros.synth.rigs import stereo_rig


def labels(n=6000, rate=30.0):
    k = np.arange(n)
    return np.column_stack([k, k / rate, 900 + 0 * k, 500 + 0 * k])


def test_degradation_is_as_published():
    rows = degraded(labels(), 1920, 1080, np.random.default_rng(0))
    clean = labels()[rows[:, 0].astype(int)]
    away = rows[:, 2:] - clean[:, 2:]
    usual = np.abs(away).max(axis=1) < 15
    assert 1 - usual.mean() == pytest.approx(0.02, abs=0.008)
    assert away[usual].std() == pytest.approx(2.5, abs=0.1)
    missing = np.diff(rows[:, 0])
    long = missing[missing > 10] / 30.0
    assert 5 < len(long) < 25, "one gap in 15 s"
    assert long.max() < 2.0
    assert len(rows) / 6000 == pytest.approx(0.85 * (1 - 1 / 15), abs=0.04)


def test_noise_is_larger_in_larger_images():
    rows = degraded(labels(), 3840, 2160, np.random.default_rng(0))
    away = rows[:, 2:] - [900, 500]
    assert away[np.abs(away).max(axis=1) < 30].std() == pytest.approx(5.0, abs=0.2)


def test_kalman_filter_follows_and_the_smoother_follows_better():
    rng = np.random.default_rng(0)
    t = np.arange(300) / 15.0
    truth = np.column_stack([3 * np.sin(0.5 * t), 3 * np.cos(0.5 * t), 0.5 * t])
    xyz = truth + rng.normal(0, 0.1, truth.shape)
    xyz[50] += 20.0
    R = 0.01 * np.eye(3) + np.zeros((300, 1, 1))
    found = run_kalman(t, xyz, R, 10.0)
    at = np.searchsorted(t, found.t)
    filtered, smoothed = (
        np.linalg.norm(p - truth[at], axis=1)[10:] for p in (found.xyz, found.smoothed)
    )
    assert smoothed.mean() < 0.8 * filtered.mean() < 0.8 * 0.1 * 3**0.5
    assert filtered.max() < 1.0, "the gate keeps the outlier out"


def test_kalman_filter_ends_tracks_at_gaps_and_begins_none_of_two_points():
    t = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 5.0, 5.1])
    found = run_kalman(t, np.zeros((7, 3)), np.tile(0.01 * np.eye(3), (7, 1, 1)), 1.0)
    np.testing.assert_allclose(found.t, [0.2, 0.3, 0.4])


def test_pairs_of_a_rig_are_filtered():
    rig = stereo_rig()
    t = np.arange(0.0, 20.0, 1 / 30)
    truth_t = np.arange(0.0, 20.01, 0.2)

    def path(at):
        return np.column_stack([3 + 0 * at, 0.3 * np.sin(at), 0.5 + 0.2 * np.cos(at)])

    rng = np.random.default_rng(1)
    seen = {
        name: Labels(t, camera.project(path(t)) + rng.normal(0, 0.5, (len(t), 2)), 1 / 30, True)
        for name, camera in rig.cameras.items()
    }
    truth = np.column_stack([truth_t, path(truth_t), np.ones(len(truth_t))])
    flight = Flight(Rig(rig.cameras, up=np.array([0.0, 0, 1])), seen, truth, 8.0, 20.0)
    found = filter_pairs(flight, tuple(rig.cameras))
    scored = is_scored(flight, found.t)
    assert scored.sum() > 300
    error = np.linalg.norm(found.xyz - path(found.t), axis=1)[scored]
    assert np.sqrt(np.mean(error**2)) < 0.05


def test_ratio_counts_only_where_both_speak():
    rng = np.random.default_rng(0)
    block, theirs = np.repeat(np.arange(20), 10), rng.exponential(size=200)
    ours = 0.5 * theirs
    ours[::7] = np.nan
    one, other = (Scored(block, e, e * np.nan) for e in (ours, theirs))
    assert ratio(one, other) == pytest.approx((0.5, 0.5, 0.5))
    nothing = Scored(block, theirs * np.nan, theirs)
    assert np.isnan(ratio(nothing, other)).all()
