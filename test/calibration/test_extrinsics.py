"""Whole calibrations against the cameras that made the images."""

import cv2
import numpy as np
import pytest
from board_scenes import CHARUCO, CHESSBOARD, board_poses, lens, render_board

from liquid_mono3d_ros.calibration.boards import Corners, find_corners, parse_board
from liquid_mono3d_ros.calibration.extrinsics import calibrate_rig, world_on_board
from liquid_mono3d_ros.calibration.intrinsics import CalibrationSettings, calibrate_intrinsics
from liquid_mono3d_ros.calibration.quality import advice, camera_quality, pair_quality
from liquid_mono3d_ros.samples import PAIRS, SamplesUnavailable, fetch_opencv_samples

FISHEYE = {"model": "equidistant", "D": (0.05, -0.01, 0.003, -0.001), "focal": 300.0}
LENSES = {"pinhole": {}, "fisheye": FISHEYE}
SHIFT = np.array([0.06, 0.0, 0.0])
"""Half the baseline: the middle between the cameras, m."""
SIZES = {"left": (640, 480), "right": (640, 480)}


def pair(**kwargs):
    return {"left": lens("left", **kwargs), "right": lens("right", t=0.12, **kwargs)}


def sightings(cameras, board, poses, sigma, seed=0):
    """Exact corners with white noise, those inside the image."""
    rng = np.random.default_rng(seed)
    views = {name: {} for name in cameras}
    for name, camera in cameras.items():
        for k, (R, t) in enumerate(poses):
            uv = camera.project(board.xyz @ R.T + t) + rng.normal(0, sigma, (len(board.xyz), 2))
            inside = ((uv > 0) & (uv < (639, 479))).all(axis=1)
            if inside.all() or (board.dictionary and inside.sum() > 12):
                views[name][k] = Corners(np.flatnonzero(inside), uv[inside])
    return views


def degrees_apart(a, b):
    return np.degrees(np.linalg.norm(cv2.Rodrigues(a @ b.T)[0]))


@pytest.mark.parametrize("kind", LENSES)
@pytest.mark.parametrize("board", [CHESSBOARD, CHARUCO], ids=["chessboard", "charuco"])
def test_rendered_images_give_back_the_cameras(board, kind):
    cameras = pair(**LENSES[kind])
    distance = (0.28, 0.42) if kind == "fisheye" else (0.4, 0.6)
    poses = [(R, t + SHIFT) for R, t in board_poses(board, 6, distance=distance)]
    views = {
        name: {
            k: corners
            for k, (R, t) in enumerate(poses)
            if (corners := find_corners(board, render_board(camera, board, R, t))) is not None
        }
        for name, camera in cameras.items()
    }
    settings = CalibrationSettings(model=cameras["left"].model)
    found = calibrate_rig(board, views, SIZES, settings).rig.cameras
    for name, truth in cameras.items():
        np.testing.assert_allclose(np.diag(found[name].K)[:2], np.diag(truth.K)[:2], rtol=0.005)
        np.testing.assert_allclose(found[name].K[:2, 2], truth.K[:2, 2], atol=2.0)
    assert degrees_apart(found["right"].R_cw, cameras["right"].R_cw) < 0.1
    np.testing.assert_allclose(found["right"].centre, cameras["right"].centre, atol=5e-4)


@pytest.mark.parametrize("kind", LENSES)
def test_the_errors_are_as_large_as_they_are_said_to_be(kind):
    cameras, errors = pair(**LENSES[kind]), []
    poses = [(R, t + SHIFT) for R, t in board_poses(CHARUCO, 12, distance=(0.35, 0.5))]
    for seed in range(8):
        views = sightings(cameras, CHARUCO, poses, 0.2, seed)
        settings = CalibrationSettings(model=cameras["left"].model)
        calibration = calibrate_rig(CHARUCO, views, SIZES, settings)
        right = calibration.rig.cameras["right"]
        baseline = np.linalg.norm(right.centre) - np.linalg.norm(cameras["right"].centre)
        lens_error = right.K[[0, 1, 0, 1], [0, 1, 2, 2]] - [
            *np.diag(cameras["right"].K)[:2],
            322,
            236,
        ]
        errors.append([
            baseline / calibration.baseline_sigma["right"],
            *(lens_error / calibration.lens_sigma["right"][:4]),
        ])  # fmt: skip
    spread = np.sqrt(np.mean(np.square(errors)))  # 40 numbers, the true value is 1
    assert 0.65 < spread < 1.4


