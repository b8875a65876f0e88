from dataclasses import replace

import numpy as np
import pytest
from scenes import room_rig, stereo_rig, tracks2d

from liquid_mono3d_ros.geometry.association import Associator
from liquid_mono3d_ros.geometry.pair_distance import PairDistance
from liquid_mono3d_ros.geometry.timing import TrackBuffer
from liquid_mono3d_ros.geometry.view import view
from liquid_mono3d_ros.records import SECOND

SETTINGS = {
    "frames": 10,
    "birth_px": 10.0,
    "join_px": 60.0,
    "calibration_sigma": 0.002,
    "min_parallax": 0.003,
    "forget_after": SECOND,
}


def look(rig, xyz, names, *, noise_px=0.3, seed=0, offset=None):
    """Views of points; ``names``: camera → 2D track of each point, 0 where it is not seen."""
    rng = np.random.default_rng(seed)
    views = {}
    for camera, track_ids in names.items():
        seen_by = rig.cameras[camera]
        rows = [n for n, name in enumerate(track_ids) if name]
        uv = seen_by.project(np.asarray(xyz, float)[rows]) + rng.normal(
            0, noise_px, (len(rows), 2)
        )
        uv = uv + (offset or {}).get(camera, 0.0)
        buffer = TrackBuffer(
            seen_by, memory=1.0, max_bracket=1.0, max_extrapolation=0.1, acceleration=0.0
        )
        ids = [track_ids[n] for n in rows]
        buffer.add(tracks2d(seen_by, 0, uv, track_id=ids))
        views[camera] = view(seen_by, buffer.evaluate(0))
    return views


def members(clusters):
    return sorted(tuple(sorted(c.members.items())) for c in clusters)


def settle(associator, clusters, xyz, time):
    for cluster, point in zip(clusters, np.atleast_2d(xyz), strict=True):
        associator.settle(cluster, point, np.eye(3) * 1e-4, time)


def test_tracks_of_three_objects_in_four_views():
    rig = room_rig(4)
    xyz = [[0.5, 0.0, 1.0], [-0.4, 0.3, 0.6], [0.0, -0.5, 1.5]]
    order = {"cam1": [1, 2, 3], "cam2": [3, 1, 2], "cam3": [2, 3, 0], "cam4": [9, 8, 7]}
    associator, views = Associator(**SETTINGS), look(rig, xyz, order)
    assert associator.update(views, 0) == []  # strangers may be close once, not time and again
    for frame in range(1, 5):
        clusters = associator.update(views, frame)
    expected = [{camera: ids[n] for camera, ids in order.items() if ids[n]} for n in range(3)]
    assert members(clusters) == sorted(tuple(sorted(e.items())) for e in expected)


def test_numbers_are_given_once_located_and_never_again():
    rig, xyz = room_rig(2), [[0.5, 0.0, 1.0], [-0.4, 0.3, 0.5]]
    associator = Associator(**SETTINGS)
    for frame in range(3):
        views = look(rig, xyz, {"cam1": [1, 2], "cam2": [1, 2]})
        clusters = associator.update(views, frame)
    assert [c.track_id for c in clusters] == [0, 0]
    settle(associator, clusters, xyz, 0)
    assert [c.track_id for c in clusters] == [1, 2]
    associator.reset()
    clusters = associator.update(look(rig, xyz[:1], {"cam1": [1], "cam2": [1]}), 0)
    settle(associator, clusters, xyz[:1], 0)
    assert [c.track_id for c in clusters] == [3]


