"""Settings as ROS parameters, of every node of the graph."""

import pytest
from observer import hosted
from rcl_interfaces.msg import ParameterType
from rcl_interfaces.srv import DescribeParameters, ListParameters

from liquid_mono3d_ros.graph import NODES, TriangulationNodeSettings
from liquid_mono3d_ros.nodes.description import DescriptionNode
from liquid_mono3d_ros.nodes.liquid_filter import LiquidFilterNode
from liquid_mono3d_ros.nodes.parameters import read_parameters
from liquid_mono3d_ros.nodes.player import PlayerNode
from liquid_mono3d_ros.nodes.probe import ProbeNode
from liquid_mono3d_ros.nodes.recorder import RecorderNode
from liquid_mono3d_ros.nodes.tracking import TrackingNode
from liquid_mono3d_ros.nodes.triangulation import TriangulationNode

pytestmark = pytest.mark.ros
STAGES = {
    stage.spec_name: stage
    for stage in (
        TrackingNode,
        TriangulationNode,
        LiquidFilterNode,
        DescriptionNode,
        PlayerNode,
        ProbeNode,
        RecorderNode,
    )
}
KINDS = {
    bool: ParameterType.PARAMETER_BOOL,
    int: ParameterType.PARAMETER_INTEGER,
    float: ParameterType.PARAMETER_DOUBLE,
    str: ParameterType.PARAMETER_STRING,
}


def test_every_node_of_the_graph_has_a_class():
    assert STAGES.keys() == NODES.keys()


@pytest.mark.parametrize("name", NODES)
def test_descriptors_carry_description_type_range_and_whether_it_may_change(name):
    leaves = {leaf.name: leaf for leaf in NODES[name].settings.leaves()}
    with hosted(STAGES[name], bring_up=False) as (_, observer):
        listed = observer.call(ListParameters, f"/{name}/list_parameters").result.names
        request = DescribeParameters.Request(names=list(leaves))
        described = observer.call(DescribeParameters, f"/{name}/describe_parameters", request)
    assert leaves.keys() <= set(listed)
    for leaf, descriptor in zip(leaves.values(), described.descriptors, strict=True):
        assert descriptor.name == leaf.name
        assert descriptor.description.startswith(leaf.reason)
        assert leaf.unit in descriptor.description
        assert descriptor.read_only is not leaf.live
        if not isinstance(leaf.default, tuple):
            assert descriptor.type == KINDS[type(leaf.default)]
        for choice in leaf.choices or ():
            assert choice in descriptor.additional_constraints
        if leaf.bounds and not isinstance(leaf.default, tuple):
            (limits,) = [*descriptor.floating_point_range, *descriptor.integer_range]
            assert (limits.from_value, limits.to_value) == leaf.bounds


def test_unset_parameters_keep_the_defaults_of_the_settings():
    with hosted(TriangulationNode, bring_up=False) as (node, _):
        settings = read_parameters(node, TriangulationNodeSettings)
    assert settings == TriangulationNodeSettings()


def test_given_values_arrive_and_a_whole_number_is_a_number():
    given = {"cameras": ["l", "r"], "max_wait": 1, "rectified": True, "sync": "extrapolate"}
    with hosted(TriangulationNode, given, bring_up=False) as (node, _):
        settings = read_parameters(node, TriangulationNodeSettings)
    assert (settings.cameras, settings.rectified) == (("l", "r"), True)
    assert (settings.max_wait, type(settings.max_wait)) == (1.0, float)
    assert settings.sync == "extrapolate"


def test_a_list_of_numbers_arrives():
    with hosted(DescriptionNode, {"up": [0.0, -1.0, 0.0]}) as (node, _):
        assert node.settings.up == (0.0, -1.0, 0.0)


def test_changes_go_on_top():
    with hosted(TriangulationNode, {"max_wait": 0.5}, bring_up=False) as (node, _):
        settings = read_parameters(node, TriangulationNodeSettings, {"max_wait": 0.25})
        assert settings.max_wait == 0.25
        with pytest.raises(ValueError, match="max_wait must be between 0 and 2 s; got 9"):
            read_parameters(node, TriangulationNodeSettings, {"max_wait": 9.0})


def test_nested_settings_have_dotted_names():
    with hosted(TrackingNode, {"tracker.birth_hits": 2}, bring_up=False) as (node, _):
        assert node.get_parameter("tracker.birth_hits").value == 2
