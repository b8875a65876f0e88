"""What every node of the road shares: topics that count and time, resets, diagnostics."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from rclpy.clock import JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
from rclpy.publisher import Publisher
from rclpy.qos import ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from std_srvs.srv import SetBool, Trigger

from liquid_mono3d_ros.graph import LATCHED, TOPICS
from liquid_mono3d_ros.nodes.diagnostics import Diagnostics
from liquid_mono3d_ros.nodes.endpoints import message_type, quality
from liquid_mono3d_ros.nodes.managed import Managed, S
from liquid_mono3d_ros.nodes.messages import to_stamp
from liquid_mono3d_ros.nodes.monitor import InputMonitor
from liquid_mono3d_ros.records import seconds

FORWARD_JUMP = Duration(seconds=10)
BACKWARD_JUMP = Duration(nanoseconds=-1)
REPEAT_AFTER = 5.0
"""Seconds before the log repeats what is wrong for the same cause."""


@dataclass(frozen=True)
class Remark:
    """What went wrong last for one cause; ``at`` and ``logged`` are monotonic seconds."""

    sentence: str
    at: float
    logged: float


class Stage(Managed[S]):
    """A managed node around one stage of the core.

    Beside ``configure`` and ``connect``, a subclass writes ``restart`` (forget what was seen, new
    epoch). Messages reach its callbacks through ``subscribe``, which counts, times and refuses
    bad ones.
    """

    sees_backward_stamps: ClassVar[bool] = True
    """Whether a message with an earlier stamp, or of a later epoch, starts a new epoch here."""

    def __init__(self) -> None:
        super().__init__()
        self.enabled = True
        self.counts: Counter[str] = Counter()
        self.inputs: dict[str, InputMonitor] = {}
        self.said: dict[str, Remark] = {}
        self._in: list[Subscription] = []
        self._out: dict[str, Publisher] = {}
        self.diagnostics = Diagnostics(self)
        self.create_service(Trigger, "~/reset", self._on_reset)
        self.create_service(SetBool, "~/enable", self._on_enable)
        threshold = JumpThreshold(
            min_forward=FORWARD_JUMP, min_backward=BACKWARD_JUMP, on_clock_change=False
        )
        self._jumps = self.get_clock().create_jump_callback(
            threshold, post_callback=self._clock_jumped
        )

    def restart(self) -> None:
        """Forget what was seen and start a new epoch."""

    def report(self) -> dict[str, object]:
        """Return what /diagnostics should show of a configured stage besides rates and drops."""
        return {}

    def complaints(self) -> list[str]:
        """Return sentences on what is wrong with an active stage: each cause and its cure."""
        return []

    def advertise(
        self, name: str, *, reliable: bool = False, latched: bool = False, **parts: object
    ) -> Publisher:
        """Create the publisher of a topic of the graph; ``parts`` fill its ``{camera}``.

        A publisher may offer more than the topic's quality asks for: reliable, or latched too.
        """
        topic = TOPICS[name]
        qos = quality(LATCHED if latched else topic.quality)
        if reliable:
            qos.reliability = ReliabilityPolicy.RELIABLE
        publisher = self.create_lifecycle_publisher(
            message_type(topic.type),
            name.format(**parts),
            qos,
            # The subscriber hears of a mismatch; each handler here slows every turn of the node.
            event_callbacks=PublisherEventCallbacks(use_default_callbacks=False),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
        self._out[publisher.topic_name] = publisher
        return publisher

    def subscribe(
        self,
        name: str,
        callback: Callable[[Any], None],
        *,
        reliable: bool | None = None,
        kind: str = "",
        suffix: str = "",
        watched: bool = True,
        **parts: object,
    ) -> None:
        """Subscribe to a topic of the graph.

        Args:
            name: Key in ``graph.TOPICS``.
            callback: Takes the message; a ``ValueError`` from it is a counted drop.
            reliable: Overrides the reliability of the topic's quality.
            kind: Overrides the type.
            suffix: Added to the name.
            watched: Whether silence of this topic is worth a complaint.
            parts: Fill the name's ``{camera}``.
        """
        topic = TOPICS[name]
        qos = quality(topic.quality)
        if reliable:
            qos.reliability = ReliabilityPolicy.RELIABLE
        relative = name.format(**parts) + suffix
        monitor = InputMonitor(self.resolve_topic_name(relative))
        if watched:
            self.inputs[monitor.topic] = monitor
        events = SubscriptionEventCallbacks(
            incompatible_qos=lambda event: self._incompatible(monitor.topic, event),
            message_lost=lambda event: self._lost(event.total_count_change),
            use_default_callbacks=False,
        )
        subscription = self.create_subscription(
            message_type(kind or topic.type),
            relative,
            lambda message: self._receive(message, monitor, callback),
            qos,
            event_callbacks=events,
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
        self._in.append(subscription)

    def drop(self, cause: str, sentence: str) -> None:
        """Count a loss and say what it was."""
        self.say(cause, f"dropped ({cause}): {sentence}")
        self.counts[cause] += 1

    def say(self, cause: str, sentence: str) -> None:
        """Say what went wrong, in the log and for a while in /diagnostics.

        The log repeats a cause at most every ``REPEAT_AFTER`` seconds.
        """
        now = time.monotonic()
        logged = self.said[cause].logged if cause in self.said else -math.inf
        if now - logged > REPEAT_AFTER:
            self.get_logger().warning(sentence)
            logged = now
        self.said[cause] = Remark(sentence, at=now, logged=logged)

    def _receive(
        self, message: Any, monitor: InputMonitor, callback: Callable[[Any], None]
    ) -> None:
        stamp, now = to_stamp(message.header.stamp), self.get_clock().now().nanoseconds
        if monitor.is_stale(stamp, now):
            self.counts["stale_epoch"] += 1
            return
        monitor.arrived(stamp, now)
        if stamp == 0:
            self.counts["zero_stamp"] += 1
            cure = "Its publisher must set header.stamp to the time of the measurement."
            self.say("zero_stamp", f"{monitor.topic}: stamp 0, which means unknown. {cure}")
        if not self.enabled:
            self.counts["disabled"] += 1
            return
        try:
            with self.lock:
                callback(message)
        except ValueError as error:
            self.drop("invalid_message", f"{monitor.topic} at {stamp} ns: {error}")
        except ImportError as error:  # an optional package that only this message needs
            self.drop("missing_package", str(error))

    def _lost(self, count: int) -> None:
        self.counts["lost_in_transport"] += count

    def _incompatible(self, topic: str, event: Any) -> None:
        cure = "Set qos_overrides or the reliability parameter to match (`ros2 topic info -v`)."
        self.counts["incompatible_qos"] += 1
        policy = event.last_policy_kind.name.removeprefix("RMW_QOS_POLICY_").lower()
        self.say("incompatible_qos", f"{topic}: a publisher offers another {policy}. {cure}")

    def close_inputs(self) -> None:
        """Destroy the subscriptions."""
        for subscription in self._in:
            self.destroy_subscription(subscription)
        self._in.clear()
        self.inputs.clear()

    def close_outputs(self) -> None:
        """Destroy the publishers."""
        for publisher in self._out.values():
            self.destroy_lifecycle_publisher(publisher)
        self._out.clear()

    def reset(self, cause: str) -> None:
        """Start a new epoch for the cause."""
        with self.lock:
            self.counts[cause] += 1
            if self.is_configured:
                self.restart()
            for monitor in self.inputs.values():
                monitor.reset()

    def _clock_jumped(self, jump: TimeJump) -> None:
        """Start a new epoch, unless a message that came before the news did so by its stamp."""
        monitors = self.inputs.values()
        now = self.get_clock().now().nanoseconds
        before = now - jump.delta.nanoseconds
        if before == 0 or not any(monitor.received for monitor in monitors):
            return  # simulated time is 0 until the first /clock
        if self.sees_backward_stamps and any(m.has_left(before, now) for m in monitors):
            return
        self.get_logger().info(f"clock jumped by {seconds(jump.delta.nanoseconds):+.3f} s")
        self.reset("clock_jump")
        for monitor in monitors:
            monitor.jumped(before, now)

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self.reset("reset_service")
        response.success = True
        return response

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self.enabled = request.data
        response.success = True
        return response
