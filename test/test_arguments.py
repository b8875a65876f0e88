import json
from pathlib import Path

import pytest
import yaml

from liquid_mono3d_ros.arguments import DEMO, PIPELINE, complete
from liquid_mono3d_ros.plan import Camera, plan_demo, plan_pipeline

STEREO = {"left": "/stereo/left/image_rect", "right": "/stereo/right/image_rect"}
RIG = Path(__file__).parents[1] / "config/rigs/stereo_synthetic.yaml"


def process(plan, name):
    return next(process for process in plan.processes if process.name == name)


def test_left_and_right_are_two_cameras():
    plan = plan_pipeline({**STEREO, "rectified": "true", "extrinsics": "camera_info"})
    tracking, triangulation = process(plan, "tracking"), process(plan, "triangulation")
    assert tracking.parameters["cameras"] == ["left", "right"]
    assert tracking.remappings == (
        ("left/image_raw", "/stereo/left/image_rect"),
        ("left/image_raw/compressed", "/stereo/left/image_rect/compressed"),
        ("left/camera_info", "/stereo/left/camera_info"),
        ("right/image_raw", "/stereo/right/image_rect"),
        ("right/image_raw/compressed", "/stereo/right/image_rect/compressed"),
        ("right/camera_info", "/stereo/right/camera_info"),
    )
    assert triangulation.parameters["extrinsics"] == "camera_info"
    assert triangulation.parameters["rectified"] is True


def test_any_number_of_cameras_by_name():
    plan = plan_pipeline({"cameras": "front=/f/image_raw, side=/s/image_raw,top"})
    tracking = process(plan, "tracking")
    assert tracking.parameters["cameras"] == ["front", "side", "top"]
    assert ("side/camera_info", "/s/camera_info") in tracking.remappings
    assert not any(own.startswith("top/") for own, _ in tracking.remappings)


def test_a_rig_file_names_its_cameras_and_is_the_calibration():
    plan = plan_pipeline({"rig": str(RIG)})
    triangulation = process(plan, "triangulation")
    assert triangulation.parameters["cameras"] == ["left", "right"]
    assert triangulation.parameters["extrinsics"] == "rig"
    assert triangulation.parameters["rig"] == str(RIG)


@pytest.mark.parametrize(
    ("camera", "info"),
    [
        (Camera("left", "/a/image_raw"), "/a/camera_info"),
        (Camera("left", "cam/image_raw"), "cam/camera_info"),
        (Camera("left", "image_raw"), "camera_info"),
        (Camera("left", "/a/image_raw", "/b/info"), "/b/info"),
    ],
)
def test_camera_info_is_beside_the_image_unless_it_is_named(camera, info):
    assert dict(camera.remappings())["left/camera_info"] == info


def test_what_is_not_said_is_left_to_the_parameters_file():
    parameters = process(plan_pipeline(STEREO), "triangulation").parameters
    assert not {"rectified", "sync", "world_frame", "rig"} & set(parameters)
    assert process(plan_pipeline(STEREO), "liquid_filter").parameters == {
        "use_sim_time": False,
        "autostart": True,
    }


def test_what_is_said_reaches_its_node():
    plan = plan_pipeline(
        {
            **STEREO,
            "detector": "colour",
            "sync": "extrapolate",
            "filter": "cv",
            "backend": "smollm2",
            "sight": "facts",
            "world_frame": "map",
            "use_sim_time": "true",
            "autostart": "false",
            "namespace": "robot",
            "log_level": "debug",
        }
    )
    assert process(plan, "tracking").parameters["detector"] == "colour"
    assert process(plan, "triangulation").parameters["sync"] == "extrapolate"
    assert process(plan, "triangulation").parameters["world_frame"] == "map"
    assert process(plan, "liquid_filter").parameters["filter"] == "cv"
    description = process(plan, "description").parameters
    assert (description["backend"], description["sight"]) == ("smollm2", "facts")
    assert description["cameras"] == ["left", "right"]
    for each in plan.processes:
        assert each.parameters["use_sim_time"] is True
        assert each.parameters["autostart"] is False
        assert (each.namespace, each.log_level) == ("robot", "debug")


def test_the_users_file_comes_after_ours():
    files = process(plan_pipeline({**STEREO, "params_file": "/my.yaml"}), "tracking").params_files
    assert (Path(files[0]).name, files[1:]) == ("pipeline.yaml", ("/my.yaml",))


