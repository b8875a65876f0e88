"""What the launch files start, against the graph; with ROS 2 launch installed, through it."""

import importlib.util
import itertools
import os
import re
from pathlib import Path

import pytest
import yaml

from liquid_mono3d_ros.arguments import DEMO, PIPELINE
from liquid_mono3d_ros.graph import NODES, ROAD, TOPICS
from liquid_mono3d_ros.plan import plan_demo, plan_pipeline

LAUNCH = Path(__file__).parents[1] / "launch"
STEREO = {
    "left": "/stereo/left/image_rect",
    "right": "/stereo/right/image_rect",
    "rectified": "true",
    "extrinsics": "camera_info",
    "namespace": "robot",
}
FIVE = {
    "cameras": ",".join(f"cam{k}=/room/cam{k}/image_raw" for k in range(5)),
    "sync": "extrapolate",
    "filter": "cv",
    "namespace": "room",
}
CASES = {
    "2 cameras": ("pipeline", STEREO, ["left", "right"]),
    "5 cameras": ("pipeline", FIVE, [f"cam{k}" for k in range(5)]),
    "5 cameras, a tracker each": (
        "pipeline",
        {**FIVE, "tracking_per_camera": "true"},
        [f"cam{k}" for k in range(5)],
    ),
    "demo": ("demo", {"probe": "p.json", "record": "r.mcap"}, ["left", "right"]),
}
PLANS = {"pipeline": plan_pipeline, "demo": plan_demo}
ARGUMENTS = {"pipeline": PIPELINE, "demo": PIPELINE + DEMO}
OF_LAUNCH = {"use_sim_time"}


@pytest.fixture(params=CASES)
def case(request):
    file, given, cameras = CASES[request.param]
    return file, given, cameras, PLANS[file](given)


def test_the_nodes_of_the_graph_are_started(case):
    file, given, cameras, plan = case
    expected = list(ROAD)
    if "tracking_per_camera" in given:
        expected[:1] = ["tracking"] * len(cameras)
    if file == "demo":
        expected += ["player", "probe", "recorder"]
    assert [process.executable for process in plan.processes] == expected
    assert len({process.name for process in plan.processes}) == len(plan.processes)


def test_their_parameters_are_those_of_the_graph(case):
    *_, plan = case
    for process in plan.processes:
        settings = NODES[process.executable].settings
        values = {k: v for k, v in process.parameters.items() if k not in OF_LAUNCH}
        settings.from_flat(values)  # names, kinds, bounds and choices


def test_every_camera_reaches_its_nodes(case):
    file, _, cameras, plan = case
    seen = [p for p in plan.processes if p.executable == "tracking"]
    assert [name for process in seen for name in process.parameters["cameras"]] == cameras
    locating = next(p for p in plan.processes if p.executable == "triangulation")
    assert locating.parameters["cameras"] == cameras
    if file == "pipeline":
        for process in seen:
            own = {f"{name}/image_raw" for name in process.parameters["cameras"]}
            assert own <= dict(process.remappings).keys()


def test_only_topics_of_the_graph_are_remapped(case):
    _, _, cameras, plan = case
    names = {topic.format(camera=c) for c in cameras for topic in TOPICS if "{camera}" in topic}
    for process in plan.processes:
        for own, other in process.remappings:
            assert own.removesuffix("/compressed") in names
            assert other.startswith("/")


def test_launch_files_hold_no_plan_of_their_own():
    for file, words in (("pipeline", "plan_pipeline, PIPELINE"), ("demo", "plan_demo, arguments")):
        text = (LAUNCH / f"{file}.launch.py").read_text(encoding="utf-8")
        assert f"start({words})" in text
        assert len(text.splitlines()) <= 60


# With the real launch.


@pytest.fixture(scope="module")
def launch():
    pytest.importorskip("launch.actions", reason="ROS 2 launch is not installed")
    pytest.importorskip("launch_ros.actions", reason="launch_ros is not installed")
    import launch

    return launch


@pytest.fixture
def describe(launch):
    def load(file):
        path = LAUNCH / f"{file}.launch.py"
        spec = importlib.util.spec_from_file_location(f"{file}_launch", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.generate_launch_description()

    return load


@pytest.fixture
def start(launch, describe, monkeypatch):
    """Return a function that runs a launch file up to, but without, starting its processes."""

    def run(file, given):
        started = []

        def record(action, context):
            action.prepare(context)
            started.append((action.process_details["cmd"], dict(context.environment)))

        monkeypatch.setattr(launch.actions.ExecuteLocal, "execute", record)
        context = launch.LaunchContext()
        context.launch_configurations.update(given)
        waiting = list(describe(file).entities)
        while waiting:
            waiting[:0] = waiting.pop(0).visit(context) or []
        return started, context

    return run


def options(command, flag):
    return [word for before, word in itertools.pairwise(command) if before == flag]


def parameters_in(path):
    """Read launch's own parameters file; it writes a list as a Python tuple."""
    text = Path(path).read_text(encoding="utf-8").replace("!!python/tuple", "")
    ((node, section),) = yaml.safe_load(text).items()
    return node, section["ros__parameters"]


@pytest.mark.ros
def test_launch_starts_what_the_plan_says(case, start):
    file, given, _, plan = case
    started, _ = start(file, given)
    assert len(started) == len(plan.processes)
    for (command, environment), process in zip(started, plan.processes, strict=True):
        assert Path(command[0]).name == process.executable
        rules = dict(rule.split(":=") for rule in options(command, "-r"))
        assert rules.pop("__node") == process.name
        namespace = rules.pop("__ns", "/")
        assert namespace == f"/{process.namespace}"
        assert rules == dict(process.remappings)
        *files, own = options(command, "--params-file")
        assert tuple(files) == process.params_files
        node, parameters = parameters_in(own)
        assert node == f"{namespace.rstrip('/')}/{process.name}"
        assert parameters == process.parameters
        assert options(command, "--log-level") == [process.log_level]
        own_environment = {k: v for k, v in plan.environment.items() if k not in os.environ}
        assert own_environment.items() <= environment.items()


@pytest.mark.ros
@pytest.mark.parametrize("file", ARGUMENTS)
def test_launch_shows_every_argument(describe, file):
    declared = {
        action.name: action
        for action, _ in describe(
            file
        ).get_launch_arguments_with_include_launch_description_actions()
    }
    assert list(declared) == [argument.name for argument in ARGUMENTS[file]]
    for argument in ARGUMENTS[file]:
        action = declared[argument.name]
        assert argument.about in action.description
        assert "".join(part.text for part in action.default_value) == argument.default
        assert tuple(action.choices or ()) == argument.choices


@pytest.mark.ros
def test_launch_leaves_nothing_behind_for_what_follows(start):
    _, context = start("pipeline", STEREO)
    assert "ros_namespace" not in context.launch_configurations


@pytest.mark.ros
def test_launch_refuses_a_wrong_argument(start):
    with pytest.raises(Exception, match=re.escape("['', 'true', 'false']")):
        start("pipeline", {**STEREO, "rectified": "yes"})
    with pytest.raises(ValueError, match="left and right must be given together"):
        start("pipeline", {"left": "/a/image_raw"})
