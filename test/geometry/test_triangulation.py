from dataclasses import replace

import numpy as np
import pytest
from scenes import room_rig, stereo_rig

from liquid_mono3d_ros.geometry import triangulation
from liquid_mono3d_ros.geometry.agreement import locate
from liquid_mono3d_ros.geometry.small_matrices import inverse
from liquid_mono3d_ros.geometry.triangulation import (
    Views,
    parallax,
    refine,
    systematic_covariance,
    triangulate_dlt,
)


def look(rig, xyz, *, noise_px=0.0, sigma_px=1.0, seed=0):
    """What every camera of a rig without distortion sees of points (N, 3)."""
    cameras = list(rig.cameras.values())
    shape = (len(cameras), len(xyz), 2)
    uv = np.array([c.project(xyz) for c in cameras])
    uv = uv + np.random.default_rng(seed).normal(size=shape) * np.asarray(noise_px)
    pairs = [c.undistort_with_jacobian(pixels) for c, pixels in zip(cameras, uv, strict=True)]
    variance = np.broadcast_to(np.square(sigma_px), shape[:2])
    return Views(
        P=np.array([c.P for c in cameras]),
        uv=np.array([normalised for normalised, _ in pairs]),
        seen=np.ones(shape[:2], dtype=bool),
        covariance_px=variance[..., None, None] * np.eye(2),
        scale=np.array([scale for _, scale in pairs]),
    )


def start(views):
    return triangulate_dlt(views.P, views.uv, views.seen)


def cloud(n, seed=1):
    return np.random.default_rng(seed).uniform([-1, -1, 0.2], [1, 1, 1.8], (n, 3))


def normalised_square_error(xyz, truth, covariance):
    error = xyz - truth
    return np.einsum("ni,nij,nj->n", error, np.linalg.inv(covariance), error)


def test_dlt_knows_the_answer_by_hand():
    # Cameras at x = 0 and x = 1 look along z; the point (0.5, 0.25, 2) by similar triangles.
    P = np.array([np.eye(3, 4), np.eye(3, 4)])
    P[1, 0, 3] = -1.0
    uv = np.array([[[0.25, 0.125]], [[-0.25, 0.125]]])
    np.testing.assert_allclose(triangulate_dlt(P, uv, np.ones((2, 1), bool)), [[0.5, 0.25, 2.0]])


def test_dlt_does_not_mind_a_far_origin_or_pixels_for_uv():
    xyz = cloud(20)
    views = look(room_rig(3), xyz)
    np.testing.assert_allclose(start(views), xyz, atol=1e-9)
    far = views.P.copy()
    far[:, :, 3] -= far[:, :, :3] @ [4e5, 5e6, 100.0]  # the world's origin moves, as in UTM
    np.testing.assert_allclose(
        triangulate_dlt(far, views.uv, views.seen) - [4e5, 5e6, 100.0], xyz, atol=1e-5
    )
    K = next(iter(room_rig(3).cameras.values())).K
    pixels = views.uv * K[[0, 1], [0, 1]] + K[:2, 2]
    np.testing.assert_allclose(triangulate_dlt(K @ views.P, pixels, views.seen), xyz, atol=1e-9)


def test_dlt_uses_only_what_was_seen():
    xyz = cloud(3)
    views = look(room_rig(3), xyz)
    seen = np.array([[True, True, False], [True, False, False], [False, True, True]])
    wrong = np.where(seen[..., None], views.uv, np.nan)
    found = triangulate_dlt(views.P, wrong, seen)
    np.testing.assert_allclose(found[:2], xyz[:2], atol=1e-9)
    assert np.isnan(found[2]).all()  # seen once
    assert triangulate_dlt(views.P, np.zeros((3, 0, 2)), np.zeros((3, 0), bool)).shape == (0, 3)


def test_dlt_gives_a_finite_value_for_parallel_rays():
    P = np.array([np.eye(3, 4), np.eye(3, 4)])
    P[1, 0, 3] = -1.0
    found = triangulate_dlt(P, np.zeros((2, 1, 2)), np.ones((2, 1), bool))
    assert np.isfinite(found).all()
    assert np.linalg.norm(found) > 1e6


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"P": np.zeros((3, 4))}, r"P must be of shape \(C, 3, 4\)"),
        ({"uv": np.zeros((3, 5, 2))}, r"uv must be of shape \(2, N, 2\); got shape \(3, 5, 2\)"),
        ({"seen": np.ones((2, 4), bool)}, r"seen must be of shape \(2, 5\)"),
    ],
)
def test_shapes_that_disagree_are_refused(changes, text):
    arguments = {
        "P": np.zeros((2, 3, 4)),
        "uv": np.zeros((2, 5, 2)),
        "seen": np.ones((2, 5), bool),
    }
    with pytest.raises(ValueError, match=text):
        triangulate_dlt(**(arguments | changes))
    rest = {"covariance_px": np.zeros((2, 5, 2, 2)), "scale": np.zeros((2, 5, 2, 2))}
    with pytest.raises(ValueError, match=text):
        Views(**(arguments | rest | changes))


