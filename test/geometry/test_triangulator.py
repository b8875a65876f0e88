from dataclasses import replace

import numpy as np
import pytest
from scenes import (
    ORIGIN,
    camera,
    circle,
    exposed,
    line,
    looking_at,
    recording,
    room_rig,
    stereo_rig,
    tracks2d,
)

from liquid_mono3d_ros.geometry.rig import Rig
from liquid_mono3d_ros.geometry.triangulator import GeometrySettings, Triangulator
from liquid_mono3d_ros.records import SECOND, Kind, nanoseconds, seconds

FREE = {"cam2": 0.011, "cam3": 0.023, "cam4": 0.005}
"""First exposures of cameras that run freely, s."""


def run(rig, images, **settings):
    triangulator = Triangulator(GeometrySettings(**settings), rig)
    return triangulator, [points for image in images for points in triangulator.add(image)]


def errors(outputs, path):
    """Distance of each output's one object from the truth, m."""
    found = [(points.xyz[0], points.stamp) for points in outputs if len(points)]
    truth = [path(seconds(stamp - ORIGIN)) for _, stamp in found]
    return np.linalg.norm(np.array([xyz for xyz, _ in found]) - truth, axis=1)


def test_equal_stamps_are_located_with_the_last_camera():
    rig, path = room_rig(3), circle()
    images = list(recording(rig, [path], duration=0.5))
    triangulator = Triangulator(GeometrySettings(), rig)
    for first, second, third in zip(*[iter(images)] * 3, strict=True):
        assert triangulator.add(first) == triangulator.add(third) == []
        (points,) = triangulator.add(second)
        assert points.stamp == first.stamp
        assert points.frame_id == "world"
        assert points.track_id.tolist() == [1]
        assert points.kind.tolist() == [Kind.POINT]
        np.testing.assert_allclose(points.xyz[0], path(seconds(points.stamp - ORIGIN)), atol=1e-6)
        assert points.reprojection_error_px[0] < 1e-3
        assert [s.camera for s in points.sightings[0]] == ["cam1", "cam2", "cam3"]
        assert all(s.measured and s.stamp == points.stamp for s in points.sightings[0])
    assert triangulator.counters["points"] == 15
    assert not +triangulator.dropped


def test_free_running_cameras_are_brought_to_a_common_time():
    rig, path = room_rig(4), circle(speed=1.0)
    images = list(recording(rig, [path], duration=2.0, phases=FREE))
    triangulator, outputs = run(rig, images)
    reference = [image.stamp for image in images if image.camera == "cam1"]
    assert [points.stamp for points in outputs] == reference[: len(outputs)]
    assert len(outputs) == 60
    assert errors(outputs, path).max() < 1e-3  # a·dt²/8 = 0.2 mm of the chord
    assert {points.track_id[0] for points in outputs} == {1}
    assert all(s.measured for points in outputs[1:] for s in points.sightings[0])
    assert triangulator.counters["extrapolated"] == 0


def test_pairing_nearest_frames_errs_where_the_residual_cannot_see_it():
    # v·δt·Z/b: 5 m/s along a baseline of 0.2 m, 15 ms apart, at 5 m.
    path = line((5.0, -2.5, 1.0), (0.0, 5.0, 0.0))
    cameras = {n: camera(n, (0.0, y, 1.0), (5.0, y, 1.0)) for n, y in (("l", 0.1), ("r", -0.1))}
    rig = Rig(cameras)
    images = list(recording(rig, [path], duration=1.0, phases={"r": 0.015}))
    _, interpolated = run(rig, images)
    nearest = Triangulator(GeometrySettings(sync="approximate"), rig)
    left, right = ([i for i in images if i.camera == name] for name in cameras)
    paired = [nearest.add_set(pair) for pair in zip(left, right, strict=True)]
    assert np.median(errors(paired, path)) > 1.0
    assert max(p.reprojection_error_px[0] for p in paired) < 0.01
    assert errors(interpolated, path).max() < 1e-3