def test_intrinsic_sigmas_are_those_of_opencv():
    camera = lens("left")
    views = sightings({"left": camera, "right": lens("right", t=0.12)}, CHESSBOARD,
                      board_poses(CHESSBOARD, 12), 0.2)  # fmt: skip
    ours = calibrate_rig(CHESSBOARD, views, SIZES)
    own = views["left"].values()
    xyz = [CHESSBOARD.xyz.astype(np.float32)] * len(own)
    uv = [corners.uv.astype(np.float32) for corners in own]
    sigma = cv2.calibrateCameraExtended(xyz, uv, SIZES["left"], None, None)[5].ravel()[:4]
    assert (ours.lens_sigma["left"][:4] < 1.2 * sigma).all()  # the other camera can only help
    assert (ours.lens_sigma["left"][:4] > 0.4 * sigma).all()


def test_a_view_that_contradicts_the_others_is_left_out_and_told():
    views = sightings(pair(), CHESSBOARD, board_poses(CHESSBOARD, 12), 0.1)
    number = sorted(views["left"])[3]
    bent = views["left"][number]
    wave = 4 * np.sin(np.arange(len(bent.uv)))[:, None]
    views["left"][number] = Corners(bent.index, bent.uv + wave)
    calibration = calibrate_rig(CHESSBOARD, views, SIZES)
    assert set(calibration.left_out["left"]) == {number}
    assert not calibration.left_out["right"]
    assert "times the median" in calibration.left_out["left"][number]
    assert abs(calibration.rig.cameras["left"].K[0, 0] - 420) < 2


def test_four_cameras_in_a_chain_of_which_no_one_sees_every_board():
    """Each camera shares boards only with its neighbours."""
    cameras = {
        f"c{k}": lens(f"c{k}").at_pose(np.eye(3), np.array([-0.1 * k, 0, 0])) for k in range(4)
    }
    views = {name: {} for name in cameras}
    for k, (R, t) in enumerate(board_poses(CHARUCO, 36, reach=(0.03, 0.02))):
        for c in (k % 3, k % 3 + 1):
            name, middle = f"c{c}", np.array([0.1 * (k % 3) + 0.05, 0, 0.1])
            seen = sightings({name: cameras[name]}, CHARUCO, [(R, t + middle)], 0.1, seed=k)
            views[name][k] = seen[name][0]
    calibration = calibrate_rig(CHARUCO, views, dict.fromkeys(cameras, (640, 480)))
    for name, camera in calibration.rig.cameras.items():
        np.testing.assert_allclose(camera.centre, cameras[name].centre, atol=2e-3)
    assert list(calibration.rig.cameras) == list(cameras)


def test_convention_the_world_on_a_board_has_z_up_towards_the_cameras():
    views = sightings(pair(), CHESSBOARD, board_poses(CHESSBOARD, 10), 0.1)
    calibration = calibrate_rig(CHESSBOARD, views, SIZES)
    number = sorted(views["left"])[0]
    rig = world_on_board(calibration, number)
    np.testing.assert_array_equal(rig.up, [0, 0, 1])
    assert all(camera.centre[2] > 0.2 for camera in rig.cameras.values())
    corner = np.array([[CHESSBOARD.square, -CHESSBOARD.square, 0.0]])  # second column, second row
    uv = rig.cameras["left"].project(corner)
    np.testing.assert_allclose(uv[0], views["left"][number].uv[CHESSBOARD.columns + 1], atol=1.0)
    with pytest.raises(ValueError, match=r"world must be one of .*; got board:99"):
        world_on_board(calibration, 99)


def test_says_what_is_missing():
    views = sightings(pair(), CHESSBOARD, board_poses(CHESSBOARD, 10), 0.1)
    with pytest.raises(ValueError, match="images must be of two or more cameras; got 1"):
        calibrate_rig(CHESSBOARD, {"left": views["left"]}, SIZES)
    few = {name: dict(list(seen.items())[:2]) for name, seen in views.items()}
    with pytest.raises(ValueError, match="images of left must be 3 or more in which the board"):
        calibrate_rig(CHESSBOARD, few, SIZES)
    apart = {**views, "right": {k + 100: corners for k, corners in views["right"].items()}}
    with pytest.raises(ValueError, match="board of right must be seen with another camera in 3"):
        calibrate_rig(CHESSBOARD, apart, SIZES)