def test_refine_finds_the_least_squares_point():
    views = look(room_rig(4), cloud(30), noise_px=3.0)
    xyz, _, residual_px = refine(start(views), views)
    best = np.square(residual_px).sum(axis=(0, 2))
    for direction in np.vstack([np.eye(3), -np.eye(3)]):
        moved = triangulation.residuals_px(xyz + 1e-3 * direction, views)
        assert (np.square(moved).sum(axis=(0, 2)) > best).all()


def test_refine_reaches_the_truth_from_a_bad_start_and_never_gets_worse():
    truth = cloud(10)
    views = look(room_rig(3), truth)
    xyz, _, residual_px = refine(truth + 0.3, views)
    np.testing.assert_allclose(xyz, truth, atol=1e-4)
    assert np.abs(residual_px).max() < 0.05
    behind = np.full((10, 3), [9.0, 0.0, 1.0])  # behind a camera: steps from there are wild
    before = np.square(triangulation.residuals_px(behind, views)).sum(axis=(0, 2))
    after = np.square(refine(behind, views)[2]).sum(axis=(0, 2))
    assert (after <= before).all()


def test_refine_marks_what_fewer_than_two_cameras_saw():
    views = look(room_rig(2), cloud(2))
    views = replace(views, seen=np.array([[True, True], [True, False]]))
    xyz, covariance, residual_px = refine(start(views), views)
    assert np.isfinite(xyz[0]).all()
    assert np.isfinite(covariance[0]).all()
    assert np.isnan(xyz[1]).all()
    assert np.isnan(covariance[1]).all()
    assert np.isnan(residual_px[:, 1]).all()


def test_residuals_are_measured_minus_projected_in_raw_pixels():
    rig = room_rig(3, D=[-0.2, 0.05, 0.0, 0.0], model="plumb_bob")
    xyz = np.array([[0.5, -0.4, 0.6]])
    views = look(rig, xyz)
    first = next(iter(rig.cameras.values()))
    shifted, scale = first.undistort_with_jacobian(first.project(xyz) + np.array([2.0, -1.0]))
    uv, scales = views.uv.copy(), views.scale.copy()
    uv[0], scales[0] = shifted, scale
    residual = triangulation.residuals_px(xyz, replace(views, uv=uv, scale=scales))
    np.testing.assert_allclose(residual[0, 0], [2.0, -1.0], atol=0.02)  # to first order
    np.testing.assert_allclose(residual[1:], 0.0, atol=1e-6)


@pytest.mark.parametrize(
    ("rig", "centre"), [(room_rig(4), (0.2, -0.3, 1.1)), (stereo_rig(), (3.0, 0.2, 1.3))]
)
def test_white_covariance_is_honest(rig, centre):
    n = 4000
    truth = np.tile(np.array(centre), (n, 1))
    sigma = np.linspace(0.5, 2.0, len(rig.cameras))[:, None]  # cameras differ
    views = look(rig, truth, noise_px=sigma[..., None], sigma_px=np.tile(sigma, (1, n)))
    xyz, covariance, _ = refine(start(views), views)
    assert 0.9 < normalised_square_error(xyz, truth, covariance).mean() / 3 < 1.1
    np.testing.assert_allclose(np.cov(xyz.T), covariance.mean(axis=0), rtol=0.2, atol=2e-6)


def test_white_covariance_is_honest_through_a_distorting_lens():
    n = 4000
    rig = room_rig(3, D=[0.05, -0.01, 0.003, -0.001], model="equidistant")
    truth = np.tile([0.9, 0.9, 0.4], (n, 1))
    views = look(rig, truth, noise_px=1.5, sigma_px=1.5)
    xyz, covariance, _ = refine(start(views), views)
    assert 0.9 < normalised_square_error(xyz, truth, covariance).mean() / 3 < 1.1


def test_sigma_per_view_pays_when_one_view_is_worse():
    truth = cloud(2000)
    noise = np.array([1.0, 1.0, 1.0, 15.0])[:, None]
    views = look(room_rig(4), truth, noise_px=noise[..., None], sigma_px=np.tile(noise, (1, 2000)))
    alike = replace(views, covariance_px=np.ones_like(views.covariance_px) * np.eye(2))
    errors = [np.linalg.norm(refine(start(v), v)[0] - truth, axis=1) for v in (views, alike)]
    assert np.median(errors[0]) < 0.4 * np.median(errors[1])


def test_systematic_covariance_of_a_turned_camera():
    n, sigma = 20000, 0.004
    truth = np.tile([0.2, -0.3, 1.1], (n, 1))
    exact = look(room_rig(3), truth)
    omega = np.random.default_rng(3).normal(size=(3, n, 3)) * sigma
    rays = np.concatenate([exact.uv, np.ones((3, n, 1))], axis=2)
    turned = rays + np.cross(omega, rays)
    views = replace(exact, uv=turned[..., :2] / turned[..., 2:])
    found, _, _ = refine(start(views), views)
    unknown = np.full((3, n, 2), np.nan)
    covariance = systematic_covariance(
        truth, exact, unknown, calibration_sigma=sigma, clock_sigma=0.0
    )
    np.testing.assert_allclose(np.cov(found.T), covariance[0], rtol=0.03, atol=4e-6)
    assert 0.9 < normalised_square_error(found, truth, covariance).mean() / 3 < 1.1