def test_covariance_of_interpolated_points_is_honest():
    rig, path = room_rig(3), circle(speed=0.3)
    images = recording(
        rig, [path], duration=20.0, rate=15.0, phases={"cam2": 0.02, "cam3": 0.045}, noise_px=1.0
    )
    _, outputs = run(rig, images)
    nees = []
    for points in outputs[1:]:
        error = points.xyz[0] - path(seconds(points.stamp - ORIGIN))
        nees.append(error @ np.linalg.solve(points.covariance[0], error))
    assert len(nees) > 290
    assert 0.85 < np.mean(nees) / 3 < 1.15


@pytest.mark.parametrize("lens", [{}, {"model": "equidistant", "D": [0.05, -0.01, 0.003, -0.001]}])
def test_clock_offsets_and_rolling_shutters_are_undone(lens):
    rig, path = room_rig(3, readout=0.02, **lens), circle(speed=2.0)
    shifted = replace(rig.cameras["cam2"], time_offset=0.040)
    rig = Rig({**rig.cameras, "cam2": shifted}, "world")
    images = list(recording(rig, [path], duration=1.0, rate=60.0, phases=FREE))
    _, outputs = run(rig, images)
    assert len(outputs) > 50
    assert errors(outputs, path).max() < 2e-3
    unaware = Rig(
        {n: replace(c, time_offset=0.0, readout=0.0) for n, c in rig.cameras.items()}, "world"
    )
    _, outputs = run(unaware, images)
    assert np.median(errors(outputs, path)) > 0.02


def test_several_objects_keep_their_numbers():
    paths = [circle(0.8, 1.0, 1.0), circle(0.8, -1.0, 0.6), circle(0.3, 0.5, 1.5)]
    rig = room_rig(4)
    images = recording(rig, paths, duration=2.0, phases=FREE, noise_px=0.5)
    _, outputs = run(rig, images)
    for points in outputs[8:]:
        t = seconds(points.stamp - ORIGIN)
        assert points.track_id.tolist() == [1, 2, 3]
        truth = np.array([path(t) for path in paths])
        nearest = np.linalg.norm(points.xyz[:, None] - truth, axis=2).argmin(axis=1)
        assert sorted(nearest) == [0, 1, 2]
        if points is outputs[8]:
            first = nearest
        assert (nearest == first).all()


def late(images, name, *, from_s, to_s=1e9):
    """Take away one camera's images in an interval of time."""
    return [
        image
        for image in images
        if image.camera != name or not from_s <= seconds(image.stamp - ORIGIN) < to_s
    ]


def test_after_max_wait_the_missing_camera_is_extrapolated_and_counted():
    rig, path = room_rig(3), line((0.5, -0.5, 1.0), (0.0, 0.5, 0.1))
    images = late(recording(rig, [path], duration=1.0, phases=FREE), "cam3", from_s=0.5)
    triangulator, outputs = run(rig, images, max_wait=0.05, max_extrapolation=0.1)
    assert triangulator.counters["extrapolated"] > 5
    extrapolated = [
        points
        for points in outputs[1:]
        if any(s.camera == "cam3" and not s.measured for s in points.sightings[0])
    ]
    assert len(extrapolated) == 3
    assert errors(extrapolated, path).max() < 0.01
    by_two = outputs[-1]
    assert [s.camera for s in by_two.sightings[0]] == ["cam1", "cam2"]
    assert errors([by_two], path).max() < 1e-3
    assert by_two.track_id.tolist() == [1]
    stamps = [points.stamp for points in outputs]
    usual = outputs[stamps.index(extrapolated[0].stamp) - 3]
    assert np.trace(extrapolated[-1].covariance[0]) > np.trace(usual.covariance[0])


def test_extrapolate_answers_at_once():
    rig, path = room_rig(3), line((0.5, -0.5, 1.0), (0.0, 0.5, 0.1))
    triangulator = Triangulator(GeometrySettings(sync="extrapolate"), rig)
    outputs = []
    for image in recording(rig, [path], duration=1.0, phases=FREE):
        found = triangulator.add(image)
        assert len(found) == (image.camera == "cam1")
        outputs += found
    assert errors(outputs[2:], path).max() < 5e-3
    sightings = {s.camera: s for s in outputs[-1].sightings[0]}
    assert [sightings[name].measured for name in rig.cameras] == [True, False, False]