def test_one_tracking_process_for_each_camera():
    plan = plan_pipeline({"cameras": "a=/a/image,b=/b/image", "tracking_per_camera": "true"})
    names = [each.name for each in plan.processes]
    assert names == ["tracking_a", "tracking_b", "triangulation", "liquid_filter", "description"]
    second = process(plan, "tracking_b")
    assert (second.executable, second.parameters["cameras"]) == ("tracking", ["b"])
    assert {own.partition("/")[0] for own, _ in second.remappings} == {"b"}


@pytest.mark.parametrize("nested", [False, True])
def test_tracking_per_camera_reads_the_section_of_tracking(tmp_path, nested):
    values = {"tracker": {"gate": 5.0}, "queue_size": 2, "detector": "background"}
    section = {"ros__parameters": values}
    path = tmp_path / "mine.yaml"
    path.write_text(
        json.dumps(
            {
                **({"/**": {"tracking": section}} if nested else {"/**/tracking": section}),
                "/**/liquid_filter": {"ros__parameters": {"filter": "cv"}},
            }
        )
    )
    plan = plan_pipeline(
        {
            **STEREO,
            "params_file": str(path),
            "tracking_per_camera": "true",
            "detector": "colour",
        }
    )
    parameters = process(plan, "tracking_left").parameters
    assert parameters["tracker.gate"] == 5.0
    assert parameters["queue_size"] == 2
    assert parameters["detector"] == "colour", "an argument comes before a file"
    assert parameters["cameras"] == ["left"]
    assert "filter" not in parameters


def test_shared_memory_is_on_unless_switched_off():
    environment = plan_pipeline(STEREO).environment
    assert set(environment) == {"FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"}
    assert all(Path(path).is_file() for path in environment.values())
    assert plan_pipeline({**STEREO, "shm": "off"}).environment == {}


def test_demo_adds_player_probe_and_recorder():
    names = [each.name for each in plan_demo({}).processes]
    assert names == ["tracking", "triangulation", "liquid_filter", "description", "player"]
    plan = plan_demo(
        {
            "probe": "p.json",
            "record": "r.mcap",
            "videos": "left=a.mp4,right=b.mp4",
            "phases": "0,0.5",
            "play_rate": "0.25",
            "loop": "0",
        }
    )
    player = process(plan, "player").parameters
    assert player["videos"] == ["left=a.mp4", "right=b.mp4"]
    assert player["phases"] == [0.0, 0.5]
    assert (player["play_rate"], player["loop"]) == (0.25, 0)
    assert process(plan, "probe").parameters["output"] == "p.json"
    assert process(plan, "recorder").parameters["output"] == "r.mcap"
    assert all(each.parameters["use_sim_time"] is True for each in plan.processes)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"lft": "/a"}, r"^argument lft must be one of left, .*; got an unknown name\."),
        ({**STEREO, "sync": "soon"}, r"^argument sync must be one of interpolate, .*got 'soon'"),
        ({**STEREO, "rectified": "yes"}, r"^argument rectified must be one of true, false; got"),
        ({"left": "/a/image_raw"}, r"^left and right must be given together"),
        ({}, r"^cameras must be named by left and right, .*; got none of them\. For one stereo"),
    ],
)
def test_wrong_arguments_are_refused(given, sentence):
    with pytest.raises(ValueError, match=sentence):
        plan_pipeline(given)


def test_a_missing_rig_file_is_named():
    with pytest.raises(FileNotFoundError, match=r"rig must be a file; got '/no/rig\.yaml'"):
        plan_pipeline({"rig": "/no/rig.yaml"})


def test_a_rig_file_without_cameras_is_refused(tmp_path):
    path = tmp_path / "rig.yaml"
    path.write_text(yaml.safe_dump({"world_frame": "world"}))
    with pytest.raises(ValueError, match=r"^rig must be a file with cameras; got "):
        plan_pipeline({"rig": str(path)})


def test_every_argument_is_explained_once():
    arguments = PIPELINE + DEMO
    names = [argument.name for argument in arguments]
    assert len(names) == len(set(names))
    for argument in arguments:
        assert argument.about
        assert not argument.choices or argument.default in argument.choices
    assert complete({}, arguments) == {a.name: a.default for a in arguments}