def test_quality_names_what_to_do_better():
    flat = [(np.eye(3), np.array([x, 0.0, 0.5])) for x in (-0.1, -0.12, -0.14, -0.16)]
    rig = pair()
    seen = sightings(rig, CHESSBOARD, flat, 0.01)
    tilted = sightings(rig, CHESSBOARD, board_poses(CHESSBOARD, 14, reach=(0.14, 0.1)), 0.1)
    calibration = calibrate_rig(CHESSBOARD, tilted, SIZES)
    cameras = camera_quality(calibration, CHESSBOARD, tilted)
    pairs = pair_quality(calibration, tilted)
    assert 0.1 < cameras["left"].rms_px < 0.17  # 0.1 px each way: 0.14
    assert np.median(pairs["left", "right"].epipolar_px) < 0.12
    assert not [text for text in advice(CHESSBOARD, cameras, pairs) if "tilt" in text]
    worse = calibrate_rig(CHESSBOARD, seen, SIZES)
    told = "\n".join(
        advice(
            parse_board("chessboard:7x5:0.04"),
            camera_quality(worse, CHESSBOARD, seen),
            pair_quality(worse, seen),
        )
    )
    for part in ("looks the same upside down", "left: 4 views are few", "never tilted by more",
                 "left: corners cover", "left and right share"):  # fmt: skip
        assert part in told


@pytest.mark.network
def test_the_real_pairs_agree_with_opencvs_own_calibration():
    """Ground: cv2.calibrateCamera and cv2.stereoCalibrate on the same corners, and the package's
    own ``left_intrinsics.yml``: focal length 535.9 px, of 25 mm squares."""
    try:
        folder = fetch_opencv_samples()
    except SamplesUnavailable as error:
        pytest.skip(str(error))
    board = parse_board("chessboard:9x6:0.025")
    views = {
        side: {
            k: find_corners(board, cv2.imread(str(folder / f"{side}{k:02d}.jpg"))) for k in PAIRS
        }
        for side in ("left", "right")
    }
    calibration = calibrate_rig(board, views, SIZES)
    left, right = calibration.rig.cameras.values()
    rms = {name: q.rms_px for name, q in camera_quality(calibration, board, views).items()}
    print(f"\nRMS {rms}, fx {left.K[0, 0]:.2f} {right.K[0, 0]:.2f} px, "
          f"baseline {1000 * np.linalg.norm(right.centre):.2f} mm")  # fmt: skip
    assert max(rms.values()) < 0.25
    reference = cv2.FileStorage(str(folder / "left_intrinsics.yml"), cv2.FILE_STORAGE_READ)
    K = reference.getNode("camera_matrix").mat()
    assert abs(left.K[0, 0] / K[0, 0] - 1) < 0.01
    xyz = [board.xyz.astype(np.float32)] * len(PAIRS)
    uv = [[seen.uv.astype(np.float32) for seen in views[side].values()] for side in views]
    lenses = [cv2.calibrateCamera(xyz, own, SIZES["left"], None, None)[1:3] for own in uv]
    flags = cv2.CALIB_FIX_INTRINSIC
    shift = cv2.stereoCalibrate(xyz, *uv, *lenses[0], *lenses[1], SIZES["left"], flags=flags)[6]
    for ours, (K_opencv, _) in zip((left, right), lenses, strict=True):
        assert abs(ours.K[0, 0] / K_opencv[0, 0] - 1) < 0.003
    np.testing.assert_allclose(np.linalg.norm(right.centre), np.linalg.norm(shift), rtol=0.002)
    pairs = pair_quality(calibration, views)["left", "right"]
    assert np.median(pairs.epipolar_px) < 0.2


def test_convention_pixels_are_measured_from_the_centre_of_the_first_pixel():
    """Corners where ``Camera`` puts them give back its K: OpenCV counts pixels as the rig does."""
    camera = lens("left", D=(0, 0, 0, 0, 0))
    views = sightings({"left": camera}, CHESSBOARD, board_poses(CHESSBOARD, 12), 0.0)["left"]
    found = calibrate_intrinsics("left", CHESSBOARD, views, (640, 480), CalibrationSettings())
    np.testing.assert_allclose(found.K, camera.K, atol=1e-2)