def test_one_remaining_view_gives_a_bearing():
    rig, path = room_rig(3), circle()
    images = list(recording(rig, [path], duration=1.0, phases=FREE))
    blind = [
        tracks2d(rig.cameras[i.camera], i.stamp, np.zeros((0, 2)))
        if i.camera != "cam2" and i.stamp >= ORIGIN + SECOND // 2
        else i
        for i in images
    ]
    triangulator, outputs = run(rig, blind)
    bearings = [points for points in outputs if Kind.BEARING in points.kind]
    assert len(bearings) > 10
    assert triangulator.counters["bearings"] == len(bearings)
    for points in bearings:
        assert points.track_id.tolist() == [1]
        assert np.isnan(points.xyz).all()
        np.testing.assert_allclose(points.ray_origin[0], rig.cameras["cam2"].centre)
        truth = path(seconds(points.stamp - ORIGIN)) - points.ray_origin[0]
        np.testing.assert_allclose(
            points.ray_direction[0], truth / np.linalg.norm(truth), atol=1e-4
        )
        assert 0.5 / 500 < np.sqrt(points.ray_covariance[0, 0, 0]) < 1.1 / 500
        (sighting,) = points.sightings[0]
        assert sighting.camera == "cam2"
        assert np.isnan(sighting.residual_px).all()
    quiet, outputs = run(rig, blind, emit_bearings=False)
    assert all(Kind.BEARING not in points.kind for points in outputs)
    assert quiet.counters["bearings"] == 0


def test_one_view_of_something_unknown_gives_nothing():
    rig = room_rig(2)
    images = [
        image if image.camera == "cam1" else replace_uv(rig, image, np.zeros((0, 2)))
        for image in recording(rig, [circle()], duration=0.3)
    ]
    triangulator, outputs = run(rig, images)
    assert [len(points) for points in outputs] == [0] * 9
    assert outputs[0].xyz.shape == (0, 3)
    assert triangulator.counters["outputs"] == 9


def replace_uv(rig, image, uv):
    return tracks2d(rig.cameras[image.camera], image.stamp, uv)


def test_a_wildly_wrong_camera_is_left_out_and_named():
    rig, path = room_rig(4), circle()
    images = [
        replace(i, uv=i.uv + np.array([24.0, 23.0])) if i.camera == "cam3" else i
        for i in recording(rig, [path], duration=1.0, phases=FREE, noise_px=0.5)
    ]
    triangulator, outputs = run(rig, images)
    assert np.median(errors(outputs, path)) < 0.01
    used = {s.camera for points in outputs[1:] for s in points.sightings[0]}
    assert used == {"cam1", "cam2", "cam4"}
    assert triangulator.counters["views_left_out"] >= len(outputs) - 2
    health = triangulator.health()
    np.testing.assert_allclose(health["cam3"].bias_px, [24.0, 23.0], atol=1.0)
    assert ["disagrees" in "".join(h.problems) for h in health.values()] == [0, 0, 1, 0]


def test_health_names_the_missing_input():
    rig = room_rig(3)
    images = late(recording(rig, [circle()], duration=2.0), "cam2", from_s=0.0)
    triangulator, outputs = run(rig, images)
    assert errors(outputs, circle()).max() < 1e-6  # the other two go on
    assert "no tracks of cam2" in triangulator.health()["cam2"].problems[0]
    assert triangulator.health()["cam1"].rate == pytest.approx(30.0)


def test_the_next_camera_gives_the_instants_while_the_reference_is_silent():
    rig, path = room_rig(3), circle()
    images = late(recording(rig, [path], duration=4.0, phases=FREE), "cam1", from_s=0.5, to_s=3.0)
    triangulator, outputs = run(rig, images)
    stamps = [points.stamp for points in outputs]
    assert stamps == sorted(set(stamps))
    by = {image.stamp: image.camera for image in images}
    names = [by[stamp] for stamp in stamps]
    turns = [name for k, name in enumerate(names) if k == 0 or names[k - 1] != name]
    assert turns == ["cam1", "cam2", "cam1"]
    assert triangulator.counters["reference_replaced"] == 1
    gap = max(np.diff(stamps))
    assert SECOND < gap < 1.2 * SECOND
    assert errors(outputs, path).max() < 1e-3


