from dataclasses import dataclass

import numpy as np

from liquid_mono3d_ros.liquid.rows import ALL, Rows, choose


@dataclass(frozen=True)
class Pair(Rows):
    a: np.ndarray
    b: np.ndarray


def test_take_put_join():
    rows = Pair(np.arange(3), np.arange(6).reshape(3, 2))
    assert len(rows) == 3
    taken = rows.take(np.array([2, 0]))
    assert taken.b.tolist() == [[4, 5], [0, 1]]
    changed = rows.put(np.array([1]), Pair(np.array([9]), np.array([[7, 8]])))
    assert changed.a.tolist() == [0, 9, 2]
    assert rows.a.tolist() == [0, 1, 2]
    assert rows.join(taken).a.tolist() == [0, 1, 2, 2, 0]


def test_all_rows_in_order_are_no_choice():
    assert choose(np.array([0, 1, 2]), 3) is ALL
    assert choose(np.array([0, 2, 1]), 3) is not ALL
    assert choose(np.array([0, 1]), 3) is not ALL
