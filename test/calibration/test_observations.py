import dataclasses

import numpy as np
import pytest

from liquid_mono3d_ros.calibration.observations import Observations


@pytest.fixture
def observations():
    return Observations(
        cameras=("left", "right"),
        time=np.arange(3),
        uv=np.array([[[1.0, 2], [3, 4], [np.nan, np.nan]], [[1, 2], [3, 4], [5, 6]]]),
        velocity=np.full((2, 3, 2), np.nan),
        sigma_px=np.ones((2, 3)),
        seen=np.array([[True, True, False], [True, True, True]]),
        track_id=np.array([1, 1, 2]),
    )


def test_a_column_is_one_object_at_one_instant(observations):
    assert len(observations) == 3


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"uv": np.zeros((2, 2, 2))}, ValueError, r"uv must be of shape \(2, 3, 2\)"),
        ({"time": np.arange(3.0)}, TypeError, "time must be an array of integers, ns; got float"),
        ({"seen": np.ones((2, 3))}, TypeError, "seen must be an array of bool"),
        (
            {"seen": np.ones((2, 3), bool)},
            ValueError,
            r"finite where seen; got .* in 1 of 6 sight",
        ),
        ({"sigma_px": np.zeros((2, 3))}, ValueError, "sigma_px must be above 0 where seen; got 0"),
        ({"track_id": np.zeros(2)}, ValueError, r"track_id must be of shape \(3\)"),
    ],
)
def test_refuses_what_does_not_fit(observations, change, error, match):
    with pytest.raises(error, match=match):
        dataclasses.replace(observations, **change)
