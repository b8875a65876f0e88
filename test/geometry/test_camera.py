import dataclasses

import cv2
import numpy as np
import pytest
from scenes import camera, stereo_rig
from transforms3d import axangles

from liquid_mono3d_ros.geometry.camera import Camera, camera_from_info
from liquid_mono3d_ros.geometry.rig import Rig, rig_from_infos
from liquid_mono3d_ros.geometry.triangulation import triangulate_dlt

LENSES = {
    "plumb_bob": [-0.28, 0.09, 0.001, -0.0005, 0.01],
    "rational_polynomial": [0.5, 0.1, 0.001, 0.0005, 0.01, 0.8, 0.2, 0.01],
    "equidistant": [0.05, -0.01, 0.003, -0.001],
}


@pytest.fixture(params=LENSES)
def lens(request):
    changes = {"model": request.param, "D": LENSES[request.param]}
    return camera("a", (1.0, -2.0, 3.0), (0.0, 0.0, 1.0), **changes)


def pixels():
    u, v = np.meshgrid(np.linspace(0, 639, 9), np.linspace(0, 479, 7))
    return np.column_stack([u.ravel(), v.ravel()])


def test_convention_centre_is_not_t():
    moved = camera("a", (1.0, -2.0, 3.0), (0.0, 0.0, 1.0))
    np.testing.assert_allclose(moved.centre, [1, -2, 3], atol=1e-12)
    np.testing.assert_allclose(moved.centre, -moved.R_cw.T @ moved.t_cw, atol=1e-12)
    assert np.linalg.norm(moved.t_cw - moved.centre) > 1
    np.testing.assert_allclose(moved.R_cw @ moved.centre + moved.t_cw, 0, atol=1e-12)


def test_convention_optical_axes_and_pixels():
    left = stereo_rig().cameras["left"]  # at y = 0.15, 1 m high, looking along +x
    ahead, to_the_left, higher = left.project(
        np.array([[5.0, 0.15, 1.0], [5.0, 1.15, 1.0], [5.0, 0.15, 2.0]])
    )
    np.testing.assert_allclose(ahead, left.K[:2, 2])
    np.testing.assert_allclose(to_the_left - ahead, [-100, 0], atol=1e-9)  # left is smaller u
    np.testing.assert_allclose(higher - ahead, [0, -100], atol=1e-9)  # up is smaller v


def test_projection_matrix_maps_to_normalised_coordinates():
    a = camera("a", (1.0, -2.0, 3.0), (0.0, 0.0, 1.0))
    xyz = np.array([0.2, 0.1, 0.9])
    homogeneous = a.P @ np.append(xyz, 1.0)
    normalised = homogeneous[:2] / homogeneous[2]
    np.testing.assert_allclose(a.distort(normalised[None]), a.project(xyz[None]))


def test_project_agrees_with_opencv(lens):
    xyz = np.random.default_rng(0).uniform([-0.5, -0.5, 0.5], [0.5, 0.5, 1.5], (20, 3))
    rvec = cv2.Rodrigues(lens.R_cw)[0]
    if lens.model == "equidistant":
        expected = cv2.fisheye.projectPoints(xyz[:, None], rvec, lens.t_cw, lens.K, lens.D)[0]
    else:
        expected = cv2.projectPoints(xyz, rvec, lens.t_cw, lens.K, lens.D)[0]
    np.testing.assert_allclose(lens.project(xyz), expected[:, 0], atol=1e-9)


def test_undistort_inverts_distort_to_the_corners(lens):
    np.testing.assert_allclose(lens.distort(lens.undistort(pixels())), pixels(), atol=1e-6)
    straight = camera("b", (0, 0, 0), (1, 0, 0))
    np.testing.assert_allclose(
        straight.undistort(np.array([[319.5 + 500, 239.5 - 250]])), [[1.0, -0.5]]
    )


def test_distortion_jacobian_is_the_derivative(lens):
    normalised, jacobian = lens.undistort_with_jacobian(pixels())
    h = 1e-6
    for k in (0, 1):
        step = np.eye(2)[k] * h
        slope = (lens.distort(normalised + step) - lens.distort(normalised - step)) / (2 * h)
        np.testing.assert_allclose(jacobian[:, :, k], slope, rtol=1e-6, atol=1e-4)


