"""Scenes are what they say."""

from __future__ import annotations

import numpy as np
import pytest

from liquid_mono3d_ros.bench.track_scenes import (
    HEIGHT,
    NOISE,
    RATE,
    SCENES,
    WIDTH,
    crowd,
    hiding,
    small_and_fast,
)


@pytest.mark.parametrize("name", SCENES)
def test_a_seed_gives_one_scene(name: str) -> None:
    first, again, other = SCENES[name](3), SCENES[name](3), SCENES[name](4)
    assert np.array_equal(first.uv, again.uv)
    assert all(np.array_equal(a, b) for a, b in zip(first.seen, again.seen, strict=True))
    assert not np.array_equal(first.uv, other.uv)


def test_a_crowd_is_missed_and_cluttered_as_told() -> None:
    scene = crowd(0)
    assert scene.uv.shape == (150, 100, 2)
    assert (scene.uv >= 0).all()
    assert (scene.uv <= (WIDTH, HEIGHT)).all()
    nearest = [
        np.linalg.norm(truth[:, None] - seen, axis=2).min(axis=1)
        for truth, seen in zip(scene.uv, scene.seen, strict=True)
    ]
    assert abs((np.array(nearest) > 5 * NOISE).mean() - 0.1) < 0.02
    assert 90 < np.mean([len(seen) for seen in scene.seen]) < 97
    assert scene.boxes(0)[0].tolist() == [*(scene.seen[0][0] - 20), 40, 40]


def test_small_ones_outrun_their_boxes() -> None:
    scene = small_and_fast(0)
    step = np.linalg.norm(np.diff(scene.uv, axis=0), axis=2)
    assert step.min() > 4.9
    assert step.max() < 25.1
    assert (step > scene.side).mean() > 0.9


def test_everyone_hides_once_for_less_than_a_second_and_the_farther_one_twice() -> None:
    scene = hiding(0)
    for i in range(scene.uv.shape[1]):
        edges = np.flatnonzero(np.diff(scene.visible[:, i].astype(int)))
        gaps = (edges[1::2] - edges[::2]) / RATE
        assert len(gaps) == 1 + i % 2
        assert (gaps < 1).all()
        assert (gaps[-1:] > 0.4).all()
