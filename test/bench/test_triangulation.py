"""The bench of the triangulation: its scenes are what they say, its report has every row."""

import numpy as np
import pytest

from liquid_mono3d_ros.bench import triangulation, triangulation_peers
from liquid_mono3d_ros.bench.report import tables
from liquid_mono3d_ros.bench.triangulation_scenes import (
    in_room,
    look,
    points_for,
    rigs,
    room,
    spoil,
    turned,
    views_of,
)
from liquid_mono3d_ros.geometry.agreement import locate


@pytest.fixture(scope="module")
def report():
    return triangulation.measure(points=400, draws=60, slow_points=5)


def test_every_part_has_its_rows(report):
    parts = {row["part"] for row in report.rows}
    assert parts == {
        "speed",
        "gross errors",
        "white covariance",
        "with 0.3° per axis and 5 ms",
        "too far for the pair",
        "one view 4 times worse",
        "one view 10 times worse",
    }
    assert "| ours " in tables(report.document())


def test_targets_of_accuracy_are_met_by_a_short_run(report):
    targets = {t.name: t for t in report.targets}
    assert targets["5_percent_moved_p99_mm"].met
    assert targets["5_percent_anywhere_p99_mm"].met
    assert all(np.isfinite(t.value) for t in report.targets)


def test_gross_errors_ruin_the_linear_solution_only(report):
    p99 = {
        (r["scene"], r["method"]): r["p99_mm"]
        for r in report.rows
        if "p99_mm" in r and "scene" in r and "method" in r
    }
    assert p99["5 % moved", "linear, 4 views"] > 10 * p99["5 % moved", "ours"]
    clean = p99["no gross errors", "ours"]
    assert p99["5 % moved", "ours"] < 1.5 * clean


def test_a_sigma_per_view_pays(report):
    p50 = {r["method"]: r["p50_mm"] for r in report.rows if r["part"] == "one view 10 times worse"}
    assert p50["one sigma for all"] > 2 * p50["its own sigma"]


def test_what_is_too_far_is_placed_too_far(report):
    rows = [r for r in report.rows if r["part"] == "too far for the pair"]
    bias = {r["sigma_z_percent"]: r["z_bias_percent"] for r in rows}
    assert abs(bias[2.0]) < 0.5
    assert bias[30.0] > 3.0


def test_all_methods_find_points_without_noise():
    cameras = room()
    xyz = in_room(np.random.default_rng(0), 6)
    uv = look(cameras, xyz)
    for method in ("ours", "dlt", "opencv_pair", "huber"):
        found = getattr(triangulation_peers, method)(cameras, uv)
        np.testing.assert_allclose(found, xyz, atol=1e-5, err_msg=method)


@pytest.mark.parametrize("name", rigs())
def test_every_rig_sees_its_points(name):
    cameras, distance = rigs()[name]
    xyz = points_for(np.random.default_rng(0), 200, distance)
    views = views_of(cameras, look(cameras, xyz))
    assert views.seen.all()
    found = locate(views, np.full(views.seen.shape, 1.0)).xyz
    np.testing.assert_allclose(found, xyz, atol=1e-3)


def test_gross_errors_have_their_share():
    uv = np.full((4, 5000, 2), 500.0)
    for kind in ("moved", "anywhere"):
        spoiled = spoil(np.random.default_rng(0), uv, kind)
        share = np.mean((spoiled != uv).any(axis=2))
        assert share == pytest.approx(0.05, abs=0.005)


def test_a_turned_camera_stays_where_it_is():
    camera = room()[0]
    moved = turned(camera, np.array([0.0, 0.01, 0.0]))
    np.testing.assert_allclose(moved.centre, camera.centre, atol=1e-12)
    ahead = camera.centre + camera.R_cw[2]
    shift = moved.project(ahead[None]) - camera.project(ahead[None])
    np.testing.assert_allclose(shift, [[1400.0 * np.tan(0.01), 0.0]], atol=1e-6)
