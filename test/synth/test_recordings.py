"""Recordings before they are measured: turns of the world, false points, what is claimed."""

import numpy as np
import pytest

from liquid_mono3d_ros.synth.conditions import Conditions
from liquid_mono3d_ros.synth.recordings import ASTRAY, CHUNK, haar, measure, record


def test_haar_turns_anything_anywhere():
    R = haar(4000, np.random.default_rng(0))
    np.testing.assert_allclose(R @ R.swapaxes(1, 2), np.eye(3) + 0 * R, atol=1e-14)
    np.testing.assert_allclose(np.linalg.det(R), 1)
    angle = np.arccos(np.clip((np.trace(R, axis1=1, axis2=2) - 1) / 2, -1, 1))
    assert angle.mean() == pytest.approx(np.pi / 2 + 2 / np.pi, abs=0.03)
    assert np.abs(R.mean(axis=0)).max() < 0.04


def test_what_is_claimed_is_the_truth_unless_said_otherwise():
    true = record(0, Conditions(frames=3, calibration_deg=0.3, clock_ms=2.0), 0)
    np.testing.assert_allclose(true.calibration, np.deg2rad(0.3))
    np.testing.assert_allclose(true.clock, 0.002)
    told = Conditions(frames=3, claimed_calibration_deg=0.1, claimed_clock_ms=(1.0, 2.0))
    claimed = record(0, told, 0)
    np.testing.assert_allclose(claimed.calibration, np.deg2rad(0.1))
    assert claimed.clock.min() >= 0.001
    assert not claimed.exposures.offsets.any()
    assert measure(claimed).B.any()


def test_a_false_point_is_where_it_was_put():
    conditions = Conditions(frames=20, outliers=0.2, noise=1e-9, families=("hover",), rotate=False)
    recordings = record(0, conditions, 1)
    length = np.linalg.norm(recordings.astray, axis=2)
    assert length.max() <= ASTRAY[1]
    flights = measure(recordings)
    off = np.linalg.norm(flights.z - flights.xyz - recordings.astray, axis=2)[flights.outlier]
    assert len(off) > CHUNK
    assert np.median(off) < 1e-3
