import dataclasses

import numpy as np
import pytest
from scenes import STEREO_RIG, camera, room_rig, stereo_rig

from liquid_mono3d_ros.geometry.rig import Rig, load_rig, save_rig

TEXT = STEREO_RIG.read_text()


def write(tmp_path, text):
    path = tmp_path / "rig.yaml"
    path.write_text(text)
    return path


def test_the_synthetic_pair_is_what_it_says():
    rig = stereo_rig()
    left, right = rig.cameras["left"], rig.cameras["right"]
    assert list(rig.cameras) == ["left", "right"]
    assert (rig.world_frame, left.width, left.height) == ("world", 640, 480)
    np.testing.assert_allclose(left.centre - right.centre, [0, 0.3, 0], atol=1e-12)
    np.testing.assert_allclose(left.R_cw[2], [1, 0, 0], atol=1e-12)  # looks along +x
    np.testing.assert_array_equal(rig.up, [0, 0, 1])


def test_round_trip_keeps_every_bit(tmp_path):
    rig = room_rig(3, readout=0.012, time_offset=-0.003)
    fish = dataclasses.replace(
        rig.cameras["cam2"], model="equidistant", D=[0.1, 0.01, 0.0, 1e-9], sigma_px=2.5
    )
    rig = Rig({**rig.cameras, "cam2": fish}, "map", np.array([0.0, 3.0, 4.0]))
    save_rig(rig, tmp_path / "rig.yaml")
    back = load_rig(tmp_path / "rig.yaml")
    assert (list(back.cameras), back.world_frame) == (list(rig.cameras), "map")
    np.testing.assert_allclose(back.up, [0, 0.6, 0.8])
    for name, expected in rig.cameras.items():
        for field in dataclasses.fields(expected):
            np.testing.assert_array_equal(
                getattr(back.cameras[name], field.name), getattr(expected, field.name), field.name
            )


def test_both_ways_to_write_a_pose_and_a_matrix_agree(tmp_path):
    flat = TEXT.replace("[[500.0, 0.0, 319.5], [0.0, 500.0, 239.5], [0.0, 0.0, 1.0]]",
                        "[500, 0, 319.5, 0, 500, 239.5, 0, 0, 1]")  # fmt: skip
    old = "T_world_camera: {translation: [0.0, 0.15, 1.0], quat_xyzw: [-0.5, 0.5, -0.5, 0.5]}"
    new = "R_cw: [0, -1, 0, 0, 0, -1, 1, 0, 0]\n    t_cw: [0.15, 1.0, 0.0]"
    assert old in flat
    expected, found = stereo_rig(), load_rig(write(tmp_path, flat.replace(old, new)))
    for name in expected.cameras:
        np.testing.assert_allclose(found.cameras[name].K, expected.cameras[name].K)
        np.testing.assert_allclose(found.cameras[name].P, expected.cameras[name].P, atol=1e-12)


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("D: []", "d: []", "cameras.left.d must be one of width.*; got an unknown key"),
        ("up:", "upp:", "rig.upp must be one of world_frame, up, cameras; got an unknown key"),
        ("    width: 640\n", "", "cameras.left.width must be present; got nothing"),
        ("translation: [0.0, 0.15, 1.0], ", "", "T_world_camera.translation must be present"),
        ("quat_xyzw", "quat", "T_world_camera.quat must be one of translation, quat_xyzw"),
        ("[-0.5, 0.5, -0.5, 0.5]", "[-0.5, 0.5, -0.5]", "quat_xyzw must be 4 numbers"),
        ("[-0.5, 0.5, -0.5, 0.5]", "[-0.5, 0.5, -0.5, 0]", "quat_xyzw must be of length 1"),
        ("500.0, 0.0, 319.5", "500.0, 319.5", "cameras.left: K must be 9 numbers"),
        ("width: 640", "width: wide", "cameras.left: width must be a whole number; got 'wide'"),
        ("model: plumb_bob", "model: fish", "cameras.left: model must be one of"),
        ("up: [0.0, 0.0, 1.0]", "up: [0, 0, 0]", "up must be a direction; got zeros"),
        ("cameras:", "cameras: [1]\nx:", "rig.x must be one of"),
        ("world_frame", "]", "no YAML"),
    ],
)
def test_errors_name_the_path_and_the_key(tmp_path, old, new, text):
    path = write(tmp_path, TEXT.replace(old, new, 1))
    with pytest.raises(ValueError, match=text) as error:
        load_rig(path)
    assert str(error.value).startswith(str(path))


def test_a_pose_is_written_once_and_only_once(tmp_path):
    line = "    frame_id: left_optical_frame"
    both = TEXT.replace(line, f"{line}\n    t_cw: [0, 0, 0]")
    with pytest.raises(ValueError, match="T_world_camera must be the only pose; got R_cw or t_cw"):
        load_rig(write(tmp_path, both))
    neither = "\n".join(part for part in TEXT.splitlines() if "T_world_camera" not in part)
    with pytest.raises(ValueError, match=r"cameras.left.R_cw must be present"):
        load_rig(write(tmp_path, neither))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"rig must be an existing file; got .*no.yaml"):
        load_rig(tmp_path / "no.yaml")


def test_a_rig_has_two_cameras_keyed_by_their_names():
    a, b = camera("a", (0, 0, 0), (1, 0, 0)), camera("b", (0, 1, 0), (1, 0, 0))
    with pytest.raises(ValueError, match="cameras must be two or more; got 1"):
        Rig({"a": a})
    with pytest.raises(ValueError, match="cameras must be keyed by name; got c: b"):
        Rig({"a": a, "c": b})
    with pytest.raises(ValueError, match=r"up must be of shape \(3\)"):
        Rig({"a": a, "b": b}, "world", np.array([0.0, 1.0]))
