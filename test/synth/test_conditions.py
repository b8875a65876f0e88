"""Conditions of a simulation: defaults, bounds, ranges."""

import numpy as np
import pytest

from liquid_mono3d_ros.geometry.triangulator import GeometrySettings
from liquid_mono3d_ros.synth.conditions import Conditions, draw
from liquid_mono3d_ros.synth.recordings import FARTHEST


def test_three_seconds_at_thirty_hertz():
    assert Conditions().num_frames == 90
    assert Conditions(rate=8.0).num_frames == 24
    assert Conditions(rate=(10.0, 120.0), frames=50).num_frames == 50


def test_the_allowances_are_those_of_the_triangulation():
    assert Conditions().pixel_acceleration == GeometrySettings().pixel_acceleration
    assert GeometrySettings().max_range == FARTHEST


def test_a_range_is_drawn_within_its_ends():
    rng = np.random.default_rng(0)
    assert (draw(2.0, 5, rng) == 2.0).all()
    even, log = draw((1.0, 100.0), 4000, rng), draw((1.0, 100.0), 4000, rng, log=True)
    assert min(even.min(), log.min()) >= 1.0
    assert max(even.max(), log.max()) <= 100.0
    assert np.median(even) == pytest.approx(50.5, rel=0.1)
    assert np.median(log) == pytest.approx(10.0, rel=0.1)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"dropout": 1.5}, r"dropout must be a number .* within 0 to 0\.9; got 1\.5"),
        ({"noise": (2.0, 1.0)}, r"noise must be .* ascending pair .*; got \(2\.0, 1\.0\)"),
        ({"rate": (10.0, 20.0)}, "frames must be a number for a range of rates; got None"),
        ({"frames": 1}, "frames must be two or more; got 1"),
        ({"families": ("zigzag",)}, "families must be of line"),
        ({"version": "0"}, "version must be '1'; got '0'"),
    ],
)
def test_wrong_conditions_are_refused(change, text):
    with pytest.raises(ValueError, match=text):
        Conditions(**change)
