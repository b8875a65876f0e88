"""Identity switches, coverage and false tracks, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from liquid_mono3d_ros.bench.track_scores import REACH, Score, score

TRUTH = np.array([[[10.0 * k, 0.0], [10.0 * k, 100.0]] for k in range(6)])  # two objects, 6 images
ALL = np.ones((6, 2), dtype=bool)


def tracked(*ids: tuple[int, ...]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Tracks exactly on the objects: ids of the first and the second, 0 for none."""
    return [
        (np.array([i for i in image if i], dtype=np.int64), TRUTH[k][np.array(image) > 0])
        for k, image in enumerate(ids)
    ]


def test_perfect_tracks() -> None:
    assert score(TRUTH, ALL, tracked(*[(1, 2)] * 6)) == Score(0, 1.0, 0)


def test_a_swap_is_two_switches() -> None:
    assert score(TRUTH, ALL, tracked(*[(1, 2)] * 3, *[(2, 1)] * 3)).switches == 2


def test_a_new_id_after_a_gap_is_a_switch_and_the_old_one_is_none() -> None:
    assert score(TRUTH, ALL, tracked((1, 2), (0, 2), (3, 2), (3, 2), (3, 2), (3, 2))).switches == 1
    assert score(TRUTH, ALL, tracked((1, 2), (0, 2), (1, 2), (1, 2), (1, 2), (1, 2))).switches == 0


def test_who_returns_nothing_has_no_coverage() -> None:
    assert score(TRUTH, ALL, tracked(*[(0, 0)] * 6)) == Score(0, 0.0, 0)


def test_hidden_objects_are_not_asked_for_but_may_be_tracked() -> None:
    visible = ALL.copy()
    visible[2:, 1] = False
    assert score(TRUTH, visible, tracked(*[(1, 2)] * 6)) == Score(0, 1.0, 0)
    assert score(TRUTH, visible, tracked(*[(1, 2)] * 2, *[(1, 0)] * 4)) == Score(0, 1.0, 0)


def test_a_track_of_nothing_is_false() -> None:
    images = [
        (np.append(ids, 9), np.vstack([uv, [500.0, 500.0]])) for ids, uv in tracked(*[(1, 2)] * 6)
    ]
    assert score(TRUTH, ALL, images) == Score(0, 1.0, 1)


@pytest.mark.parametrize(("off", "coverage"), [(REACH - 0.1, 1.0), (REACH + 0.1, 0.5)])
def test_a_track_out_of_reach_does_not_count(off: float, coverage: float) -> None:
    images = tracked(*[(1, 2)] * 6)
    for _, uv in images:
        uv[1, 1] += off
    assert score(TRUTH, ALL, images).coverage == coverage


def test_the_pair_of_the_image_before_is_kept_though_another_is_nearer() -> None:
    truth = np.zeros((2, 1, 2))
    images = [
        (np.array([1]), np.zeros((1, 2))),
        (np.array([1, 2]), np.array([[5.0, 0.0], [1.0, 0.0]])),
    ]
    assert score(truth, np.ones((2, 1), dtype=bool), images).switches == 0
