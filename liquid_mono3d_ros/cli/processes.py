"""Moved."""

from liquid_mono3d_ros.processes import Supervisor, command  # noqa: F401
