"""Several objects, from detections to trajectories: names, ghosts; and no NaN out of a point."""

import math

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from scenes import camera, tracks2d

from liquid_mono3d_ros.bench import multi_object
from liquid_mono3d_ros.bench.multi_object import Score, measure, play
from liquid_mono3d_ros.geometry.agreement import locate
from liquid_mono3d_ros.geometry.rig import Rig
from liquid_mono3d_ros.geometry.triangulation import Views
from liquid_mono3d_ros.geometry.triangulator import GeometrySettings, Triangulator
from liquid_mono3d_ros.records import (
    FilterKind,
    Health,
    Kind,
    State,
    Trajectories,
    Trajectory,
)


@pytest.mark.parametrize("scene", multi_object.SCENES)
def test_crossing_objects_keep_their_names_and_leave_no_ghost(scene):
    row = play(scene, seed=1, duration=8.0, clutter=3.0)
    assert row["identity_kept_percent"] >= 98.0
    assert row["oldest_ghost_s"] <= 0.5
    assert row["median_mm"] < 15.0


def test_the_report_names_its_targets():
    report = measure(seeds=1, duration=3.0, clutters=(0.3,))
    assert len(report.rows) == len(multi_object.SCENES)
    assert {t.name for t in report.targets} == {
        "identity_kept_mean_percent",
        "identity_kept_worst_percent",
        "oldest_ghost_s",
    }


def at(track_id, xyz):
    return Trajectory(
        stamp=0,
        track_id=track_id,
        epoch=0,
        state=State.CONFIRMED,
        measured=True,
        xyz=np.array(xyz, dtype=float),
        velocity=np.zeros(3),
        covariance=np.eye(6),
        filter=FilterKind.CV,
        health=Health.GOOD,
        last_measured=0,
    )


def test_a_swap_of_names_and_a_ghost_are_counted():
    score, truth = Score(), np.array([[0.0, 0, 0], [1.0, 0, 0]])
    for time in range(10):
        names = (1, 2) if time < 8 else (2, 1)
        near = [at(name, xyz) for name, xyz in zip(names, truth, strict=True)]
        ghost = [at(9, [5.0, 0, 0])] if 3 <= time < 6 else []
        score.add(Trajectories(0, "world", 0, tuple(near + ghost)), truth, float(time))
    assert score.kept_percent() == pytest.approx(80.0)
    assert score.oldest_ghost == pytest.approx(2.0)


FEW = settings(max_examples=20, deadline=None, phases=(Phase.explicit, Phase.generate))


def metres(least, most):
    """To a millimetre, so that no distance is a denormal number."""
    return st.integers(round(1000 * least), round(1000 * most)).map(lambda mm: mm / 1000)


numbers = st.floats(-1e4, 1e4) | st.sampled_from([math.nan, 0.0])


@st.composite
def rigs(draw):
    """Two to four cameras anywhere, perhaps in one place."""
    places = st.tuples(metres(-5, 5), metres(-5, 5), metres(0, 3))
    centres = draw(st.lists(places, min_size=2, max_size=4))
    if draw(st.booleans()):
        centres[1] = centres[0]
    targets = [(x + draw(st.sampled_from([-1.0, 1.0])), y, z) for x, y, z in centres]
    names = [f"cam{k}" for k in range(len(centres))]
    return Rig({n: camera(n, *p) for n, *p in zip(names, centres, targets, strict=True)})


@FEW
@given(rigs(), st.data())
def test_whatever_the_cameras_say_no_point_is_nan(rig, data):
    triangulator = Triangulator(GeometrySettings(), rig)
    pixels = st.lists(st.tuples(numbers, numbers), max_size=4)
    for frame in range(6):
        for seen_by in rig.cameras.values():
            uv = np.array(data.draw(pixels), dtype=float).reshape(-1, 2)
            tracks = tracks2d(seen_by, frame * 33_000_000, uv)
            for points in triangulator.add(tracks):
                check(points)


@FEW
@given(rigs(), st.data())
def test_a_point_anywhere_is_a_point_a_bearing_or_dropped(rig, data):
    triangulator = Triangulator(GeometrySettings(), rig)
    xyz = np.array(data.draw(st.tuples(*[metres(-50, 50)] * 3)))[None]
    for frame in range(6):
        for seen_by in rig.cameras.values():
            uv = seen_by.project(xyz)  # NaN behind the camera
            for points in triangulator.add(tracks2d(seen_by, frame * 33_000_000, uv)):
                check(points)
                for found in points.xyz[points.kind == Kind.POINT]:
                    in_front = [c.in_front(found[None])[0] for c in rig.cameras.values()]
                    assert sum(in_front) >= 2


def check(points):
    located = points.kind == Kind.POINT
    for name in (
        "xyz",
        "covariance",
        "reprojection_error_px",
        "parallax_rad",
    ):
        assert np.isfinite(getattr(points, name)[located]).all(), name
    for name in ("ray_origin", "ray_direction", "ray_covariance"):
        assert np.isfinite(getattr(points, name)[~located]).all(), name
    assert (np.linalg.eigvalsh(points.covariance[located]) > 0).all()


@FEW
@given(st.integers(2, 5), st.integers(0, 4), st.integers(0, 2**32 - 1))
def test_locate_marks_what_it_cannot_know(num_cameras, num_points, seed):
    rng = np.random.default_rng(seed)
    shape = (num_cameras, num_points)
    turns = np.linalg.qr(rng.normal(size=(num_cameras, 3, 3)))[0]
    turns *= np.sign(np.linalg.det(turns))[:, None, None]
    P = np.concatenate([turns, rng.normal(size=(num_cameras, 3, 1))], axis=2)
    if seed % 3 == 0:
        P[1] = P[0]
    views = Views(
        P=P,
        uv=rng.standard_cauchy(size=(*shape, 2)),
        seen=rng.random(shape) < 0.7,
        covariance_px=np.tile(np.eye(2), (*shape, 1, 1)),
        scale=np.tile(500.0 * np.eye(2), (*shape, 1, 1)),
    )
    located = locate(views, np.full(shape, 4.0))
    known = np.isfinite(located.xyz).all(axis=1)
    np.testing.assert_array_equal(known, np.count_nonzero(located.used, axis=0) >= 2)
    assert not (located.used & ~views.seen).any()
    length = np.linalg.norm(located.residual_px, axis=2)
    assert (length[located.used] <= 4.0).all()
    assert np.isfinite(located.covariance[known]).all()
