import dataclasses
import re

import numpy as np
import pytest
from knocked_rigs import tracks_of

from liquid_mono3d_ros.cli import track_source
from liquid_mono3d_ros.cli.doctor import copies, main
from liquid_mono3d_ros.cli.main import main as command
from liquid_mono3d_ros.geometry.rig import Rig, save_rig
from liquid_mono3d_ros.synth.rigs import ring_rig, stereo_rig


@pytest.fixture(autouse=True)
def one_copy(monkeypatch):
    """The checkout beside an installed copy is no matter of these tests."""
    monkeypatch.setattr("sys.path", [path for path in __import__("sys").path if "site" in path])


def told(capsys):
    return capsys.readouterr().out.splitlines()


def test_the_tables_of_a_stereo_rig(tmp_path, capsys):
    path = tmp_path / "rig.yaml"
    save_rig(stereo_rig(), path)
    assert main([str(path)]) == 0
    lines = told(capsys)
    assert lines[0] == f"{path}: 2 cameras, world 'world', up (0.00, 0.00, 1.00)"
    left = next(line for line in lines if line.startswith("left ") and "640x480" in line)
    assert re.split(r"\s{2,}", left.strip())[-1] == "(1.00, 0.00, 0.00)"
    assert "65x51" in left
    pair = next(line for line in lines if line.startswith("left - right"))
    assert pair.split()[3] == "0.300"
    assert lines[-1] == "All is well."
    assert max(map(len, lines[1:])) <= 100


def test_an_error_is_told_first_and_gives_status_1(tmp_path, capsys):
    rig = stereo_rig()
    left = rig.cameras["left"]
    same = dataclasses.replace(rig.cameras["right"], R_cw=left.R_cw, t_cw=left.t_cw)
    path = tmp_path / "rig.yaml"
    save_rig(Rig({"left": left, "right": same}), path)
    assert main([str(path)]) == 1
    lines = told(capsys)
    assert lines[-1] == "1 error, 1 warning"
    sentences = " ".join(lines).split("error: ")[1]
    assert sentences.startswith("left and right are 0.0 mm apart, at one place, so they give no")
    assert "warning: The world has no up" in sentences


@pytest.mark.parametrize(
    ("line", "wrong", "sentence"),
    [
        ("K: [[500.0, 0.0, 319.5], [0.0, 500.0, 239.5], [0.0, 0.0, 1.0]]",
         "K: [[0, 0, 0], [0, 0, 0], [0, 0, 0]]",
         "K must be of positive focal lengths; got 0 and 0: uncalibrated. Calibrate it."),
        ("quat_xyzw: [-0.5, 0.5, -0.5, 0.5]", "quat_xyzw: [-0.5, 0.5, -0.5, 0.9]",
         "quat_xyzw must be of length 1; got length 1.249. Normalise the quaternion."),
    ],
)  # fmt: skip
def test_a_file_that_is_no_rig_is_told_with_its_key(tmp_path, capsys, line, wrong, sentence):
    from liquid_mono3d_ros.resources import share_path

    text = share_path("config/rigs/stereo_synthetic.yaml").read_text()
    assert line in text
    path = tmp_path / "rig.yaml"
    path.write_text(text.replace(line, wrong, 1))
    assert command(["doctor", str(path)]) == 1
    assert sentence in capsys.readouterr().err


def test_tracks_show_residuals_rates_and_what_is_missing(tmp_path, capsys, monkeypatch):
    room = ring_rig(4)
    path = tmp_path / "rig.yaml"
    save_rig(room, path)
    tracks = [one for one in tracks_of(room, duration=3.0) if one.camera != "camera3"]
    monkeypatch.setattr(track_source, "_recorded", lambda path: iter(tracks))
    assert main([str(path), "--tracks", "road.mcap"]) == 0
    lines = told(capsys)
    row = next(line.split() for line in lines if line.startswith("camera0") and " 90 " in line)
    assert row[1:3] == ["90", "30.0"]
    assert float(row[3]) < 1.0
    assert any(
        line.startswith("warning: no tracks of camera3: is its camera running") for line in lines
    )


def test_images_of_another_size_are_an_error(tmp_path, capsys, monkeypatch):
    room = ring_rig(4)
    path = tmp_path / "rig.yaml"
    save_rig(room, path)
    small = [
        dataclasses.replace(one, width=320, height=240) if one.camera == "camera1" else one
        for one in tracks_of(room, duration=1.0)
    ]
    monkeypatch.setattr(track_source, "_recorded", lambda path: iter(small))
    assert main([str(path), "--tracks", "road.mcap"]) == 1
    text = " ".join(" ".join(told(capsys)).split())
    assert (
        "error: camera1: its images are 320x240, its calibration is for 640x480: its tracks are "
        "dropped. Calibrate at the size that is used."
    ) in text
    assert "dropped: 30 image_size" in text


def test_two_copies_of_the_package_are_named(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name / "liquid_mono3d_ros").mkdir(parents=True)
        (tmp_path / name / "liquid_mono3d_ros" / "__init__.py").touch()
    a, b = (str(tmp_path / name) for name in ("a", "b"))
    assert copies([a, a, "/nowhere"]) == []
    (problem,) = copies([a, b])
    assert not problem.is_error
    assert problem.sentence.startswith(
        f"There are 2 copies of liquid_mono3d_ros: {a}/liquid_mono3d_ros is used, "
        f"{b}/liquid_mono3d_ros is not. Keep one:"
    )


def test_the_installation_alone(capsys):
    assert main(["--installation"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"^numpy \d", text, re.MULTILINE)
    assert "configuration at " in text
    assert np.__version__ in text


def test_a_rig_or_the_installation_must_be_asked_for(capsys):
    with pytest.raises(SystemExit):
        main([])
    assert "give a rig file, or --installation alone" in capsys.readouterr().err