def test_nothing_is_seen_behind_or_where_the_lens_has_no_inverse():
    a = camera("a", (0.0, 0.0, 0.0), (1.0, 0.0, 0.0))
    behind = np.array([[-1.0, 0.1, 0.1], [2.0, 0.0, 0.0]])
    np.testing.assert_array_equal(a.in_front(behind), [False, True])
    np.testing.assert_array_equal(np.isnan(a.project(behind)), [[True] * 2, [False] * 2])
    barrel = camera("a", (0, 0, 0), (1, 0, 0), D=LENSES["plumb_bob"])
    assert np.isnan(barrel.undistort(np.array([[9000.0, 9000.0]]))).all()
    assert barrel.undistort(np.zeros((0, 2))).shape == (0, 2)


def test_at_pose_moves_the_camera():
    a = camera("a", (0, 0, 0), (1, 0, 0), readout=0.01)
    b = camera("b", (1, 2, 3), (0, 0, 0))
    moved = a.at_pose(b.R_cw, b.t_cw)
    np.testing.assert_allclose(moved.centre, [1, 2, 3])
    assert (moved.name, moved.readout) == ("a", 0.01)
    np.testing.assert_allclose(a.centre, 0, atol=1e-12)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"K": np.zeros((3, 3))}, "K must be of positive focal lengths; got .*uncalibrated"),
        ({"K": np.eye(3) + np.eye(3, k=1)}, "K must be .*Calibrate without skew"),
        ({"K": np.eye(4)}, r"K must be of shape \(3, 3\)"),
        ({"model": "fish"}, "model must be one of plumb_bob"),
        ({"D": [1.0, 2.0]}, "D must be of length 0 or 4 or 5 for plumb_bob; got length 2"),
        ({"R_cw": np.eye(3) * 2}, "R_cw must be a rotation"),
        ({"t_cw": [0, 0, np.nan]}, "t_cw must be finite"),
        ({"width": 0}, "image size must be positive; got 0x480"),
        ({"time_offset": np.inf}, "time_offset must be finite"),
        ({"readout": -0.01}, "readout must be in 0 to 1 s; got -0.01"),
        ({"sigma_px": 0.0}, "sigma_px must be positive; got 0"),
    ],
)
def test_wrong_values_are_refused(changes, text):
    with pytest.raises(ValueError, match=text):
        dataclasses.replace(camera("a", (0, 0, 0), (1, 0, 0)), **changes)


def stereo_calibration():
    """A pair whose cameras are turned against each other, and its rectification by OpenCV."""
    size = (640, 480)
    K = [np.array([[f, 0, cx], [0, f, cy], [0, 0, 1]]) for f, cx, cy in
         ((500.0, 315.0, 245.0), (520.0, 325.0, 235.0))]  # fmt: skip
    D = [np.array([-0.2, 0.05, 0.001, -0.001, 0.0]), np.array([-0.1, 0.02, -0.001, 0.0005, 0.0])]
    R = axangles.axangle2mat([0.3, 1.0, 0.2], 0.12)
    t = np.array([-0.31, 0.02, 0.03])
    R1, R2, P1, P2 = cv2.stereoRectify(K[0], D[0], K[1], D[1], size, R, t[:, None], alpha=0)[:4]
    assert np.abs(R1 - np.eye(3)).max() > 0.03
    assert P2[0, 3] < -100
    infos = {
        name: {
            "width": 640, "height": 480, "K": K[k], "D": D[k], "R": (R1, R2)[k],
            "P": (P1, P2)[k], "model": "plumb_bob", "frame_id": f"{name}_optical_frame",
        }
        for k, name in enumerate(("left", "right"))
    }  # fmt: skip
    poses = {"left": (np.eye(3), np.zeros(3)), "right": (R, t)}
    keys = ("width", "height", "K", "D", "model")
    cameras = {
        name: Camera(name=name, R_cw=pose[0], t_cw=pose[1], **{k: infos[name][k] for k in keys})
        for name, pose in poses.items()
    }
    return Rig(cameras), infos, R1


