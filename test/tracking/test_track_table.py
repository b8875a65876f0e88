from __future__ import annotations

from dataclasses import replace

import numpy as np

from liquid_mono3d_ros.records import State
from liquid_mono3d_ros.tracking import motion
from liquid_mono3d_ros.tracking.detection import Detections
from liquid_mono3d_ros.tracking.track_table import TrackTable, newborn


def born(uv: list[tuple[float, float]], first_id: int = 1, stamp: int = 0) -> TrackTable:
    seen = Detections.at(np.array(uv), 2.0)
    begun = motion.start(seen.uv.T, seen.sigma_px, 100.0, 0.1)
    return newborn(seen, np.arange(len(uv)), first_id, stamp, begun)


def test_newborn_counts_ids_up_and_is_tentative() -> None:
    table = born([(1, 2), (3, 4)], 7, 99)
    assert table.track_id.tolist() == [7, 8]
    assert table.track_id.dtype == np.uint64
    assert table.state.tolist() == [State.TENTATIVE] * 2
    assert table.last_measured.tolist() == [99, 99]
    assert table.x.tolist() == [[1, 2, 0, 0], [3, 4, 0, 0]]
    assert np.allclose(table.P, [np.diag([4, 4, 1e4, 1e4])] * 2)


def test_convention_velocity_is_nan_until_measured_twice() -> None:
    table = born([(1, 2), (3, 4)])
    assert np.isnan(table.velocity).all()
    later = replace(table, num_measured=np.array([1, 2]))
    assert np.isnan(later.velocity[0]).all()
    assert later.velocity[1].tolist() == [0.0, 0.0]


def test_rows_and_joined_are_inverse() -> None:
    table = born([(0, 1), (2, 3), (4, 5)])
    whole = table.rows(np.array([0])).joined(table.rows(np.array([1, 2])))
    assert len(whole) == 3
    assert np.array_equal(whole.x, table.x)
    assert whole.class_id.tolist() == ["", "", ""]
