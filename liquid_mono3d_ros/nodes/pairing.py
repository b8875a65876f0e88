"""Simultaneous messages through message_filters, for ``sync: exact`` and ``approximate``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from liquid_mono3d_ros.nodes.messages import to_stamp


class Pairer:
    """Feeds messages to message_filters and counts those that found no partner.

    Args:
        cameras: One input each.
        ready: Takes a set, in the order of the cameras.
        slop: Largest difference of the stamps in a set, s; None for equal stamps.
        queue_size: Messages of each camera that wait for partners.

    Raises:
        ImportError: If message_filters is not installed.
    """

    def __init__(
        self,
        cameras: Sequence[str],
        ready: Callable[[list[Any]], None],
        *,
        slop: float | None,
        queue_size: int,
    ) -> None:
        try:
            import message_filters
        except ImportError:
            raise ImportError(
                "sync must be interpolate or extrapolate where message_filters is missing; got "
                "exact or approximate. Install it: apt install ros-$ROS_DISTRO-message-filters."
            ) from None
        self._make = message_filters
        self._slop = slop
        self._queue_size = queue_size
        self._cameras = cameras
        self._ready = ready
        self.received = 0
        self.paired = 0
        self.reset()

    @property
    def unpaired(self) -> int:
        """Messages that are in no set: still waiting, or dropped by message_filters."""
        return self.received - self.paired

    def add(self, camera: str, message: Any) -> None:
        """Take a message; a set it completes is handed on. A backward stamp forgets what waits."""
        self.received += 1
        stamp = to_stamp(message.header.stamp)
        if stamp < self._newest.get(camera, stamp):
            self.reset()
        self._newest[camera] = stamp
        self._inputs[camera].signalMessage(message)

    def reset(self) -> None:
        """Forget what waits: message_filters stalls after a backward jump of time."""
        self._newest: dict[str, int] = {}
        self._inputs = {name: self._make.SimpleFilter() for name in self._cameras}
        inputs = list(self._inputs.values())
        if self._slop is None:
            synchroniser = self._make.TimeSynchronizer(inputs, self._queue_size)
        else:
            synchroniser = self._make.ApproximateTimeSynchronizer(
                inputs, self._queue_size, self._slop
            )
        synchroniser.registerCallback(self._complete)
        self._synchroniser = synchroniser

    def _complete(self, *messages: Any) -> None:
        self.paired += len(messages)
        self._ready(list(messages))
