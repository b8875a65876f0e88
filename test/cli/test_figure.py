"""The picture's geometry, and that nobody can be recognised in the one for the README."""

import numpy as np
import pytest

pytest.importorskip("mcap_ros2")
pytest.importorskip("matplotlib")
from dataclasses import replace

from roads import line, road

from liquid_mono3d_ros.cli.figure import MOSAIC, main_track, middle_views, mosaic
from liquid_mono3d_ros.cli.panels import frustum, tube, viewpoint
from liquid_mono3d_ros.records import seconds
from liquid_mono3d_ros.synth.rigs import stereo_rig


def test_the_track_holds_what_the_road_published():
    track = main_track(road(line, 3.0))
    assert (len(track.states), len(track.triangulated)) == (91, 91)
    np.testing.assert_allclose(track.triangulated[0], line(0))
    camera = stereo_rig().cameras["left"]
    stamps, uv = track.pixels["left"]
    np.testing.assert_allclose(uv, camera.project(track.xyz))
    assert len(stamps) == 91


def test_another_track_is_not_drawn():
    recording = road(line, 3.0)
    other = {
        name: [replace(image, track_id=image.track_id + 1) for image in images]
        for name, images in recording.tracks2d.items()
    }
    assert len(main_track(replace(recording, tracks2d=other)).pixels["left"][1]) == 0


def test_a_recording_without_a_track_is_refused():
    with pytest.raises(ValueError, match="recording must be of one track or more; got none"):
        main_track(replace(road(), trajectories=[]))


def test_speed_and_its_sigma_along_the_motion():
    t, speed, sigma = main_track(road(line, 3.0, sigma=0.005)).speed()
    assert t[-1] == pytest.approx(3.0)
    np.testing.assert_allclose(speed, 0.5, rtol=1e-6)
    np.testing.assert_allclose(sigma, 0.05)


def test_views_are_of_the_middle_of_the_track():
    recording = road(line, 3.0)
    views = middle_views(stereo_rig(), ("left", "right"), {}, recording)
    assert list(views) == ["left", "right"]
    for view in views.values():
        assert view.image.shape == (480, 640, 3)
        middle = main_track(recording).middle.stamp
        assert 0 <= seconds(view.stamp - middle) < 1 / 30


def test_a_mosaic_holds_one_grey_value_per_square():
    image = np.random.default_rng(0).integers(0, 256, (480, 960, 3), dtype=np.uint8)
    shown = mosaic(image)
    assert shown.shape == image.shape
    squares = shown.reshape(480 // MOSAIC, MOSAIC, 960 // MOSAIC, MOSAIC, 3)
    assert np.ptp(squares, axis=(1, 3, 4)).max() == 0
    assert len(np.unique(shown)) > 1


def test_convention_a_frustum_opens_along_the_optical_axis():
    camera = stereo_rig().cameras["left"]
    base, *edges = frustum(camera, 0.2)
    centre = base[:4].mean(axis=0)
    np.testing.assert_allclose(camera.project(centre[None])[0], [319.5, 239.5], atol=1e-6)
    assert np.linalg.norm(centre - camera.centre) == pytest.approx(0.2)
    np.testing.assert_allclose(camera.project(base[:1])[0], [-0.5, -0.5], atol=1e-6)
    assert len(edges) == 4
    assert all((edge[0] == camera.centre).all() for edge in edges)


def test_the_viewpoint_keeps_the_lines_of_sight_apart():
    centres = np.array([[1.0, 1.0, 0.0], [1.0, -1.0, 0.0]])
    azimuth = viewpoint(np.zeros(3), centres)
    bearings = np.radians([45, -45]) - np.radians(azimuth)
    assert abs(np.diff(np.sin(bearings))[0]) > 1.2


def test_a_tube_holds_the_object_across_its_way_with_95_percent():
    rng = np.random.default_rng(0)
    t = np.linspace(0, 3, 40)
    xyz = np.column_stack([np.cos(t), np.sin(t), 0.3 * t])
    root = rng.normal(size=(3, 3)) * 0.02
    P = np.tile(root @ root.T, (40, 1, 1))
    rings = tube(xyz, P)
    assert rings.shape == (40, 24, 3)
    np.testing.assert_allclose(rings[:, 0], rings[:, -1], atol=1e-12)
    way = np.gradient(xyz, axis=0)
    off = rings - xyz[:, None]
    np.testing.assert_allclose(np.einsum("nki,ni->nk", off, way), 0.0, atol=1e-12)
    # A cloud drawn from P lies inside the ring of its plane so often:
    along = way[20] / np.linalg.norm(way[20])
    u = np.linalg.svd(along[None])[2][1:]  # (2, 3)
    inverse = np.linalg.inv(u @ P[20] @ u.T)
    ring, cloud = off[20] @ u.T, rng.multivariate_normal(np.zeros(3), P[20], 4000) @ u.T
    reach = np.einsum("ki,ij,kj->k", ring, inverse, ring)
    np.testing.assert_allclose(reach, reach[0], rtol=1e-9)
    inside = np.einsum("ki,ij,kj->k", cloud, inverse, cloud) < reach[0]
    assert inside.mean() == pytest.approx(0.95, abs=0.012)
    # Neighbouring rings join without a twist.
    steps = np.linalg.norm(np.diff(rings, axis=0), axis=2).max(axis=1)
    assert steps.max() < 2 * np.linalg.norm(np.diff(xyz, axis=0), axis=1).max()


def test_a_tube_around_what_stands_still():
    rings = tube(np.zeros((3, 3)), np.tile(np.eye(3), (3, 1, 1)))
    np.testing.assert_allclose(np.linalg.norm(rings, axis=2), 5.9915**0.5)
