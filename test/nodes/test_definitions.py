"""Definitions in MCAP files: complete, and readable by a decoder that knows no ROS."""

import math

import pytest

pytest.importorskip("rclpy")
m = pytest.importorskip("liquid_mono3d.msg", exc_type=ImportError)
pytest.importorskip("mcap_ros2")
from mcap.records import Schema  # noqa: E402
from mcap_ros2.decoder import DecoderFactory  # noqa: E402
from rclpy.serialization import serialize_message  # noqa: E402

from liquid_mono3d_ros.graph import TOPICS  # noqa: E402
from liquid_mono3d_ros.nodes.definitions import definition  # noqa: E402
from liquid_mono3d_ros.nodes.endpoints import message_type  # noqa: E402

pytestmark = pytest.mark.ros
TYPES = sorted({topic.type for topic in TOPICS.values()} - {"vision_msgs/msg/Detection2DArray"})
"""The one left out is not on PyPI, and the road only reads it."""


def decode(name, message):
    schema = Schema(1, definition(name).encode(), "ros2msg", name)
    return DecoderFactory().decoder_for("cdr", schema)(serialize_message(message))


@pytest.mark.parametrize("name", TYPES)
def test_every_type_of_the_graph_can_be_decoded(name):
    kind = message_type(name)
    decoded = decode(name, kind())
    assert {f.lstrip("_") for f in decoded.__slots__} >= set(kind.get_fields_and_field_types())


def test_values_survive():
    message = m.TrajectoryDescription(text="It moves.", track_id=2**63 + 5)
    message.facts.duration = m.Quantity(value=1.5, sigma=math.nan, known=True)
    message.header.frame_id = "world"
    decoded = decode("liquid_mono3d/msg/TrajectoryDescription", message)
    assert (decoded.text, decoded.track_id) == ("It moves.", 2**63 + 5)
    assert decoded.facts.duration.value == 1.5
    assert math.isnan(decoded.facts.duration.sigma)
    assert decoded.header.frame_id == "world"


def test_each_type_inside_is_defined_once():
    text = definition("liquid_mono3d/msg/TrajectoryDescription")
    parts = [line[5:] for line in text.splitlines() if line.startswith("MSG: ")]
    assert len(parts) == len(set(parts))
    assert {"liquid_mono3d/Facts", "liquid_mono3d/Quantity", "std_msgs/Header"} <= set(parts)
    assert "builtin_interfaces/Time" in parts  # of the header, two levels down


def test_an_unknown_type_names_the_file():
    with pytest.raises(FileNotFoundError, match=r"Nothing\.msg"):
        definition("std_msgs/msg/Nothing")