def triangulate(rig, uv):
    P = np.array([c.P for c in rig.cameras.values()])
    normalised = np.array([c.undistort(uv[name]) for name, c in rig.cameras.items()])
    return triangulate_dlt(P, normalised, np.ones(normalised.shape[:2], dtype=bool))


def test_rig_raw_and_rectified_agree_within_a_millimetre():
    rig, infos, R1 = stereo_calibration()
    xyz = np.random.default_rng(1).uniform([-1, -0.8, 2], [1, 0.8, 6], (50, 3))
    raw = {name: c.project(xyz) for name, c in rig.cameras.items()}
    rectified = {
        name: cv2.undistortPoints(
            uv[:, None], infos[name]["K"], infos[name]["D"], R=infos[name]["R"], P=infos[name]["P"]
        )[:, 0]
        for name, uv in raw.items()
    }
    np.testing.assert_allclose(rectified["left"][:, 1], rectified["right"][:, 1], atol=0.05)
    from_rig = triangulate(rig, raw)
    from_raw = triangulate(rig_from_infos(infos, rectified=False), raw)
    from_rectified = triangulate(rig_from_infos(infos, rectified=True), rectified)
    np.testing.assert_allclose(from_rig, xyz, atol=1e-6)
    np.testing.assert_allclose(from_raw, xyz @ R1.T, atol=1e-3)
    np.testing.assert_allclose(from_rectified, xyz @ R1.T, atol=1e-3)


@pytest.mark.parametrize("rectified", [False, True])
def test_convention_binning_and_roi_keep_the_pixel_centres(rectified):
    _, infos, _ = stereo_calibration()
    full = camera_from_info("right", rectified=rectified, **infos["right"])
    part = camera_from_info(
        "right", rectified=rectified, **infos["right"], binning=(2, 4), roi=(64, 32, 320, 240)
    )
    assert (part.width, part.height) == (160, 60)
    xyz = np.array([[0.1, 0.2, 3.0], [-0.3, 0.0, 2.0]])
    # binned pixel (0, 0) averages the full pixels 64..65 and 32..35: their middle is (64.5, 33.5)
    expected = (full.project(xyz) - [64.5, 33.5]) / [2, 4]
    np.testing.assert_allclose(part.project(xyz), expected, atol=1e-9)
    np.testing.assert_allclose(part.centre, full.centre, atol=1e-12)
    unbinned = camera_from_info("right", rectified=rectified, **infos["right"], binning=(0, 0))
    np.testing.assert_array_equal(unbinned.K, full.K)


def test_uncalibrated_info_is_an_error_that_says_so():
    _, infos, _ = stereo_calibration()
    with pytest.raises(ValueError, match=r"K must be set in CameraInfo; .*left is uncalibrated"):
        camera_from_info("left", rectified=False, **(infos["left"] | {"K": np.zeros(9)}))
    with pytest.raises(ValueError, match=r"P must be set in CameraInfo; .*left is uncalibrated"):
        camera_from_info("left", rectified=True, **(infos["left"] | {"P": np.zeros(12)}))
    with pytest.raises(ValueError, match="R must be a rotation"):
        camera_from_info("left", rectified=False, **(infos["left"] | {"R": np.zeros(9)}))


def test_info_without_a_baseline_is_an_error():
    _, infos, _ = stereo_calibration()
    alone = {name: info | {"P": infos["left"]["P"]} for name, info in infos.items()}
    with pytest.raises(ValueError, match=r"P\[0, 3\] must be other than 0 .*no baseline"):
        rig_from_infos(alone, rectified=True)


def test_rig_from_infos_names_its_world():
    _, infos, _ = stereo_calibration()
    rig = rig_from_infos(infos, rectified=True)
    assert rig.world_frame == "left_optical_frame"
    assert rig.up is None
    assert rig_from_infos(infos, rectified=True, world_frame="map").world_frame == "map"


def test_empty_model_without_distortion_is_a_pinhole():
    _, infos, _ = stereo_calibration()
    plain = camera_from_info("a", rectified=False, **(infos["left"] | {"D": [], "model": ""}))
    assert plain.model == "plumb_bob"