def test_the_number_stays_while_one_2d_track_goes_on():
    rig, xyz = room_rig(3), [[0.5, 0.0, 1.0]]
    associator = Associator(**SETTINGS)
    history = [(1, 1, 1), (1, 1, 0), (1, 5, 0), (0, 5, 0), (0, 5, 8), (3, 5, 8), (3, 0, 0)]
    for frame, ids in enumerate(history):
        names = dict(zip(rig.cameras, ([n] for n in ids), strict=True))
        clusters = associator.update(look(rig, xyz, names, seed=frame), frame * SECOND // 30)
        if sum(map(bool, ids)) >= 2:
            settle(associator, clusters, xyz, frame * SECOND // 30)
        assert [c.track_id for c in clusters] == [1]
        assert [c.members.get(name, 0) for c in clusters for name in rig.cameras] == list(ids)
    names = {name: [0] for name in rig.cameras}
    assert associator.update(look(rig, xyz, names), SECOND // 3) == []


def test_a_camera_without_an_answer_keeps_its_track():
    rig, xyz = room_rig(3), [[0.5, 0.0, 1.0]]
    associator = Associator(**SETTINGS)
    names = {"cam1": [1], "cam2": [1], "cam3": [1]}
    settle(associator, associator.update(look(rig, xyz, names), 0), xyz, 0)
    del names["cam3"]
    (cluster,) = associator.update(look(rig, xyz, names), 1)
    assert cluster.members == {"cam1": 1, "cam2": 1, "cam3": 1}


def test_motion_tells_apart_what_shares_an_epipolar_plane():
    rig = stereo_rig()
    associator = Associator(**SETTINGS)
    for frame in range(20):
        t = frame / 10
        xyz = [[4.0, 0.5, 1.0 + 0.3 * t], [4.0, -0.2, 1.0 - 0.3 * t]]  # one row at first
        names = {"left": [1, 2], "right": [2, 1]}
        clusters = associator.update(look(rig, xyz, names, seed=frame), frame * SECOND // 10)
        if frame < 4:
            assert clusters == []  # waits: either pairing is as good
    assert members(clusters) == [(("left", 1), ("right", 2)), (("left", 2), ("right", 1))]


def test_a_badly_calibrated_camera_joins_but_does_not_give_birth():
    rig, xyz = room_rig(3), [[0.5, 0.0, 1.0]]
    names = {"cam1": [1], "cam2": [1], "cam3": [1]}
    views = look(rig, xyz, names, offset={"cam3": [10.0, 40.0]})
    associator = Associator(**SETTINGS)
    associator.update(views, 0)
    (cluster,) = associator.update(views, 1)
    assert cluster.members == {"cam1": 1, "cam2": 1, "cam3": 1}
    del views["cam1"]
    assert Associator(**SETTINGS).update(views, 0) == []


def test_a_2d_track_that_jumps_to_another_object_is_let_go():
    rig, associator = room_rig(3), Associator(**SETTINGS)
    one, other = [0.5, 0.0, 1.0], [-0.6, 0.5, 0.3]
    names = {"cam1": [1, 0], "cam2": [1, 0], "cam3": [1, 0]}
    settle(associator, associator.update(look(rig, [one, other], names), 0), [one], 0)
    jumped = {"cam1": [1, 0], "cam2": [1, 0], "cam3": [4, 1]}  # its 1 is on the other object now
    for frame in range(1, 12):
        views = look(rig, [one, other], jumped, seed=frame)
        clusters = associator.update(views, frame * SECOND // 30)
        settle(associator, clusters[:1], [one], frame * SECOND // 30)
    assert members(clusters) == [(("cam1", 1), ("cam2", 1), ("cam3", 4))]
    assert clusters[0].track_id == 1


def test_a_pair_that_parts_ends():
    rig, associator = stereo_rig(), Associator(**SETTINGS)
    for frame in range(25):
        apart = 0.02 * frame  # of 4 m: up to 60 px
        xyz = [[4.0, 0.5, 1.0], [4.0, 0.5, 1.0 + apart]]
        views = look(rig, xyz, {"left": [1, 0], "right": [0, 1]})
        clusters = associator.update(views, frame)
        if frame == 0:
            assert len(clusters) == 1
    assert clusters == []


def test_where_the_object_was_decides_between_two_that_fit():
    # Both candidates lie on the epipolar line of the left track; only one is where it was.
    rig, associator = stereo_rig(), Associator(**SETTINGS)
    here, nearer = [5.0, 0.0, 1.0], [4.0, 0.03, 1.0]
    assert rig.cameras["left"].project(np.array([here]))[0] == pytest.approx(
        rig.cameras["left"].project(np.array([nearer]))[0], abs=0.1
    )
    settle(
        associator, associator.update(look(rig, [here], {"left": [1], "right": [1]}), 0), here, 0
    )
    views = look(rig, [here, nearer, nearer], {"left": [1, 0, 0], "right": [7, 6, 0]})
    (cluster,) = associator.update(views, SECOND // 30)
    assert cluster.members == {"left": 1, "right": 7}


def test_an_object_never_located_is_forgotten():
    rig, associator = room_rig(2), Associator(**SETTINGS)
    views = look(rig, [[0.5, 0.0, 1.0]], {"cam1": [1], "cam2": [1]})
    (first,) = associator.update(views, 0)
    (second,) = associator.update(views, 2 * SECOND)
    assert first is not second


def test_a_tracker_that_starts_anew_loses_its_numbers():
    rig, xyz = room_rig(3), [[0.5, 0.0, 1.0]]
    associator = Associator(**SETTINGS)
    names = {"cam1": [1], "cam2": [1], "cam3": [1]}
    settle(associator, associator.update(look(rig, xyz, names), 0), xyz, 0)
    associator.forget_camera("cam2")
    assert associator.clusters[0].members == {"cam1": 1, "cam3": 1}


def test_mean_distance_runs_over_the_last_frames():
    rig = stereo_rig()
    views = look(rig, [[4.0, 0.0, 1.0]], {"left": [3], "right": [5]})
    pair = PairDistance(4, 120.0)
    a, b = views["left"], views["right"]
    for px in (1.0, 3.0, 2.0):
        pair.update(a, b, np.array([[px**2]]), np.array([[px]]))
    assert (pair.mahalanobis2, pair.px, pair.count) == pytest.approx((14 / 3, 2.0, 3))
    for _ in range(60):
        pair.update(a, b, np.array([[1e9]]), np.array([[1e9]]))
    assert (pair.mahalanobis2, pair.px) == pytest.approx((100.0, 120.0), rel=1e-3)  # capped
    assert pair.count == 4
    stale = replace(a, fresh=np.array([False]))
    pair.update(stale, b, np.zeros((1, 1)), np.zeros((1, 1)))
    assert pair.px == pytest.approx(120.0, rel=1e-3)


def test_mean_distance_follows_tracks_to_other_rows():
    rig = stereo_rig()
    xyz = [[4.0, 0.0, 1.0], [4.0, 0.5, 1.2]]
    first = look(rig, xyz, {"left": [3, 4], "right": [5, 6]})
    pair = PairDistance(10, 120.0)
    distances = np.array([[1.0, 2.0], [3.0, 4.0]])
    pair.update(first["left"], first["right"], distances, distances)
    second = look(rig, xyz, {"left": [4, 9], "right": [6, 5]})
    pair.update(second["left"], second["right"], np.zeros((2, 2)), np.zeros((2, 2)))
    np.testing.assert_array_equal(pair.px, [[2.0, 1.5], [0.0, 0.0]])
    np.testing.assert_array_equal(pair.count, [[2, 2], [1, 1]])


def test_tracks_that_swap_in_one_image_are_swapped_back():
    rig, associator = room_rig(3), Associator(**SETTINGS)
    start, ids = [[0.5, 0.0, 1.0], [-0.6, 0.5, 0.3]], {"cam1": [1, 2], "cam2": [1, 2]}
    for frame in range(60):
        order = [1, 2] if frame < 20 else [2, 1]  # from then on each shows the other object
        views = look(rig, start, ids | {"cam3": order}, seed=frame)
        clusters = associator.update(views, frame * SECOND // 30)
        if frame >= 2:
            settle(associator, clusters, start, frame * SECOND // 30)
    assert members(clusters) == [
        (("cam1", 1), ("cam2", 1), ("cam3", 2)),
        (("cam1", 2), ("cam2", 2), ("cam3", 1)),
    ]
    assert [c.track_id for c in clusters] == [1, 2]


def test_an_object_is_established_by_its_third_point():
    rig, associator = room_rig(2), Associator(**SETTINGS)
    for frame in range(4):
        views = look(rig, [[0.5, 0.0, 1.0]], {"cam1": [1], "cam2": [1]})
        (cluster,) = associator.update(views, frame)
        assert cluster.established == (frame >= 3)
        associator.settle(cluster, np.array([0.5, 0.0, 1.0]), np.eye(3) * 1e-4, frame)
