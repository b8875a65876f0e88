"""Rotations and translations from tf2, as arrays; tf2_ros is imported only when asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.geometry.rotation import matrix_from_quat_xyzw

if TYPE_CHECKING:
    from rclpy.node import Node


class FrameTree:
    """Listens to /tf and /tf_static of one node.

    Raises:
        ImportError: If tf2_ros is not installed.
    """

    def __init__(self, node: Node) -> None:
        try:
            import tf2_ros
        except ImportError:
            raise ImportError(
                "extrinsics must come from rig or camera_info where tf2_ros is missing; got tf. "
                "Install it: apt install ros-$ROS_DISTRO-tf2-ros-py."
            ) from None
        self._errors = tf2_ros.TransformException
        self._buffer = tf2_ros.Buffer()
        self._listener = tf2_ros.TransformListener(self._buffer, node)

    @classmethod
    def of(cls, node: Any) -> FrameTree:
        """Return the node's tree, made at the first call."""
        if not hasattr(node, "frame_tree"):
            node.frame_tree = cls(node)
        tree: FrameTree = node.frame_tree
        return tree

    def transform(self, target: str, source: str, stamp: int | None = None) -> tuple[Array, Array]:
        """Return ``R, t`` with ``x_target = R @ x_source + t``.

        Args:
            target: Frame of the result.
            source: Frame of the input.
            stamp: Time of the transform, ns; None takes the newest.

        Raises:
            ValueError: If the tree does not connect the frames at that time.
        """
        from rclpy.time import Time

        when = Time() if stamp is None else Time(nanoseconds=stamp)
        try:
            found = self._buffer.lookup_transform(target, source, when).transform
        except self._errors as error:
            raise ValueError(
                f"tf must connect {target} and {source}; got: {error}. "
                "Check `ros2 run tf2_ros tf2_echo`."
            ) from error
        rotation, move = found.rotation, found.translation
        quat_xyzw = np.array([rotation.x, rotation.y, rotation.z, rotation.w])
        return matrix_from_quat_xyzw(quat_xyzw), np.array([move.x, move.y, move.z])
