"""The generated pages agree with the code; the examples in the others run."""

import importlib.util
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml

from liquid_mono3d_ros.arguments import DEMO, PIPELINE
from liquid_mono3d_ros.cli import docs
from liquid_mono3d_ros.graph import NODES, TOPICS

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)\)")


def blocks(page):
    return BLOCK.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))


def sections():
    return yaml.safe_load((ROOT / "config/pipeline.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", docs.DOCUMENTS)
def test_generated_files_are_up_to_date(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert text == docs.DOCUMENTS[name](), "run `make docs`"


def test_check_finds_a_stale_file_and_leaves_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(docs, "ROOT", tmp_path)
    for folder in ("config", "docs"):
        (tmp_path / folder).mkdir()
    with pytest.raises(FileNotFoundError, match="must be a checkout"):
        docs.main([])
    (tmp_path / "package.xml").touch()
    assert docs.main([]) == 0
    assert docs.main(["--check"]) == 0
    page = tmp_path / "docs/topics.md"
    page.write_text("old")
    capsys.readouterr()
    assert docs.main(["--check"]) == 1
    assert capsys.readouterr().out == "docs/topics.md is stale\n"
    assert page.read_text() == "old"
    assert docs.main([]) == 0
    assert "old" not in page.read_text()


def test_parameters_file_holds_the_defaults_with_their_types():
    found = sections()
    for name, node in NODES.items():
        owned = docs.set_by_launch(name)
        expected = {
            leaf.name: list(leaf.default) if isinstance(leaf.default, tuple) else leaf.default
            for leaf in node.settings.leaves()
            if leaf.name not in owned and leaf.default != ()
        }
        section = found.pop(f"/**/{name}", {"ros__parameters": {}})
        assert section == {"ros__parameters": expected}
        for key, value in section["ros__parameters"].items():
            assert type(value) is type(expected[key]), key
    assert not found


def test_parameters_file_mentions_every_other_parameter():
    text = (ROOT / "config/pipeline.yaml").read_text(encoding="utf-8")
    for node in NODES.values():
        for leaf in node.settings.leaves():
            assert leaf.name in text, leaf.name


def test_no_section_is_empty_for_ros_refuses_it():
    assert all(section["ros__parameters"] for section in sections().values())


def test_values_are_read_alike_by_ros_and_yaml():
    assert docs._value(1e-06) == "1.0e-06"
    assert docs._value(1.5e-06) == "1.5e-06"
    assert docs._value((0.5, 1.0)) == "[0.5, 1.0]"
    assert docs._value("5") == '"5"'
    assert docs._value(True) == "true"
    for value in (1e-06, 1.5e-06, 1e300, 0.1, -2.0):
        assert yaml.safe_load(docs._value(value)) == value


def test_tables_name_everything():
    topics, arguments = docs.topics(), docs.launch_arguments()
    assert all(f"`{name}`" in topics for name in TOPICS)
    assert all(f"| `{a.name}` |" in arguments for a in PIPELINE + DEMO)
    parameters = docs.parameters()
    for node in NODES.values():
        assert all(f"| `{leaf.name}` |" in parameters for leaf in node.settings.leaves())


@pytest.mark.parametrize("page", [docs.topics, docs.parameters, docs.launch_arguments])
def test_every_row_of_a_table_has_all_cells(page):
    tables = [part for part in page().split("\n\n") if part.startswith("|")]
    assert tables
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_index_names_every_page():
    text = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    assert all(f"({page.name})" in text for page in PAGES if page.name != "README.md")


def test_topics_and_parameters_of_the_hand_written_pages_exist():
    names = {leaf.name for node in NODES.values() for leaf in node.settings.leaves()}
    text = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    text += (ROOT / "docs/integrate.md").read_text(encoding="utf-8")
    mentioned = (
        "reliability", "max_wait", "primary", "facts_frame", "up", "moving_cameras", "track_slots",
        "orientation", "world_frame", "background.process_scale", "colour.hue_min",
    )  # fmt: skip
    for name in mentioned:
        assert name in text
        assert name in names
    arguments = {argument.name for argument in PIPELINE + DEMO}
    assert set(re.findall(r"\b([a-z_]+):=", text)) - {"__ns"} <= arguments


def test_every_example_compiles():
    examples = blocks("integrate.md")
    assert len(examples) == 3
    for example in examples:
        compile(example, "integrate.md", "exec")


def test_the_consumer_is_short():
    consumer = blocks("integrate.md")[0]
    assert len([line for line in consumer.splitlines() if line.strip()]) <= 31


def test_the_example_without_ros_runs(tmp_path, monkeypatch, capsys):
    """On a recording made here in place of the video files."""
    from liquid_mono3d_ros import recording
    from liquid_mono3d_ros.geometry.rig import save_rig
    from liquid_mono3d_ros.synth.paths import Line
    from liquid_mono3d_ros.synth.rigs import stereo_rig

    def film(rig, paths):
        assert set(paths) == {"front", "side"}
        return recording.SyntheticRecording(rig, Line(), duration=1.5)

    save_rig(stereo_rig(), tmp_path / "cameras.yaml")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(recording, "VideoRecording", film)
    exec(compile(blocks("integrate.md")[2], "integrate.md", "exec"), {})
    assert re.search(r"^\d+ 1 \[", capsys.readouterr().out, re.MULTILINE)


PUBLISHER = """
import time
import rclpy
from liquid_mono3d.msg import Trajectory, TrajectoryArray, TrajectoryDescription

rclpy.init()
node = rclpy.create_node("publisher")
trajectories = node.create_publisher(TrajectoryArray, "trajectories", 50)
descriptions = node.create_publisher(TrajectoryDescription, "descriptions", 50)
track = Trajectory(track_id=7, state=Trajectory.CONFIRMED)
track.position.x, track.position.y, track.position.z = 1.0, -2.0, 0.5
for k, sigma in enumerate((0.1, 0.2, 0.3)):
    track.covariance[7 * k] = sigma**2
gone = Trajectory(track_id=8, state=Trajectory.DELETED)
message = TrajectoryArray(trajectories=[track, gone])
message.header.frame_id = "world"
while True:
    trajectories.publish(message)
    descriptions.publish(TrajectoryDescription(track_id=7, text="Object 7 was seen."))
    time.sleep(0.1)
"""


@pytest.mark.ros
def test_the_consumer_prints_what_is_published(tmp_path):
    for module in ("rclpy", "liquid_mono3d"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    (tmp_path / "consumer.py").write_text(blocks("integrate.md")[0], encoding="utf-8")
    (tmp_path / "publisher.py").write_text(PUBLISHER, encoding="utf-8")
    environment = {
        **os.environ,
        "ROS_DOMAIN_ID": str(1 + os.getpid() % 90),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "ROS_LOG_DIR": str(tmp_path),
    }
    words = ["--ros-args", "-r", "__ns:=/robot"]
    publisher, consumer = (
        subprocess.Popen(
            [sys.executable, tmp_path / name, *words],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("publisher.py", "consumer.py")
    )
    patience = threading.Timer(60.0, consumer.kill)
    patience.start()
    try:
        seen = set()
        for line in consumer.stdout:
            seen.add(line.strip())
            if len(seen) == 2:
                break
        assert seen == {
            "7: (1.00 ± 0.10, -2.00 ± 0.20, 0.50 ± 0.30) m in world",
            "7: Object 7 was seen.",
        }
        consumer.send_signal(signal.SIGINT)
        assert consumer.wait(timeout=20) == 0
    finally:
        patience.cancel()
        for process in (publisher, consumer):
            process.kill()
            process.communicate()
