from dataclasses import replace

import numpy as np
import pytest
from scenes import camera, room_rig, stereo_rig, tracks2d
from scipy.optimize import least_squares

from liquid_mono3d_ros.geometry.epipolar import IMPOSSIBLE, epipolar_distance
from liquid_mono3d_ros.geometry.timing import TrackBuffer
from liquid_mono3d_ros.geometry.view import view

XYZ = np.array([[0.3, -0.2, 1.2]])


def see(seen_by, uv, *, classes=(), sigma_px=1.0):
    buffer = TrackBuffer(
        seen_by, memory=1.0, max_bracket=1.0, max_extrapolation=0.1, acceleration=0.0
    )
    buffer.add(replace(tracks2d(seen_by, 0, uv, sigma_px=sigma_px), class_id=classes))
    return view(seen_by, buffer.evaluate(0))


def distance(a, b, **changes):
    return epipolar_distance(a, b, **({"calibration_sigma": 0.0, "min_parallax": 0.001} | changes))


@pytest.mark.parametrize("offset", [[0.0, 0.0], [3.0, 2.0], [-1.0, 6.0]])
@pytest.mark.parametrize("lens", [{}, {"model": "equidistant", "D": [0.05, -0.01, 0.0, 0.0]}])
def test_distance_is_the_smallest_correction_of_both_pixels(offset, lens):
    cameras = room_rig(3, **lens).cameras
    a, b = cameras["cam1"], cameras["cam2"]
    uv_a, uv_b = a.project(XYZ), b.project(XYZ) + offset
    _, px = distance(see(a, uv_a), see(b, uv_b))

    def residual(xyz):
        return np.concatenate([(a.project(xyz[None]) - uv_a)[0], (b.project(xyz[None]) - uv_b)[0]])

    best = least_squares(residual, XYZ[0], xtol=1e-14, ftol=1e-14)
    assert px[0, 0] == pytest.approx(np.linalg.norm(best.fun), rel=0.01, abs=1e-4)


def test_mahalanobis_distance_is_chi2_with_one_degree_of_freedom():
    cameras = room_rig(3).cameras
    a, b = cameras["cam1"], cameras["cam2"]
    rng = np.random.default_rng(0)
    uv_a = a.project(XYZ) + rng.normal(0, 1.0, (1000, 2))
    uv_b = b.project(XYZ) + rng.normal(0, 3.0, (1000, 2))
    d2, _ = distance(see(a, uv_a, sigma_px=1.0), see(b, uv_b, sigma_px=3.0))
    pairs = np.diag(d2)
    assert 0.9 < pairs.mean() < 1.1
    assert 0.93 < (pairs < 3.84).mean() < 0.97


def test_a_turned_camera_is_allowed_for():
    cameras = room_rig(3).cameras
    a, b = cameras["cam1"], cameras["cam2"]
    views = see(a, a.project(XYZ)), see(b, b.project(XYZ) + np.array([0.0, 10.0]))
    strict, _ = distance(*views)
    tolerant, _ = distance(*views, calibration_sigma=0.02)  # 10 px
    assert strict[0, 0] > 20
    assert tolerant[0, 0] < 2


def test_rays_that_meet_behind_cannot_be_one_object():
    left, right = stereo_rig().cameras.values()
    uv = left.project(np.array([[4.0, 0.0, 1.0]]))
    aside = np.array([10.0, 0.0])
    there, here = uv + aside, uv - aside
    assert distance(see(left, there), see(right, here))[1][0, 0] == pytest.approx(0, abs=1e-9)
    crossed = distance(see(left, here), see(right, there))
    assert [value[0, 0] for value in crossed] == [IMPOSSIBLE, IMPOSSIBLE]
    parallel = see(left, uv), see(right, uv + aside / 50)  # behind, by a fifth of a pixel
    assert distance(*parallel)[1][0, 0] < 1e-9
    assert distance(*parallel, min_parallax=1e-5)[1][0, 0] == IMPOSSIBLE


def test_other_classes_cannot_be_one_object():
    left, right = stereo_rig().cameras.values()
    xyz = np.array([[4.0, 0.0, 1.0]] * 3)
    a = see(left, left.project(xyz), classes=("ball", "", "dog"))
    b = see(right, right.project(xyz), classes=("ball", "dog", ""))
    possible = distance(a, b)[1] < 1
    np.testing.assert_array_equal(possible, [[True, False, True], [True] * 3, [False, True, True]])


def test_cameras_in_one_place_say_nothing():
    a, b = (camera(name, (0, 0, 1), (1, 0, 1)) for name in "ab")
    uv = np.array([[300.0, 200.0]])
    assert distance(see(a, uv), see(b, uv))[1][0, 0] == IMPOSSIBLE


def test_no_tracks_give_no_distances():
    left, right = stereo_rig().cameras.values()
    d2, px = distance(see(left, np.zeros((0, 2))), see(right, np.array([[1.0, 2.0]])))
    assert d2.shape == px.shape == (0, 1)
