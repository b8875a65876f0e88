"""One scene, three ways to say where the cameras are."""

import cv2
import numpy as np
import pytest
import yaml
from observer import camera_info, hosted, tracks_message
from scenes import ORIGIN
from transforms3d.euler import euler2mat

from liquid_mono3d_ros.geometry.camera import Camera
from liquid_mono3d_ros.nodes.messages import to_stamp
from liquid_mono3d_ros.nodes.triangulation import TriangulationNode

pytestmark = pytest.mark.ros
FRAME = 40_000_000
SIZE = (640, 480)
K = {
    "left": np.array([[510.0, 0, 322.0], [0, 505.0, 236.0], [0, 0, 1]]),
    "right": np.array([[498.0, 0, 315.0], [0, 500.0, 243.0], [0, 0, 1]]),
}
D = {
    "left": np.array([-0.21, 0.06, 0.001, -0.0005, 0.01]),
    "right": np.array([-0.19, 0.05, -0.0008, 0.0004, 0.0]),
}
R_right_left = euler2mat(0.02, -0.05, 0.03)
t_right_left = np.array([-0.3, 0.01, 0.02])  # m; the right camera is 0.3 m to the right
RECTIFIED = cv2.stereoRectify(
    K["left"], D["left"], K["right"], D["right"], SIZE, R_right_left, t_right_left[:, None]
)
R_RECT = dict(zip(("left", "right"), RECTIFIED[0:2], strict=True))
P_RECT = dict(zip(("left", "right"), RECTIFIED[2:4], strict=True))


def position(t):
    """Return where the object is in the left camera's rectified frame, m."""
    return np.array([0.3 * np.cos(2 * t), 0.3 * np.sin(2 * t), 2.5 + 0.4 * t])


def raw_pixel(name, xyz):
    """Return where OpenCV sees it, in the distorted image."""
    in_left = R_RECT["left"].T @ xyz
    R, t = (np.eye(3), np.zeros(3)) if name == "left" else (R_right_left, t_right_left)
    uv, _ = cv2.projectPoints(in_left[None], cv2.Rodrigues(R)[0], t, K[name], D[name])
    return uv[0]


def rectified_pixel(name, xyz):
    u, v, w = P_RECT[name] @ [*xyz, 1.0]
    return np.array([[u / w, v / w]])


def cameras():
    """Return the cameras as a rig file has them: raw, in the world of the rectified left one."""
    left = R_RECT["left"].T, np.zeros(3)
    right = R_right_left @ R_RECT["left"].T, t_right_left
    frames = {name: f"{name}_optical_frame" for name in K}
    return {
        name: Camera(name, *SIZE, K[name], D[name], "plumb_bob", R_cw, t_cw, frames[name])
        for name, (R_cw, t_cw) in {"left": left, "right": right}.items()
    }


def rig_file(path):
    rig = {
        name: {
            "width": camera.width,
            "height": camera.height,
            "K": camera.K.tolist(),
            "D": camera.D.tolist(),
            "R_cw": camera.R_cw.tolist(),
            "t_cw": camera.t_cw.tolist(),
        }
        for name, camera in cameras().items()
    }
    path.write_text(yaml.safe_dump({"world_frame": "left_optical_frame", "cameras": rig}))
    return str(path)


def locate(parameters, pixel):
    """Return stamp → position from a node with these parameters."""
    found = {}
    with hosted(TriangulationNode, {"cameras": ["left", "right"], **parameters}) as (
        node,
        observer,
    ):
        points = observer.listen("points3d")
        observer.meet("points3d")
        for name, camera in cameras().items() if "rig" not in parameters else ():
            info = camera_info(camera, ORIGIN, R=R_RECT[name], P=P_RECT[name])
            observer.say("{camera}/camera_info", info, camera=name)
        observer.until(lambda: node.triangulator)
        for k in range(12):
            stamp = ORIGIN + k * FRAME
            xyz = position(k * FRAME / 1e9)
            for name, camera in cameras().items():
                message = tracks_message(camera, stamp, pixel(name, xyz))
                observer.say("{camera}/tracks2d", message, camera=name)
        observer.until(lambda: len(points) >= 12, "a point of each frame")
        for array in points:
            assert array.header.frame_id == "left_optical_frame"
            for point in array.points:
                xyz = point.position.x, point.position.y, point.position.z
                found[to_stamp(array.header.stamp)] = np.array(xyz)
    return found


def test_convention_rig_and_raw_p_and_rectified_p_agree(tmp_path):
    ways = {
        "rig": locate({"rig": rig_file(tmp_path / "rig.yaml")}, raw_pixel),
        "raw + P": locate({"extrinsics": "camera_info"}, raw_pixel),
        "rectified + P": locate({"extrinsics": "camera_info", "rectified": True}, rectified_pixel),
    }
    for name, found in ways.items():
        assert len(found) >= 9, name  # the first frames confirm the pair
        for stamp, xyz in found.items():
            truth = position((stamp - ORIGIN) / 1e9)
            assert np.linalg.norm(xyz - truth) < 1e-3, name


def test_the_world_frame_can_be_named():
    with hosted(
        TriangulationNode,
        {"extrinsics": "camera_info", "cameras": ["left", "right"], "world_frame": "cell"},
    ) as (node, observer):
        for name, camera in cameras().items():
            info = camera_info(camera, ORIGIN, R=R_RECT[name], P=P_RECT[name])
            observer.say("{camera}/camera_info", info, camera=name)
        observer.until(lambda: node.triangulator)
        assert node.rig.world_frame == "cell"


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({}, "rig must be a path with extrinsics rig; got nothing."),
        ({"rig": "/no/rig.yaml"}, "rig must be an existing file; got /no/rig.yaml."),
        ({"extrinsics": "camera_info"}, "cameras must be two or more names; got 0."),
    ],
)
def test_a_missing_calibration_is_named(parameters, sentence):
    with hosted(TriangulationNode, parameters, bring_up=False) as (node, _):
        assert not node.bring_up()
        assert node.failure.startswith(sentence)


def test_a_camera_that_the_rig_does_not_have_is_named(tmp_path):
    given = {"rig": rig_file(tmp_path / "rig.yaml"), "cameras": ["left", "top"]}
    with hosted(TriangulationNode, given, bring_up=False) as (node, _):
        assert not node.bring_up()
        assert node.failure.startswith("cameras must be among left, right, the cameras of")
        assert "got top. Use its names." in node.failure
