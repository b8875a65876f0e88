"""config/pipeline.rviz against the graph: RViz itself is not needed."""

from pathlib import Path

import pytest
import yaml

from liquid_mono3d_ros.geometry.rig import load_rig
from liquid_mono3d_ros.graph import NODES, RELIABLE, TOPICS
from liquid_mono3d_ros.plan import plan_demo, plan_pipeline

ROOT = Path(__file__).parents[1]
SHOWS = {
    "rviz_default_plugins/Path": "nav_msgs/msg/Path",
    "rviz_default_plugins/MarkerArray": "visualization_msgs/msg/MarkerArray",
    "rviz_default_plugins/PoseWithCovariance": "geometry_msgs/msg/PoseWithCovarianceStamped",
    "rviz_default_plugins/Image": "sensor_msgs/msg/Image",
}
MANAGER = yaml.safe_load((ROOT / "config/pipeline.rviz").read_text(encoding="utf-8"))[
    "Visualization Manager"
]
DISPLAYS = [display for display in MANAGER["Displays"] if "Topic" in display]


def topic_of(display):
    name = display["Topic"]["Value"]
    camera, _, rest = name.partition("/")
    return TOPICS[f"{{camera}}/{rest}" if rest and camera in ("left", "right") else name]


def rviz(plan):
    return next(process for process in plan.processes if process.executable == "rviz2")


def test_every_topic_of_the_graph_made_for_rviz_is_shown():
    shown = {display["Topic"]["Value"] for display in DISPLAYS if display["Enabled"]}
    assert shown == {"path", "markers", "pose_with_covariance"}
    assert {display["Class"] for display in MANAGER["Displays"]} == {
        *SHOWS,
        "rviz_default_plugins/Grid",
    }


@pytest.mark.parametrize("display", DISPLAYS, ids=lambda display: display["Name"])
def test_display_fits_its_topic(display):
    topic = topic_of(display)
    assert SHOWS[display["Class"]] == topic.type
    assert not display["Topic"]["Value"].startswith("/"), "a namespace must reach it"
    assert any(topic.name in node.publishes for node in NODES.values())
    asks = display["Topic"]["Reliability Policy"]
    assert asks == ("Reliable" if topic.quality == RELIABLE else "Best Effort")
    assert display["Topic"]["Durability Policy"] == "Volatile"


def test_fixed_frame_is_the_world_of_the_synthetic_rig():
    rig = load_rig(ROOT / "config/rigs/stereo_synthetic.yaml")
    assert MANAGER["Global Options"]["Fixed Frame"] == rig.world_frame


def test_launch_starts_rviz_on_this_file_in_the_namespace():
    process = rviz(plan_demo({"rviz": "true", "namespace": "robot"}))
    assert process.namespace == "robot"
    assert process.parameters == {"use_sim_time": True}
    option, path, *fixed = process.arguments
    assert (option, Path(path).name) == ("--display-config", "pipeline.rviz")
    assert fixed == ["--fixed-frame", "world"]


def test_launch_gives_rviz_the_cameras_and_the_world_frame():
    given = {"left": "/a/image_rect", "right": "/b/image_rect", "rviz": "true"}
    process = rviz(plan_pipeline({**given, "world_frame": "map"}))
    assert ("left/image_raw", "/a/image_rect") in process.remappings
    assert process.arguments[2:] == ("--fixed-frame", "map")
    assert rviz(plan_pipeline(given)).arguments[2:] == ()
