"""What a node knows of its inputs, in words for /diagnostics; no ROS in it."""

from __future__ import annotations

import time
from collections import deque

import numpy as np

from liquid_mono3d_ros.records import seconds

SILENT_AFTER = 2.0
"""Seconds without a message after which an input is called silent."""


class InputMonitor:
    """Remembers the stamps of one input and says what is wrong with it.

    The rate received is compared with the spacing of the stamps: where every second image is lost
    on the way, two neighbours that did arrive still show the camera's own spacing.
    """

    def __init__(self, topic: str, window: int = 120) -> None:
        self.topic = topic
        self.received = 0
        self.latency = float("nan")
        """Of the newest message, now minus its stamp by the node's clock, s."""
        self._stamps: deque[int] = deque(maxlen=window)
        self._last_arrival = time.monotonic()
        self._silences = 0
        self._left: int | None = None

    def arrived(self, stamp: int, now: int | None = None) -> None:
        """Note a message; ``now`` is the time of the node's clock, ns."""
        self._silences += self._has_stopped
        self.received += 1
        self._last_arrival = time.monotonic()
        if now is not None:
            self.latency = seconds(now - stamp)
        if self._stamps and stamp <= self._stamps[-1]:
            self._stamps.clear()
        self._stamps.append(stamp)

    def reset(self) -> None:
        """Forget the stamps; the counts stay."""
        self._stamps.clear()

    def has_left(self, before: int, now: int) -> bool:
        """Say whether the newest message went along when the clock jumped from ``before``."""
        return bool(self._stamps) and _nearer(self._stamps[-1], now, before)

    def jumped(self, before: int, now: int) -> None:
        """Expect messages on their way from before the clock jumped back."""
        self._left = before if now < before else None

    def is_stale(self, stamp: int, now: int) -> bool:
        """Say whether a message comes from before the jump; the first that does not ends this."""
        if self._left is not None and _nearer(stamp, self._left, now):
            return True
        self._left = None
        return False

    @property
    def silences(self) -> int:
        """How often messages stopped coming."""
        return self._silences + self._has_stopped

    @property
    def missing(self) -> int:
        """Messages that the stamp spacing promises and that did not arrive, of the last ones."""
        return round(self._promised - (len(self._stamps) - 1)) if self._promised else 0

    @property
    def rate(self) -> float:
        """Messages per second of stamp time; NaN before the second message."""
        if len(self._stamps) < 2:
            return float("nan")
        return (len(self._stamps) - 1) / seconds(self._stamps[-1] - self._stamps[0])

    @property
    def lost_share(self) -> float:
        """Share of the images that the stamp spacing promises and that did not arrive."""
        promised = self._promised
        return max(0.0, 1.0 - (len(self._stamps) - 1) / promised) if promised else 0.0

    @property
    def _promised(self) -> float:
        """How many intervals of the stamps' own spacing they span; 0 while there are few."""
        if len(self._stamps) < 10:
            return 0.0
        spacing = np.percentile(np.diff(np.fromiter(self._stamps, np.int64)), 10)
        return float((self._stamps[-1] - self._stamps[0]) / spacing)

    @property
    def _silence(self) -> float:
        return time.monotonic() - self._last_arrival

    @property
    def _has_stopped(self) -> bool:
        return self.received > 0 and self._silence > SILENT_AFTER

    def complaint(self, num_publishers: int) -> str:
        """Return what is wrong, with the cure; empty when nothing is."""
        if self.received == 0 and num_publishers == 0:
            return f"{self.topic}: no publisher. Check the topic name and the driver."
        if self._silence > SILENT_AFTER:
            stopped = "It has stopped: check the camera or node that publishes it."
            cure = stopped if self.received else "Check QoS (`ros2 topic info -v`)."
            return f"{self.topic}: silent for {self._silence:.0f} s. {cure}"
        if self.lost_share > 0.2:
            return (
                f"{self.topic}: {self.lost_share:.0%} of the messages that its stamps promise do "
                "not arrive. Set reliability to reliable, or give the driver the shared-memory "
                "profile config/fastdds_shm.xml."
            )
        return ""


def _nearer(stamp: int, here: int, there: int) -> bool:
    return abs(stamp - here) < abs(stamp - there)
