"""Pixels of free-running cameras, brought to the instants of the first."""

import numpy as np
import pytest

from liquid_mono3d_ros.synth.conditions import Conditions
from liquid_mono3d_ros.synth.exposures import BEFORE, expose, interpolate
from liquid_mono3d_ros.synth.motions import FAMILIES


def exposures(n=40, family="line", *, calibration=0.0, clock=0.0, seed=0, **changes):
    conditions = Conditions(**{"frames": 30, **changes})
    rng = np.random.default_rng(seed)
    index = np.full(n, FAMILIES.index(family))
    full = np.ones(n)
    return conditions, expose(index, conditions, calibration * full, clock * full, rng)


def true_uv(exposed, t):
    """Pixels of exactly calibrated cameras at exact times (N, T), (N, C, T, 2)."""
    xyz, _ = exposed.truth(t)
    uv, _ = exposed.rigs.project(np.repeat(xyz[:, None], exposed.uv.shape[1], axis=1))
    return uv * exposed.rigs.focal[..., None, None]


def test_the_first_instant_is_zero_and_cameras_run_freely():
    _, exposed = exposures()
    assert (exposed.instants[:, 0] == 0).all()
    assert exposed.instants.shape == (40, 30)
    assert (np.diff(exposed.stamps, axis=2) > 0).all()
    phase = (exposed.stamps[:, 1, BEFORE] * 30) % 1
    assert phase.std() == pytest.approx(1 / np.sqrt(12), rel=0.3)


def test_without_noise_straight_motion_is_interpolated_to_the_truth():
    _, exposed = exposures(noise=1e-9, family="hover")
    images = interpolate(exposed, Conditions(frames=30))
    off = (images.uv - true_uv(exposed, exposed.instants))[images.seen]
    assert images.seen[exposed.rigs.present].mean() > 0.99
    assert np.abs(off).max() < 0.3  # the bend of a slow wander
    assert np.abs(off).max() > 1e-6


def test_convention_interpolated_pixels_have_their_variance():
    """σ²((1-w)² + w²): between σ²/2 and σ²; the first camera's is σ²."""
    conditions, exposed = exposures(n=200, sigma_px=1.0, pixel_acceleration=0.0)
    images = interpolate(exposed, conditions)
    assert (images.variance[:, 0] == 1).all()
    shared = images.variance[images.seen]
    assert shared.min() >= 0.5 - 1e-12
    assert shared.max() <= 1 + 1e-12
    off = (images.uv - true_uv(exposed, exposed.instants))[images.seen]
    ratio = np.mean(off**2, axis=1) / shared
    assert ratio.mean() == pytest.approx(1.0, rel=0.03)


def test_the_bend_is_that_of_the_track_buffer():
    acceleration = 500.0
    conditions, exposed = exposures(
        noise=1e-9, sigma_px=0.3, rate=10.0, pixel_acceleration=acceleration
    )
    variance = interpolate(exposed, conditions).variance[:, 1]
    stamps = zip(exposed.stamps[:, 1], exposed.instants, strict=True)
    k = np.array([np.searchsorted(own, wanted, side="right") for own, wanted in stamps])
    before, after = (np.take_along_axis(exposed.stamps[:, 1], i, axis=1) for i in (k - 1, k))
    start, span = before - exposed.instants, after - before
    w = -start / span
    bend = 0.5 * acceleration * start * (start + span)
    expected = 0.3**2 * ((1 - w) ** 2 + w**2) + bend**2
    np.testing.assert_allclose(variance, expected, rtol=1e-9)


def test_convention_true_time_is_stamp_plus_offset():
    _, exposed = exposures(noise=1e-9, clock=0.02)
    late = exposed.stamps[:, 0] + exposed.offsets[:, :1]
    np.testing.assert_allclose(exposed.uv[:, 0], true_uv(exposed, late)[:, 0], atol=1e-6)
    assert np.abs(exposed.offsets).std() > 0.005


def test_a_turned_camera_sees_everything_shifted():
    _, exposed = exposures(noise=1e-9, calibration=0.01)
    off = exposed.uv[:, 0] - true_uv(exposed, exposed.stamps[:, 0])[:, 0]
    median = np.median(np.abs(off).mean(axis=1), axis=0)
    focal = np.median(exposed.rigs.focal)
    np.testing.assert_allclose(median, 0.67 * 0.01 * focal, rtol=0.5)


def test_drops_and_bursts_have_their_rates():
    _, exposed = exposures(n=100, dropout=0.2, frames=90)
    assert exposed.detected[exposed.rigs.present].mean() == pytest.approx(0.8, abs=0.01)
    _, exposed = exposures(n=200, bursts=0.2, frames=90)
    gone = ~exposed.detected[:, 0]
    assert gone.mean() == pytest.approx(0.1, abs=0.03)  # half a second, 0.2 times a second
    runs = np.diff(np.flatnonzero(np.diff(np.pad(gone.ravel(), 1).astype(int))))[::2]
    assert np.median(runs) == 15


def test_one_missed_image_is_bridged_two_are_not():
    conditions, exposed = exposures(n=1, noise=1e-9)
    exposed.detected[0, 1, 10] = False
    assert interpolate(exposed, conditions).seen[0, 1].all()
    exposed.detected[0, 1, 11] = False
    missing = np.flatnonzero(~interpolate(exposed, conditions).seen[0, 1])
    assert len(missing) in (2, 3, 4)


def test_noise_may_be_more_than_is_claimed():
    _, quiet = exposures(sigma_px=1.0)
    _, loud = exposures(sigma_px=1.0, noise=2.0)
    truth = true_uv(quiet, quiet.stamps[:, 0])[:, 0]
    np.testing.assert_array_equal(quiet.stamps, loud.stamps)
    np.testing.assert_allclose(loud.uv[:, 0] - truth, 2 * (quiet.uv[:, 0] - truth), atol=1e-9)
