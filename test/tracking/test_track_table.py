from __future__ import annotations

from dataclasses import replace

import numpy as np

from liquid_mono3d_ros.records import State
from liquid_mono3d_ros.tracking.detection import Detections
from liquid_mono3d_ros.tracking.track_table import newborn


def test_newborn_counts_ids_up_and_is_tentative() -> None:
    born = newborn(Detections.at(np.array([[1.0, 2.0], [3.0, 4.0]]), 2.0), 7, 99, 100.0)
    assert born.track_id.tolist() == [7, 8]
    assert born.track_id.dtype == np.uint64
    assert born.state.tolist() == [State.TENTATIVE] * 2
    assert born.last_measured.tolist() == [99, 99]
    assert born.P.shape == (2, 4, 4)


def test_convention_velocity_is_nan_until_measured_twice() -> None:
    born = newborn(Detections.at(np.array([[1.0, 2.0], [3.0, 4.0]]), 2.0), 1, 0, 100.0)
    assert np.isnan(born.velocity).all()
    later = replace(born, num_measured=np.array([1, 2]))
    assert np.isnan(later.velocity[0]).all()
    assert later.velocity[1].tolist() == [0.0, 0.0]


def test_rows_and_joined_are_inverse() -> None:
    born = newborn(Detections.at(np.arange(6.0).reshape(3, 2), 2.0), 1, 0, 100.0)
    first, rest = born.rows(np.array([0])), born.rows(np.array([False, True, True]))
    whole = first.joined(rest)
    assert len(whole) == 3
    assert np.array_equal(whole.x, born.x)
    assert whole.class_id.tolist() == ["", "", ""]
