"""The graph agrees with itself, with the messages and with what the nodes do."""

import ast
import itertools
import re
from configparser import ConfigParser
from pathlib import Path

import pytest

from liquid_mono3d_ros.graph import (
    ACTIONS,
    NODES,
    QUALITIES,
    ROAD,
    SERVICES,
    TOPICS,
    StageSettings,
)

ROOT = Path(__file__).parents[1]
NODE_FILES = {name: ROOT / "liquid_mono3d_ros" / "nodes" / f"{name}.py" for name in NODES}
DIAGNOSTICS = "/diagnostics"
OUTSIDE = {"{camera}/detections"}
"""Topics that no node of ours writes."""


def calls(path, method):
    """Return the first arguments that are plain strings of every ``self.<method>(...)``."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == method
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }


def test_every_topic_is_declared_and_used():
    used = {name for node in NODES.values() for name in (*node.subscribes, *node.publishes)}
    assert used == set(TOPICS)


def test_the_road_hands_data_on():
    for before, after in itertools.pairwise(ROAD):
        shared = set(NODES[before].publishes) & set(NODES[after].subscribes)
        assert shared, f"{after} reads nothing of {before}"


def test_only_sources_come_from_outside():
    written = {name for node in NODES.values() for name in node.publishes}
    read = {name for node in NODES.values() for name in node.subscribes}
    assert read - written == OUTSIDE


@pytest.mark.parametrize("name", NODES)
def test_a_node_publishes_what_the_graph_says(name):
    assert calls(NODE_FILES[name], "advertise") == set(NODES[name].publishes) - {DIAGNOSTICS}


@pytest.mark.parametrize("name", sorted(set(NODES) - {"recorder"}))
def test_a_node_subscribes_to_what_the_graph_says(name):
    assert calls(NODE_FILES[name], "subscribe") == set(NODES[name].subscribes)


@pytest.mark.parametrize("name", NODES)
def test_a_node_is_called_what_the_graph_calls_it(name):
    text = NODE_FILES[name].read_text(encoding="utf-8")
    assert re.search(rf'^    spec_name = "{name}"$', text, re.MULTILINE)
    assert NODES[name].name == name


def test_every_node_is_an_executable():
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = setup["options.entry_points"]["console_scripts"].split("\n")
    scripts = dict(line.split(" = ") for line in lines if line)
    assert scripts == {name: f"liquid_mono3d_ros.nodes.{name}:main" for name in NODES}


def test_our_message_types_exist():
    ours = {topic.type for topic in TOPICS.values() if topic.type.startswith("liquid_mono3d/")}
    assert ours
    for kind in ours:
        assert (ROOT / "msg" / f"{kind.rpartition('/')[2]}.msg").is_file()


def test_packages_of_message_types_are_depended_on():
    manifest = (ROOT / "package.xml").read_text(encoding="utf-8")
    kinds = {topic.type for topic in TOPICS.values()} | {kind for kind, _ in SERVICES.values()}
    for package in {kind.partition("/")[0] for kind in kinds} - {"liquid_mono3d"}:
        assert f"depend>{package}</" in manifest, package


def test_convention_names_are_relative():
    absolute = {name for name in TOPICS if name.startswith("/")}
    assert absolute == {"/clock", "/diagnostics"}
    assert not any(name.startswith("~") for name in TOPICS)
    assert all(name.startswith("~/") for name in SERVICES)


def test_qualities_and_services_are_explained():
    assert {topic.quality for topic in TOPICS.values()} <= set(QUALITIES)
    assert {name for node in NODES.values() for name in node.services} == set(SERVICES)
    assert {name for node in NODES.values() for name in node.actions} == set(ACTIONS)


def test_actions_are_ours_and_private():
    for name, (kind, _) in ACTIONS.items():
        assert name.startswith("~/")
        package, _, action = kind.split("/")
        assert package == "liquid_mono3d"
        assert (ROOT / "action" / f"{action}.action").is_file()


@pytest.mark.parametrize("name", NODES)
def test_parameters_are_fit_for_ros(name):
    settings = NODES[name].settings
    assert issubclass(settings, StageSettings)
    names = [leaf.name for leaf in settings.leaves()]
    assert len(names) == len(set(names))
    for leaf in settings.leaves():
        assert re.fullmatch(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*", leaf.name)
        assert isinstance(leaf.default, (bool, int, float, str, tuple))
        assert leaf.reason
        assert not leaf.reason.endswith("."), "one line, no full stop"
    assert settings() == settings.from_flat(settings().flat())
