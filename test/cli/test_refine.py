"""``refine`` on tracks of a room, on a recording, and on the real clip."""

import re

import numpy as np
import pytest
from knocked_rigs import knocked, tracks_of

from liquid_mono3d_ros.cli import track_source
from liquid_mono3d_ros.cli.refine import main
from liquid_mono3d_ros.clip import ClipUnavailable, fetch_clip
from liquid_mono3d_ros.geometry.rig import load_rig, save_rig
from liquid_mono3d_ros.resources import share_path
from liquid_mono3d_ros.synth.rigs import ring_rig


@pytest.fixture
def room(tmp_path):
    save_rig(ring_rig(4), tmp_path / "rig.yaml")
    return ring_rig(4)


def recorded(monkeypatch, tracks):
    """``--tracks FILE`` gives these; the reading of files is tested with the bench."""
    monkeypatch.setattr(track_source, "_recorded", lambda path: iter(tracks))


def test_a_knocked_camera_is_named_and_repaired(room, tmp_path, monkeypatch, capsys):
    truth = knocked(room, "camera3", late=0.0)
    recorded(monkeypatch, tracks_of(truth, duration=4.0))
    out = tmp_path / "repaired.yaml"
    assert main([str(tmp_path / "rig.yaml"), "--tracks", "road.mcap", "--out", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "230 instants of 2 objects in 3.8 s; residuals are medians in px"
    named = next(line for line in lines if line.startswith("camera3"))
    number = r"([-+\d.]+) ± [\d.]+"
    pattern = rf"turned {number} deg, moved {number} mm, clock {number} ms"
    degrees, millimetres, late = map(float, re.search(pattern, named).groups())
    assert abs(degrees - 2.0) < 0.15
    assert abs(millimetres - 50) < 10
    assert abs(late) < 3
    assert sum("held" in line for line in lines) == 3
    assert (
        "Held: camera0, camera1, camera2. They keep the world, its scale and its clock." in lines
    )
    assert max(map(len, lines)) <= 100
    repaired = load_rig(out).cameras["camera3"]
    assert np.linalg.norm(repaired.centre - truth.cameras["camera3"].centre) < 0.02


def test_a_rig_that_is_right_is_not_written(room, tmp_path, monkeypatch, capsys):
    recorded(monkeypatch, tracks_of(room, duration=2.0))
    out = tmp_path / "repaired.yaml"
    assert main([str(tmp_path / "rig.yaml"), "--tracks", "road.mcap", "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert "All cameras agree within their noise." in told
    assert "Nothing was changed and nothing written." in told
    assert not out.exists()


def test_settings_of_tracking_come_from_a_file_and_the_command_line(tmp_path):
    clip = track_source._from_file(share_path("config/clip.yaml"))
    assert clip["detector"] == "colour"
    assert clip["colour.area_min"] == 1000.0
    assert "reliability" not in clip  # the node's own
    assert track_source._setting("colour.hue_min:=86") == ("colour.hue_min", 86)
    with pytest.raises(ValueError, match="--set must be NAME:=VALUE; got 'detector=colour'"):
        track_source._setting("detector=colour")
    with pytest.raises(FileNotFoundError, match="--params-file must be a file"):
        track_source._from_file(tmp_path / "none.yaml")


def test_says_what_is_wrong_with_the_videos(room, tmp_path):
    with pytest.raises(ValueError, match=r"--videos must be CAMERA=FILE; got 'a.mp4'"):
        main([str(tmp_path / "rig.yaml"), "--videos", "a.mp4"])


@pytest.mark.network
def test_the_third_camera_of_the_real_clip_comes_back(tmp_path, capsys):
    try:
        clip = fetch_clip()
    except ClipUnavailable as error:
        pytest.skip(str(error))
    out = tmp_path / "repaired.yaml"
    videos = [f"{name}={path}" for name, path in clip.videos.items()]
    parameters = ["--params-file", str(share_path("config/clip.yaml"))]
    assert main([str(clip.rig_path), "--videos", *videos, *parameters, "--out", str(out)]) == 0
    told = capsys.readouterr().out
    print(f"\n{told}")
    rows = {line.split()[0]: line.split() for line in told.splitlines() if line.startswith("cam0")}
    assert float(rows["cam03"][2]) > 20  # px before
    assert float(rows["cam03"][3]) < 6  # px after
    assert rows["cam03"][4] == "turned"
    assert [rows[name][4] for name in ("cam01", "cam02", "cam04")] == ["held"] * 3
