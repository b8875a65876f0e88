"""/diagnostics at 1 Hz: rates, drops by cause, and sentences on what is wrong."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType

if TYPE_CHECKING:
    from liquid_mono3d_ros.nodes.stage import Stage

RECENT = 10.0
"""Seconds for which a loss is said after it happened."""


class Diagnostics:
    """Publishes the health of a node once a second of wall time, also while its clock stands."""

    def __init__(self, node: Stage[Any]) -> None:
        self._node = node
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._timer = node.create_timer(
            1.0, self.publish, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def publish(self) -> None:
        """Publish the node's status."""
        message = DiagnosticArray(status=[self.status()])
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)

    def status(self) -> DiagnosticStatus:
        """Return level, sentence and values: ERROR when nothing can come out, WARN when less."""
        node = self._node
        name = node.get_fully_qualified_name().lstrip("/")
        status = DiagnosticStatus(name=name, hardware_id="liquid_mono3d")
        if node.failure:
            status.level, status.message = DiagnosticStatus.ERROR, node.failure
            return status
        wrong = (node.complaints() if node.state == "active" else []) + [
            sentence
            for topic, monitor in node.inputs.items()
            if (sentence := monitor.complaint(node.count_publishers(topic)))
        ]
        now = time.monotonic()
        recent = [said.sentence for said in list(node.said.values()) if now - said.at < RECENT]
        wrong += [text for text in recent if not any(known in text for known in wrong)]
        status.level = DiagnosticStatus.WARN if wrong else DiagnosticStatus.OK
        status.message = " ".join(wrong) or ("good" if node.state == "active" else node.state)
        values: dict[str, object] = {"state": node.state}
        for topic, monitor in node.inputs.items():
            values[f"{topic} received"] = monitor.received
            values[f"{topic} rate_hz"] = monitor.rate
            values[f"{topic} latency_s"] = monitor.latency
            values[f"{topic} silences"] = monitor.silences
            values[f"{topic} missing"] = monitor.missing
            values[f"{topic} lost_share"] = monitor.lost_share
        values.update({f"count {cause}": number for cause, number in list(node.counts.items())})
        values.update(node.report() if node.is_configured else {})
        status.values = [KeyValue(key=key, value=_text(value)) for key, value in values.items()]
        return status


def _text(value: object) -> str:
    if isinstance(value, float):
        return "unknown" if math.isnan(value) else f"{value:.6g}"
    return str(value)
