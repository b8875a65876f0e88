"""Which crops are whose: sightings join what the cameras number each for itself."""

import cv2
import numpy as np
import pytest

from liquid_mono3d_ros.language.appearance import Appearance
from liquid_mono3d_ros.language.sight import TRACKS, SightSettings, TrackSight
from liquid_mono3d_ros.records import SECOND, Kind, Points3D, Sighting
from liquid_mono3d_ros.synth.rigs import stereo_rig
from liquid_mono3d_ros.tracking.crops import Crop

CAMERAS = ("left", "right")
FRAME = SECOND // 15
RED, BLUE = (205, 30, 35), (35, 80, 210)


def picture(colour=RED):
    return cv2.circle(np.full((64, 64, 3), 150, np.uint8), (32, 32), 25, colour, cv2.FILLED)


def crop(k, track2d_id, camera="left", colour=RED, side_px=100.0):
    return Crop(camera, k * FRAME, track2d_id, picture(colour), side_px)


def points(k, *tracks, xyz=(3.0, 0.0, 1.0), kind=Kind.POINT):
    """Points of one instant; each track is an id and the 2D track of every camera that sees it."""
    n = len(tracks)
    place = np.tile(xyz, (n, 1)).astype(float)
    return Points3D(
        stamp=k * FRAME,
        frame_id="world",
        epoch=0,
        track_id=np.array([track_id for track_id, _ in tracks], np.uint64),
        kind=np.full(n, kind, np.uint8),
        xyz=place,
        covariance=np.tile(1e-4 * np.eye(3), (n, 1, 1)),
        systematic_covariance=np.full((n, 3, 3), np.nan),
        ray_origin=np.full((n, 3), np.nan),
        ray_direction=np.full((n, 3), np.nan),
        ray_covariance=np.full((n, 2, 2), np.nan),
        reprojection_error_px=np.zeros(n),
        parallax_rad=np.ones(n),
        sightings=tuple(
            tuple(Sighting(c, i, k * FRAME, np.zeros(2), True) for c, i in seen.items())
            for _, seen in tracks
        ),
    )


@pytest.fixture
def sight():
    return TrackSight(CAMERAS, SightSettings(), stereo_rig())


def test_a_crop_waits_for_the_point_that_names_its_track(sight):
    sight.add_crops([crop(0, 5), crop(0, 6, colour=BLUE)], "left", 0)
    assert not sight.crops(1)
    sight.add_points(points(0, (1, {"left": 5}), (2, {"left": 6})))
    assert [one.track2d_id for one in sight.crops(1)] == [5]
    assert [one.track2d_id for one in sight.crops(2)] == [6]
    sight.add_points(points(1, (1, {"left": 5})))
    assert len(sight.crops(1)) == 1  # given once


def test_appearance_comes_of_the_own_crops(sight):
    for k in range(12):
        sight.add_crops([crop(k, 5), crop(k, 6, colour=BLUE)], "left", 0)
        sight.add_points(points(k, (1, {"left": 5}), (2, {"left": 6})))
    assert sight.appearance(1).colour.value == "red"
    assert sight.appearance(2).colour.value == "blue"
    assert sight.appearance(3) == Appearance()
    sight.forget(1)
    assert sight.appearance(1) == Appearance()
    sight.reset()
    assert sight.appearance(2) == Appearance()


def test_the_size_is_that_of_the_window_at_the_depth_of_the_point(sight):
    camera = stereo_rig().cameras["left"]
    centre = -camera.R_cw.T @ camera.t_cw
    xyz = centre + 4.0 * camera.R_cw[2] + 0.5 * camera.R_cw[0]  # 4 m ahead, half a metre aside
    for k in range(12):
        sight.add_crops([crop(k, 5)], "left", 0)
        sight.add_points(points(k, (1, {"left": 5}), xyz=xyz))
    size = sight.appearance(1).size
    window = 100.0 / camera.K[0, 0] * 4.0
    assert size.value == pytest.approx(window * 51 / 64, rel=0.05)
    assert size.sigma == pytest.approx(0.04 * size.value, rel=0.05)


def test_without_a_rig_or_a_position_there_is_no_size(sight):
    blind = TrackSight(CAMERAS)
    for k in range(12):
        for one, xyz in ((blind, (3.0, 0.0, 1.0)), (sight, (np.nan,) * 3)):
            one.add_crops([crop(k, 5)], "left", 0)
            one.add_points(points(k, (1, {"left": 5}), xyz=xyz))
    for one in (blind, sight):
        assert one.appearance(1).colour.value == "red"
        assert not one.appearance(1).size.known


def test_one_camera_at_a_time_the_reference_first(sight):
    def step(k, *seeing):
        for camera in CAMERAS:
            sight.add_crops([crop(k, 5, camera)], camera, 0)
        sight.add_points(points(k, (1, dict.fromkeys(seeing, 5))))
        return sight.crops(1)[-1].camera

    assert [step(k, *CAMERAS) for k in range(3)] == ["left"] * 3
    assert [step(k, "right") for k in range(3, 10)] == ["left"] * 7  # patience: 0.5 s
    assert {step(k, "right") for k in range(11, 14)} == {"right"}
    assert {step(k, *CAMERAS) for k in range(14, 16)} == {"right"}  # it stays


def test_the_other_camera_serves_if_the_reference_does_not_see_it(sight):
    sight.add_crops([crop(0, 9, "right")], "right", 0)
    sight.add_points(points(0, (1, {"right": 9})))
    assert sight.crops(1)[0].camera == "right"


def test_crops_are_spaced_and_bounded():
    settings = SightSettings(period=0.13, memory=8)
    sight = TrackSight(CAMERAS, settings)
    for k in range(40):
        sight.add_crops([crop(k, 5)], "left", 0)
        sight.add_points(points(k, (1, {"left": 5})))
    stamps = [one.stamp // FRAME for one in sight.crops(1)]
    assert stamps == list(range(24, 40, 2))


def test_crops_that_nobody_claims_are_bounded_and_counted():
    sight = TrackSight(CAMERAS, SightSettings(waiting=4))
    for k in range(10):
        sight.add_crops([crop(k, 5)], "left", 0)
    assert sight.counts["unclaimed_crops"] == 6
    sight.add_points(points(9, (1, {"left": 5})))
    assert [one.stamp // FRAME for one in sight.crops(1)] == [6, 7, 8, 9]
    for k in range(3 * TRACKS):
        sight.add_crops([crop(k, 100 + k)], "left", 0)
    assert sight.counts["unclaimed_crops"] == 6 + TRACKS


def test_tracks_are_bounded(sight):
    for k in range(TRACKS + 3):
        sight.add_crops([crop(k, k)], "left", 0)
        sight.add_points(points(k, (k, {"left": k})))
    assert sight.counts["forgotten_tracks"] == 3
    assert not sight.crops(2)
    assert sight.crops(3)


def test_a_new_epoch_of_a_camera_numbers_anew(sight):
    sight.add_crops([crop(0, 5)], "left", 0)
    sight.add_crops([crop(1, 5, colour=BLUE)], "left", 1)
    sight.add_points(points(1, (1, {"left": 5})))
    assert [one.stamp // FRAME for one in sight.crops(1)] == [1]
