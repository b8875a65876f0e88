"""Simulated flights: honest covariances, the same from the same seed, saved and read."""

import subprocess
import sys

import numpy as np
import pytest

from liquid_mono3d_ros.synth.flights import (
    Conditions,
    draw_flights,
    draw_flights_parallel,
)
from liquid_mono3d_ros.synth.motions import FAMILIES, STRICT
from liquid_mono3d_ros.synth.paths import GRAVITY

CHI2_95 = 7.815


def distances(flights, covariance):
    """Squared Mahalanobis distances of true measurements, (M,)."""
    good = flights.seen & ~flights.outlier
    error = (flights.z - flights.xyz)[good]
    whitened = np.linalg.solve(covariance[good], error[..., None])[..., 0]
    return np.einsum("ni,ni->n", error, whitened)


@pytest.fixture(scope="module")
def mixed():
    return draw_flights(Conditions(frames=40), 80, seed=1)


def test_shapes_and_families(mixed):
    assert mixed.z.shape == (80, 40, 3)
    assert mixed.R.shape == mixed.B.shape == (80, 40, 3, 3)
    assert (np.bincount(mixed.family) == 8).all()
    assert (np.diff(mixed.t, axis=1) > 0).all()
    assert (mixed.t[:, 0] == 0).all()
    assert mixed.seen.mean() > 0.99
    assert not mixed.outlier.any()
    assert not mixed.B.any()
    strict = draw_flights(Conditions(frames=5, families=STRICT), 21, seed=1)
    assert set(strict.family) == set(range(7))


def test_white_covariance_is_honest_on_straight_lines():
    flights = draw_flights(Conditions(families=("line",), frames=60), 480, seed=2)
    d2 = distances(flights, flights.R)
    assert d2.mean() == pytest.approx(3.0, rel=0.02)
    assert (d2 < CHI2_95).mean() == pytest.approx(0.95, abs=0.005)


def test_claimed_systematic_errors_are_covered_and_unclaimed_are_not():
    nuisances = {"calibration_deg": 0.2, "clock_ms": 2.0, "families": ("line",), "frames": 10}
    flights = draw_flights(Conditions(**nuisances), 600, seed=3)
    covered = distances(flights, flights.R + flights.B) < CHI2_95
    assert covered.mean() == pytest.approx(0.95, abs=0.02)
    untold = Conditions(**nuisances, claimed_calibration_deg=0.0, claimed_clock_ms=0.0)
    flights = draw_flights(untold, 200, seed=3)
    assert not flights.B.any()
    assert (distances(flights, flights.R) < CHI2_95).mean() < 0.6


def test_noise_that_is_not_told():
    flights = draw_flights(Conditions(families=("line",), frames=40, noise=2.0), 200, seed=4)
    assert distances(flights, flights.R).mean() == pytest.approx(12.0, rel=0.05)


def test_outliers_are_marked_and_not_told():
    flights = draw_flights(Conditions(families=("line",), frames=60, outliers=0.1), 200, seed=5)
    assert flights.outlier.sum() / flights.seen.sum() == pytest.approx(0.1, abs=0.01)
    error = np.linalg.norm(flights.z - flights.xyz, axis=2)
    assert np.median(error[flights.outlier]) > 0.3
    assert distances(flights, flights.R).mean() == pytest.approx(3.0, rel=0.05)
    size = np.trace(flights.R, axis1=2, axis2=3)
    ratio = np.median(size[flights.outlier]) / np.median(size[flights.seen])
    assert 0.5 < ratio < 2


def test_where_nothing_was_seen_there_is_nothing():
    conditions = Conditions(frames=60, dropout=0.3, bursts=0.5, calibration_deg=0.1)
    flights = draw_flights(conditions, 40, seed=6)
    unseen = ~flights.seen
    assert 0.2 < unseen.mean() < 0.7
    assert not flights.z[unseen].any()
    assert not flights.B[unseen].any()
    assert (flights.R[unseen] == np.eye(3)).all()
    assert np.isfinite(flights.z).all()
    assert (np.linalg.eigvalsh(flights.R) > 0).all()
    assert not (flights.outlier & unseen).any()


def test_raw_errors_are_within_the_stated_limits(mixed):
    sigma = np.sqrt(np.trace(mixed.R, axis1=2, axis2=3))
    assert sigma.min() > 0.001
    assert sigma.max() < 0.5
    error = np.square(mixed.z - mixed.xyz).sum(axis=2).mean(axis=1)
    assert error.max() / error.sum() < 0.25


def test_convention_world_and_gravity_turn_together():
    still = draw_flights(Conditions(frames=20, rotate=False), 40, seed=7)
    assert (still.gravity == (0, 0, -GRAVITY)).all()
    turned = draw_flights(Conditions(frames=20), 40, seed=7)
    np.testing.assert_allclose(np.linalg.norm(turned.gravity, axis=1), GRAVITY)
    assert np.linalg.norm(turned.gravity.mean(axis=0)) < 0.5 * GRAVITY
    up = turned.gravity / -GRAVITY
    for name in ("z", "xyz", "velocity"):
        height = np.einsum("ntj,nj->nt", getattr(turned, name), up)
        np.testing.assert_allclose(height, getattr(still, name)[..., 2], atol=1e-9)
    free = turned.family == FAMILIES.index("parabola")
    fall = np.diff(turned.velocity[free], axis=1) / np.diff(turned.t[free], axis=1)[..., None]
    np.testing.assert_allclose(fall, turned.gravity[free][:, None] + 0 * fall, atol=1e-9)


def test_the_same_seed_gives_the_same_bytes(mixed):
    again = draw_flights(Conditions(frames=40), 80, seed=1)
    assert again.digest() == mixed.digest()
    assert draw_flights(Conditions(frames=40), 80, seed=2).digest() != mixed.digest()
    fewer = draw_flights(Conditions(frames=40), 50, seed=1)
    assert fewer.digest() == mixed.take(slice(50)).digest()


def test_several_processes_draw_the_same(mixed):
    parallel = draw_flights_parallel(Conditions(frames=40), 80, seed=1, workers=2)
    assert parallel.digest() == mixed.digest()
    with pytest.raises(ValueError, match="workers must be at least 1; got 0"):
        draw_flights_parallel(Conditions(frames=40), 80, seed=1, workers=0)
    with pytest.raises(ValueError, match="n must be at least 1; got 0"):
        draw_flights(Conditions(), 0, seed=1)


def test_the_quiet_and_the_loud_share_their_motions_and_rigs(mixed):
    loud = draw_flights(Conditions(frames=40, noise=2.0, dropout=0.1), 80, seed=1)
    np.testing.assert_array_equal(loud.xyz, mixed.xyz)


def test_drawing_needs_no_opencv():
    program = (
        "import sys; sys.modules['cv2'] = None\n"
        "from liquid_mono3d_ros.synth.flights import Conditions, draw_flights\n"
        "print(draw_flights(Conditions(frames=5), 3, 0).digest())"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == draw_flights(Conditions(frames=5), 3, 0).digest()
