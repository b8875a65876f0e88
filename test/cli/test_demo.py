"""The demo: what it plays, what it reports, and the picture."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("mcap_ros2")
pytest.importorskip("matplotlib")
from roads import road

from liquid_mono3d_ros.bench.evidence import known_facts
from liquid_mono3d_ros.cli import demo
from liquid_mono3d_ros.cli.demo import CLIP_CAMERAS, choose, main, report
from liquid_mono3d_ros.clip import Clip, ClipUnavailable
from liquid_mono3d_ros.processes import command

FOUR = ("cam01", "cam02", "cam03", "cam04")


@pytest.fixture
def clip(monkeypatch, tmp_path):
    found = Clip(tmp_path / "rig.yaml", {name: tmp_path / f"{name}.mp4" for name in FOUR})
    found.rig_path.write_text("cameras: {cam01: {}, cam02: {}, cam03: {}, cam04: {}}")
    monkeypatch.setattr(demo, "fetch_clip", lambda: found)
    return found


def parameters(plan, name):
    return next(dict(p.parameters) for p in plan.processes if p.name == name)


def test_the_clip_is_played_by_three_cameras_below_real_time(clip, tmp_path):
    show = choose("clip")
    plan = show.plan(tmp_path)
    player = parameters(plan, "player")
    assert player["cameras"] == list(CLIP_CAMERAS)
    assert player["videos"] == [f"{name}={tmp_path / name}.mp4" for name in CLIP_CAMERAS]
    assert player["play_rate"] == 0.25
    assert player["progress"] is True
    assert parameters(plan, "recorder")["output"] == str(tmp_path / "road.mcap")
    assert parameters(plan, "probe")["output"] == str(tmp_path / "latency.json")
    assert all(str(show.params_file) in p.params_files for p in plan.processes)


def test_the_demo_keeps_to_itself(tmp_path):
    environment = choose("synthetic").plan(tmp_path).environment
    assert environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    assert 1 <= int(environment["ROS_DOMAIN_ID"]) <= 101


def test_seven_nodes_are_started(tmp_path):
    commands = [command(process) for process in choose("synthetic").plan(tmp_path).processes]
    assert len(commands) == 7
    assert all(words[1] == "-m" for words in commands)


def test_without_a_network_the_synthetic_rig_is_played(monkeypatch, capsys):
    def offline():
        raise ClipUnavailable("The clip could not be downloaded.")

    monkeypatch.setattr(demo, "fetch_clip", offline)
    show = choose("clip")
    assert show.cameras == ("left", "right")
    assert not show.videos
    assert (
        "could not be downloaded.\nPlaying the synthetic rig instead." in capsys.readouterr().out
    )


def test_a_rig_that_is_not_there_is_named():
    with pytest.raises(FileNotFoundError, match="--rig must be clip, synthetic or a rig file"):
        choose("none.yaml")


def test_parameters_of_the_demo_are_known_to_the_nodes():
    yaml = pytest.importorskip("yaml")
    from liquid_mono3d_ros.graph import NODES

    for name in ("clip", "synthetic"):
        path = Path(demo.__file__).parents[2] / "config" / f"{name}.yaml"
        for section, content in yaml.safe_load(path.read_text(encoding="utf-8")).items():
            settings = NODES[section.rpartition("/")[2]].settings
            settings.from_flat(content["ros__parameters"])


def test_the_report_says_what_the_recording_bears_out(tmp_path, capsys):
    (tmp_path / "latency.json").write_text('{"images": {"left": 91}, "image_to_pose_ms": {}}')
    summary = report(choose("synthetic"), road(), tmp_path)
    assert json.loads((tmp_path / "summary.json").read_text()) == summary
    printed = capsys.readouterr().out
    assert "frames_with_pose        91" in printed
    assert "Object 7 was seen for 3.00 s" in printed
    assert "every number in the words is a fact" in printed
    number = len(known_facts(road().facts[-1]))
    assert number > 20
    assert f"facts recomputed from the recording: {number} of {number} agree" in printed


def test_the_report_names_what_it_does_not_bear_out(tmp_path, capsys):
    recording = road()
    (spoken,) = recording.descriptions
    facts = replace(spoken.facts, path_length=replace(spoken.facts.path_length, value=2.0))
    lie = replace(spoken, facts=facts, text=f"{spoken.text} It weighs 99 kg.")
    report(choose("synthetic"), replace(recording, descriptions=[lie]), tmp_path)
    printed = capsys.readouterr().out
    number = len(known_facts(facts))
    assert f"{number - 1} of {number} agree" in printed
    assert "path_length: said 2" in printed
    assert "numbers in the words that no fact has: " in printed
    assert ", 99" in printed


def test_what_was_there_before_does_not_count(monkeypatch, tmp_path):
    (tmp_path / "road.mcap").write_bytes(b"old")
    monkeypatch.setattr(demo, "play", lambda plan: {"player": 1})
    with pytest.raises(FileNotFoundError, match=r"road\.mcap"):
        main(["--rig", "synthetic", "--out", str(tmp_path)])


def test_the_whole_verb_but_for_the_processes(monkeypatch, tmp_path):
    monkeypatch.setattr(demo, "play", lambda plan: {})
    monkeypatch.setattr(demo, "read_road", lambda path: road())
    readme = tmp_path / "readme.png"
    assert main(["--rig", "synthetic", "--out", str(tmp_path), "--readme", str(readme)]) == 0
    for path in (tmp_path / "road.png", readme):
        image = cv2.imread(str(path))
        assert image.shape == (1260, 2040, 3)
        assert np.ptp(image) == 255


def test_nothing_seen_is_a_failure(monkeypatch, tmp_path):
    monkeypatch.setattr(demo, "play", lambda plan: {})
    monkeypatch.setattr(demo, "read_road", lambda path: replace(road(), posed=frozenset()))
    assert main(["--rig", "synthetic", "--out", str(tmp_path)]) == 1
