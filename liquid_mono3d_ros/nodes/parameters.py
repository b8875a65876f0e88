"""Settings records ↔ ROS parameters with descriptors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter

from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.settings import Setting, Settings

S = TypeVar("S", bound=Settings)

OTHERS = ("use_sim_time", "qos_overrides.", "start_type_description_service")
"""Parameters that rclpy itself reads."""


def declare_parameters(node: Node, settings: type[Settings]) -> None:
    """Declare every setting with its description, range and whether it may change.

    Raises:
        ValueError: If the node was given a parameter that it does not have.
    """
    leaves = list(settings.leaves())
    known = {leaf.name for leaf in leaves}
    for name in node._parameter_overrides:
        if name not in known and not name.startswith(OTHERS):
            cure = "See `ros2 param list` or docs/parameters.md."
            raise ValueError(complain(f"parameter {name}", "one of the node's", "no such", cure))
    for leaf in leaves:
        kind = _kind(leaf)
        given = node._parameter_overrides.get(leaf.name)
        if kind == Parameter.Type.DOUBLE and given and given.type_ == Parameter.Type.INTEGER:
            node._parameter_overrides[leaf.name] = Parameter(leaf.name, kind, float(given.value))
        # ROS cannot tell the type of an empty list: such a parameter is declared, but not set.
        default = kind if leaf.default == () else _plain(leaf.default)
        node.declare_parameter(leaf.name, default, _descriptor(leaf, kind))


def read_parameters(node: Node, settings: type[S], changes: Mapping[str, Any] | None = None) -> S:
    """Build the settings record from the node's parameters and, on top of them, ``changes``.

    Raises:
        TypeError, ValueError: If a value breaks its declaration.
    """
    values: dict[str, Any] = {}
    for leaf in settings.leaves():
        unset = Parameter(leaf.name, _kind(leaf), _plain(leaf.default))
        values[leaf.name] = node.get_parameter_or(leaf.name, unset).value
    values.update(changes or {})
    return settings.from_flat({name: _tuple(value) for name, value in values.items()})


def _descriptor(leaf: Setting, kind: Parameter.Type) -> ParameterDescriptor:
    unit = f" [{leaf.unit}]" if leaf.unit else ""
    descriptor = ParameterDescriptor(
        name=leaf.name,
        type=kind.value,
        description=f"{leaf.reason}{unit}",
        read_only=not leaf.live,
    )
    if leaf.choices:
        descriptor.additional_constraints = f"one of {', '.join(leaf.choices)}"
    if leaf.bounds and kind == Parameter.Type.DOUBLE:
        low, high = leaf.bounds
        descriptor.floating_point_range = [
            FloatingPointRange(from_value=float(low), to_value=float(high))
        ]
    if leaf.bounds and kind == Parameter.Type.INTEGER:
        low, high = leaf.bounds
        descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high))]
    return descriptor


def _kind(leaf: Setting) -> Parameter.Type:
    if leaf.default == ():
        return Parameter.Type.STRING_ARRAY if leaf.words else Parameter.Type.DOUBLE_ARRAY
    return Parameter.Type.from_parameter_value(_plain(leaf.default))


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _tuple(value: Any) -> Any:
    return value if isinstance(value, (str, bool, int, float)) else tuple(value)
