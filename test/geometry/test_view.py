import numpy as np
from scenes import camera, looking_at, tracks2d

from liquid_mono3d_ros.geometry.timing import TrackBuffer
from liquid_mono3d_ros.geometry.view import view

BARREL = {"model": "plumb_bob", "D": [-0.28, 0.09, 0.001, -0.0005, 0.01]}


def see(seen_by, uv, *, pose=None, **changes):
    buffer = TrackBuffer(
        seen_by, memory=1.0, max_bracket=1.0, max_extrapolation=0.1, acceleration=0.0
    )
    buffer.add(tracks2d(seen_by, 0, uv, **changes), pose)
    return view(seen_by, buffer.evaluate(0))


def test_rays_pass_through_what_is_seen():
    a = camera("a", (1.0, -2.0, 3.0), (0.0, 0.0, 1.0), **BARREL)
    xyz = np.array([[0.3, -0.4, 0.9], [-0.2, 0.1, 1.1]])
    rays = see(a, a.project(xyz)).rays
    np.testing.assert_allclose(rays @ a.R_cw[2], 1.0)  # one metre deep
    np.testing.assert_allclose(np.cross(rays, xyz - a.centre), 0.0, atol=1e-7)


def test_covariance_and_velocity_are_taken_through_the_lens():
    a = camera("a", (1.0, -2.0, 3.0), (0.0, 0.0, 1.0), **BARREL)
    uv, speed = np.array([[600.0, 60.0]]), np.array([[30.0, -20.0]])
    rng = np.random.default_rng(0)
    one = see(a, uv, sigma_px=2.0, velocity=speed)
    spread = np.cov(a.undistort(uv + rng.normal(0, 2.0, (20000, 2))).T)
    np.testing.assert_allclose(one.covariance[0], spread, rtol=0.05, atol=3e-7)
    np.testing.assert_allclose(one.pixel_area * 4, one.covariance)
    h = 1e-4
    slope = (a.undistort(uv + h * speed) - a.undistort(uv - h * speed)) / (2 * h)
    np.testing.assert_allclose(one.velocity, slope, rtol=1e-5)


def test_tracks_beyond_the_lens_are_left_out():
    a = camera("a", (1.0, -2.0, 3.0), (0.0, 0.0, 1.0), **BARREL)
    one = see(a, np.array([[100.0, 100.0], [9000.0, 9000.0], [50.0, 60.0]]))
    assert one.rows == {1: 0, 3: 1}
    np.testing.assert_allclose(a.distort(one.uv), [[100, 100], [50, 60]], atol=1e-6)


def test_a_moving_camera_takes_its_pose():
    a = camera("a", (0.0, 0.0, 1.0), (1.0, 0.0, 1.0))
    pose = looking_at((1.0, 2.0, 3.0), (0.0, 0.0, 0.0))
    np.testing.assert_allclose(see(a, np.zeros((1, 2)), pose=pose).camera.centre, [1, 2, 3])
