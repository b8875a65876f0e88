"""Random rigs: where they stand, what they see."""

import numpy as np
import pytest

from liquid_mono3d_ros.geometry.camera import Camera
from liquid_mono3d_ros.synth.random_rigs import (
    BASELINE,
    DISTANCE,
    FOCAL,
    draw_rigs,
    rotation,
)

N = 60


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(0)
    way = rng.uniform(-0.8, 0.8, (N, 9, 3))
    return way, draw_rigs(way, np.full(N, 1.4), np.full(N, 1.0), np.zeros(N), rng)


def test_rotation_is_that_of_rodrigues():
    quarter = rotation(np.array([0.0, 0.0, np.pi / 2]))
    np.testing.assert_allclose(quarter @ [1, 0, 0], [0, 1, 0], atol=1e-15)
    np.testing.assert_array_equal(rotation(np.zeros((2, 3))), np.eye(3) + np.zeros((2, 1, 1)))
    R = rotation(np.random.default_rng(0).normal(size=(5, 3)))
    np.testing.assert_allclose(R @ R.swapaxes(1, 2), np.eye(3) + np.zeros((5, 1, 1)), atol=1e-14)
    np.testing.assert_allclose(np.linalg.det(R), 1)


def test_convention_projection_is_that_of_the_cameras(drawn):
    way, rigs = drawn
    uv, depth = rigs.project(np.repeat(way[:, None], 4, axis=1))
    K = np.array([[rigs.focal[3, 1], 0, 0], [0, rigs.focal[3, 1], 0], [0, 0, 1]])
    K[:2, 2] = rigs.principal[3, 1]
    R_cw = rigs.R_cw[3, 1]
    camera = Camera("c", 640, 480, K, np.zeros(0), "plumb_bob", R_cw, -R_cw @ rigs.centre[3, 1])
    pixels = uv[3, 1] * rigs.focal[3, 1] + rigs.principal[3, 1]
    np.testing.assert_allclose(camera.project(way[3]), pixels, atol=1e-9)
    np.testing.assert_allclose(camera.P, rigs.P[3, 1], atol=1e-12)
    assert (depth > 0).all()


def test_every_camera_sees_the_whole_way(drawn):
    way, rigs = drawn
    uv, _ = rigs.project(np.repeat(way[:, None], 4, axis=1))
    assert rigs.inside(uv)[rigs.present].all()
    behind, _ = rigs.project(rigs.centre[:, :, None] * 2)
    assert not rigs.inside(behind)[:, 0].any()


def test_numbers_are_within_their_bounds(drawn):
    _, rigs = drawn
    assert set(rigs.present.sum(axis=1)) == {2, 3, 4}
    distance = np.linalg.norm(rigs.centre[:, 0], axis=1)
    baseline = np.linalg.norm(rigs.centre[:, 1:] - rigs.centre[:, :1], axis=2)
    for values, (low, high) in ((distance, DISTANCE), (baseline, BASELINE), (rigs.focal, FOCAL)):
        assert values.min() >= low - 1e-9
        assert values.max() <= high + 1e-9
    ratio = np.unique(np.round(rigs.size[..., 1] / rigs.size[..., 0], 2))
    assert set(ratio) <= {0.56, 0.57, 0.75}


def test_a_bad_calibration_asks_for_a_wide_baseline(drawn):
    way, exact = drawn
    rng = np.random.default_rng(0)
    bad = draw_rigs(way, np.full(N, 1.4), np.full(N, 1.0), np.full(N, np.deg2rad(0.5)), rng)
    wide, usual = (
        np.linalg.norm(rigs.centre[:, 1] - rigs.centre[:, 0], axis=1)
        / np.linalg.norm(rigs.centre[:, 0], axis=1)
        for rigs in (bad, exact)
    )
    assert np.median(wide) > 1.2 * np.median(usual)


def test_what_no_rig_can_locate_is_refused():
    way = np.zeros((1, 9, 3))
    with pytest.raises(
        ValueError, match=r"conditions must be such that a rig .* got 0 degrees, 99"
    ):
        draw_rigs(way, np.ones(1), np.full(1, 99.0), np.zeros(1), np.random.default_rng(0))