def test_a_loop_of_a_recording_is_one_new_epoch():
    rig, path = room_rig(3), circle()
    images = list(recording(rig, [path], duration=1.0, phases=FREE))
    # In the loop cam1 jumps first; the last old images of the others come after it.
    second = [replace(image, epoch=1) for image in images]
    crossed = [*images[:-2], second[0], *images[-2:], *second[1:]]
    triangulator, outputs = run(rig, crossed)
    assert triangulator.epoch == 1
    assert triangulator.counters["epochs"] == 1
    assert triangulator.dropped["stale_epoch"] == 2
    epochs = [points.epoch for points in outputs]
    assert epochs == sorted(epochs)
    again = [points for points in outputs if points.epoch == 1]
    assert len(again) == 30
    assert errors(again, path).max() < 1e-3
    assert {n for points in again for n in points.track_id.tolist()} == {2}  # never used again


def test_reset_starts_a_new_epoch():
    rig = room_rig(3)
    triangulator, _ = run(rig, recording(rig, [circle()], duration=0.2))
    triangulator.reset()
    assert triangulator.epoch == 1
    later = list(recording(rig, [line((0.1, 0.2, 1.0), (0.3, 0, 0))], duration=0.2,
                           origin=ORIGIN + SECOND))  # fmt: skip
    outputs = [points for image in later for points in triangulator.add(image)]
    assert [points.epoch for points in outputs] == [1] * 6
    assert triangulator.epoch == 1


def test_what_cannot_be_used_is_dropped_and_counted():
    rig = room_rig(2)
    triangulator = Triangulator(GeometrySettings(), rig)
    image = next(iter(recording(rig, [circle()], duration=0.1)))
    triangulator.add(image)
    assert triangulator.add(replace(image, camera="cam9")) == []
    assert triangulator.add(replace(image, width=320)) == []
    assert triangulator.add(image) == []
    assert triangulator.dropped == {
        "unknown_camera": 1, "image_size": 1, "duplicate": 1, "late": 0,
    }  # fmt: skip
    assert triangulator.epoch == 0


def test_views_that_disagree_are_gated():
    rig = stereo_rig()
    outputs = []
    triangulator = Triangulator(GeometrySettings(), rig)
    for frame in range(12):
        for name, offset in (("left", 0.0), ("right", 2.0 * frame)):
            seen_by, stamp = rig.cameras[name], ORIGIN + frame * SECOND // 30
            uv = seen_by.project(np.array([[4.0, 0.0, 1.0]])) + np.array([0.0, offset])
            outputs += triangulator.add(tracks2d(seen_by, stamp, uv))
    assert [len(points) for points in outputs[:8]] == [1] * 8
    assert [len(points) for points in outputs[-1:]] == [0]
    assert triangulator.dropped["gated"] > 0


@pytest.mark.parametrize(
    ("xyz", "settings", "cause"),
    [
        ([150.0, 0.0, 1.0], {}, "parallax"),
        ([20.0, 0.0, 1.0], {"max_range": 15.0}, "range"),
        ([3.0, 0.0, 1.0], {"min_range": 4.0}, "range"),
    ],
)
def test_points_without_meaning_are_dropped(xyz, settings, cause):
    rig = stereo_rig()
    triangulator, outputs = run(
        rig, recording(rig, [line(xyz, (0, 0, 0))], duration=0.1), **settings
    )
    assert [len(points) for points in outputs] == [0] * 3
    assert triangulator.dropped[cause] == 3


