"""Topics of the graph as rclpy knows them: message classes and QoS profiles."""

from __future__ import annotations

import importlib
from typing import Any

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from liquid_mono3d_ros.graph import LATCHED, SENSOR


def message_type(name: str) -> Any:
    """Return the class of ``package/msg/Type``."""
    package, _, type_name = name.split("/")
    return getattr(importlib.import_module(f"{package}.msg"), type_name)


def quality(name: str) -> QoSProfile:
    """Return the QoS profile of a quality of the graph."""
    if name == SENSOR:
        return QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
    if name == LATCHED:
        return QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    return QoSProfile(depth=50)
