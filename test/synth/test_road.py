"""The batch simulation and the whole road agree on the same pixels."""

import numpy as np
import pytest

from liquid_mono3d_ros.synth.flights import Conditions, draw_flights
from liquid_mono3d_ros.synth.road import through_the_road


def test_the_road_measures_what_the_simulation_says():
    conditions = Conditions(families=("line", "hover", "circle"), frames=30, clock_ms=1.0)
    short, road = draw_flights(conditions, 6, seed=3), through_the_road(conditions, 6, seed=3)
    np.testing.assert_array_equal(road.xyz, short.xyz)
    np.testing.assert_array_equal(road.family, short.family)
    both = road.seen & short.seen
    assert both.mean() > 0.9
    same = np.linalg.norm(road.z - short.z, axis=2)[both] < 1e-6
    assert same.mean() > 0.8
    here = np.argwhere(both)[same]
    n, t = here.T
    np.testing.assert_allclose(road.R[n, t], short.R[n, t], rtol=1e-3, atol=1e-9)
    ratio = np.trace(road.B[n, t], axis1=1, axis2=2) / np.trace(short.B[n, t], axis1=1, axis2=2)
    assert np.median(ratio) == pytest.approx(1.0, abs=0.05)


def test_the_road_has_no_outliers():
    with pytest.raises(ValueError, match=r"outliers must be 0 on the road; got 0\.1"):
        through_the_road(Conditions(outliers=0.1), 1, seed=0)