def test_cameras_that_move_are_where_they_are_told_to_be():
    rig, path = room_rig(3), line((0.5, -0.5, 1.0), (0.0, 0.5, 0.1))

    def pose(name, stamp):
        aside = 0.3 * seconds(stamp - ORIGIN)
        x, y, z = rig.cameras[name].centre
        return looking_at((x + aside, y, z), (0.0, 0.0, 1.0))

    triangulator, outputs = Triangulator(GeometrySettings(), rig), []
    for image in recording(rig, [path], duration=1.0, rate=60.0, phases=FREE):
        R_cw, t_cw = pose(image.camera, image.stamp)
        moved = rig.cameras[image.camera].at_pose(R_cw, t_cw)
        uv, _ = exposed(moved, image.stamp, [path])
        outputs += triangulator.add(replace(image, uv=uv), (R_cw, t_cw))
    assert len(outputs) > 50
    assert errors(outputs, path).max() < 1e-3


def test_sets_are_taken_as_they_are():
    rig, path = room_rig(3), circle()
    images = list(recording(rig, [path], duration=0.1))
    exact = Triangulator(GeometrySettings(sync="exact"), rig)
    points = exact.add_set(images[:3])
    assert (points.stamp, len(points)) == (images[0].stamp, 1)
    np.testing.assert_allclose(points.xyz[0], path(0.0), atol=1e-6)
    later = replace(images[5], stamp=images[5].stamp + 1)
    points = exact.add_set([*images[3:5], later])
    assert [s.camera for s in points.sightings[0]] == ["cam1", "cam2"]
    assert exact.dropped["unequal_stamps"] == 1
    assert exact.add_set(images[:3]).epoch == 1


def test_wrong_use_is_an_error_that_says_what_to_do():
    rig = room_rig(2)
    with pytest.raises(
        ValueError, match="reference_camera must be one of cam1, cam2; got 'front'"
    ):
        Triangulator(GeometrySettings(reference_camera="front"), rig)
    with pytest.raises(ValueError, match="sync must be one of interpolate"):
        GeometrySettings(sync="nearest")
    exact = Triangulator(GeometrySettings(sync="exact"), rig)
    image = next(iter(recording(rig, [circle()], duration=0.1)))
    with pytest.raises(ValueError, match="sync must be interpolate or extrapolate; got 'exact'"):
        exact.add(image)
    with pytest.raises(ValueError, match="tracks must be one or more; got none"):
        exact.add_set([])


def test_the_reference_can_be_chosen():
    rig = room_rig(3)
    images = list(recording(rig, [circle()], duration=0.5, phases=FREE))
    _, outputs = run(rig, images, reference_camera="cam3")
    stamps = {image.stamp for image in images if image.camera == "cam3"}
    assert {points.stamp for points in outputs} <= stamps
    assert len(outputs) == 14


def test_systematic_covariance_grows_with_its_causes():
    rig, path = room_rig(3), circle()

    def trace(**settings):
        _, outputs = run(rig, recording(rig, [path], duration=0.2, phases=FREE), **settings)
        return np.trace(outputs[-1].systematic_covariance[0])

    assert trace(calibration_sigma=0.0, clock_sigma=0.0) == 0.0
    turned = trace(calibration_sigma=0.01, clock_sigma=0.0)
    assert 0.01 * 4 / np.sqrt(3) / 3 < np.sqrt(turned) < 0.01 * 4 * 3  # 10 mrad at about 4 m
    assert trace(calibration_sigma=0.0, clock_sigma=0.01) == pytest.approx(
        4 * trace(calibration_sigma=0.0, clock_sigma=0.005)
    )


def test_late_reference_images_never_turn_time_back():
    rig = room_rig(2)
    offset = replace(rig.cameras["cam1"], time_offset=0.0)
    images = list(recording(Rig({**rig.cameras, "cam1": offset}), [circle()], duration=3.0))
    held = [i for i in images if i.camera == "cam1" and i.stamp > ORIGIN + nanoseconds(0.5)]
    rest = [i for i in images if not any(i is h for h in held)]
    triangulator, outputs = run(rig, [*rest, *held])  # cam1's network comes back at the end
    stamps = [points.stamp for points in outputs]
    assert stamps == sorted(set(stamps))
    assert triangulator.dropped["late"] > 0
    assert triangulator.epoch == 0