def test_systematic_covariance_of_a_clock_is_that_of_the_depth_it_fakes():
    # b = 0.3 m, Z = 5 m, 2 m/s along the baseline: one clock off by δt moves z by v·δt·Z/b.
    rig = stereo_rig()
    xyz = np.array([[5.0, 0.0, 1.0]])
    views = look(rig, xyz)
    velocity = np.full((2, 1, 2), [0.4, 0.0])  # 2 m/s / 5 m
    clock = systematic_covariance(xyz, views, velocity, calibration_sigma=0.0, clock_sigma=0.002)[
        0
    ]
    expected = 2.0 * 0.002 * 5.0 / 0.3 * np.sqrt(2)  # two clocks
    assert np.sqrt(clock[0, 0]) == pytest.approx(expected, rel=0.01)
    nan = systematic_covariance(
        xyz, views, np.full((2, 1, 2), np.nan), calibration_sigma=0.0, clock_sigma=0.002
    )
    assert np.isnan(nan).all()


def test_half_a_degree_at_five_metres_is_44_mm():
    rig = stereo_rig()
    xyz = np.array([[5.0, 0.15, 1.0]])
    views = look(rig, xyz)
    half = np.deg2rad(0.5)
    covariance = systematic_covariance(
        xyz, views, np.zeros((2, 1, 2)), calibration_sigma=half, clock_sigma=0.0
    )[0]
    # vertically both cameras average: 5 m * half / sqrt(2)
    assert np.sqrt(covariance[2, 2]) == pytest.approx(5 * half / np.sqrt(2), rel=0.01)


def test_locate_leaves_out_a_wild_view():
    truth = cloud(50)
    views = look(room_rig(4), truth, noise_px=0.5)
    uv = views.uv.copy()
    uv[2] += 60 / 500.0  # camera 3 is 60 px off, both ways
    limit = np.full((4, 50), 10.0)
    found = locate(replace(views, uv=uv), limit)
    assert (found.used == np.array([True, True, False, True])[:, None]).all()
    assert np.linalg.norm(found.xyz - truth, axis=1).max() < 0.03
    assert (np.abs(found.residual_px[2] - 60) < 5).all()


def test_locate_survives_gross_errors():
    n = 4000
    truth = cloud(n)
    rng = np.random.default_rng(5)
    views = look(room_rig(4), truth, noise_px=1.0)
    gross = rng.random((4, n)) < 0.05
    uv = views.uv + gross[..., None] * rng.normal(0, 80 / 500.0, (4, n, 2))
    found = locate(replace(views, uv=uv), np.full((4, n), 10.0))
    error = np.linalg.norm(found.xyz - truth, axis=1)
    plain = np.linalg.norm(start(replace(views, uv=uv)) - truth, axis=1)
    assert np.nanpercentile(error, 99) < 0.05 < np.percentile(plain, 99)
    assert np.isnan(error).mean() < 0.01


def test_two_views_that_disagree_give_nothing():
    views = look(stereo_rig(), np.array([[4.0, 0.0, 1.0], [4.0, 0.3, 1.2]]))
    uv = views.uv.copy()
    uv[1, 0, 1] += 60 / 500.0  # off the epipolar line
    found = locate(replace(views, uv=uv), np.full((2, 2), 10.0))
    assert np.isnan(found.xyz[0]).all()
    assert not found.used[:, 0].any()
    np.testing.assert_allclose(found.xyz[1], [4.0, 0.3, 1.2], atol=1e-6)


def test_parallax_is_the_angle_between_the_rays():
    centres = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 9.0, 0.0]])
    xyz = np.array([[0.0, 0.0, 1.0], [0.5, 0.0, 1e6]])
    used = np.array([[True, True], [True, True], [False, False]])
    np.testing.assert_allclose(parallax(xyz, centres, used), [np.pi / 4, 1e-6], rtol=1e-6)


def test_depth_is_along_the_optical_axis():
    P = np.array([c.P for c in stereo_rig().cameras.values()])
    np.testing.assert_allclose(
        triangulation.depth(np.array([[5.0, 1.0, 2.0], [-1.0, 0.0, 0.0]]), P), [[5, -1], [5, -1]]
    )


def test_inverse_by_cofactors():
    A = np.random.default_rng(0).normal(size=(7, 5, 3))
    A = A.transpose(0, 2, 1) @ A
    inverted = inverse(A.transpose(1, 2, 0)).transpose(2, 0, 1)
    np.testing.assert_allclose(inverted @ A, np.tile(np.eye(3), (7, 1, 1)), atol=1e-9)
