"""What every node of the road shares: parameters, life cycle, resets, shutdown."""

from __future__ import annotations

import contextlib
import importlib
import math
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import rclpy
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from std_srvs.srv import SetBool, Trigger

from liquid_mono3d_ros.graph import LATCHED, NODES, SENSOR, TOPICS
from liquid_mono3d_ros.nodes.diagnostics import Diagnostics
from liquid_mono3d_ros.nodes.messages import to_stamp
from liquid_mono3d_ros.nodes.monitor import InputMonitor
from liquid_mono3d_ros.nodes.parameters import declare_parameters, read_parameters
from liquid_mono3d_ros.records import seconds
from liquid_mono3d_ros.settings import Settings

S = TypeVar("S", bound=Settings)
SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE
BAD_SETUP = (ValueError, TypeError, OSError, ImportError)
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


class Stage(LifecycleNode, Generic[S]):
    """A managed node around one stage of the core.

    A subclass names its entry in ``graph.NODES`` and writes ``configure`` (build the core and the
    publishers), ``connect`` (subscribe) and ``restart`` (forget what was seen, new epoch).
    Messages reach its callbacks through ``subscribe``, which counts, times and refuses bad ones.
    """

    spec_name: ClassVar[str]
    sees_backward_stamps: ClassVar[bool] = True
    """Whether a message with an earlier stamp, or of a later epoch, starts a new epoch here."""
    settings: S

    def __init__(self) -> None:
        super().__init__(self.spec_name)
        spec = NODES[self.spec_name]
        declare_parameters(self, spec.settings)
        self.failure = ""
        self.enabled = True
        self.counts: Counter[str] = Counter()
        self.inputs: dict[str, InputMonitor] = {}
        self.said: dict[str, Remark] = {}
        self.lock = threading.RLock()
        self._in: list[Subscription] = []
        self._out: dict[str, Publisher] = {}
        self.diagnostics = Diagnostics(self)
        self.add_on_set_parameters_callback(self._parameters_changed)
        self.create_service(Trigger, "~/reset", self._on_reset)
        self.create_service(SetBool, "~/enable", self._on_enable)
        threshold = JumpThreshold(
            min_forward=FORWARD_JUMP, min_backward=BACKWARD_JUMP, on_clock_change=False
        )
        self._jumps = self.get_clock().create_jump_callback(
            threshold, post_callback=self._clock_jumped
        )

    # What a stage writes.

    def configure(self) -> None:
        """Build the core from ``self.settings`` and create the publishers."""

    def connect(self) -> None:
        """Create the subscriptions."""

    def disconnect(self) -> None:
        """Undo what ``connect`` did besides subscribing."""

    def restart(self) -> None:
        """Forget what was seen and start a new epoch."""

    def apply(self, settings: S) -> None:
        """Take settings that changed while running."""

    def stop(self) -> None:
        """Join threads and close files."""

    def report(self) -> dict[str, object]:
        """Return what /diagnostics should show of a configured stage besides rates and drops."""
        return {}

    def complaints(self) -> list[str]:
        """Return sentences on what is wrong with an active stage: each cause and its cure."""
        return []

    # Topics.

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

    # Resets.

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

    # Parameters and life cycle.

    def _parameters_changed(self, parameters: list[Parameter]) -> SetParametersResult:
        names = {leaf.name for leaf in NODES[self.spec_name].settings.leaves()}
        changes = {p.name: p.value for p in parameters if p.name in names}
        if not changes or not hasattr(self, "settings"):
            return SetParametersResult(successful=True)
        try:
            settings = read_parameters(self, NODES[self.spec_name].settings, changes)
            with self.lock:
                self.apply(settings)
        except BAD_SETUP as error:
            return SetParametersResult(successful=False, reason=str(error))
        self.settings = settings
        return SetParametersResult(successful=True)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Build the stage."""

        def build() -> None:
            self.settings = read_parameters(self, NODES[self.spec_name].settings)
            self.configure()

        if not self._try(build):
            self._destroy_publishers()
            return FAILURE
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Open the inputs."""
        if not self._try(self.connect):
            self._close_inputs()
            return FAILURE
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close the inputs."""
        self._close_inputs()
        self.disconnect()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Drop the stage and its outputs."""
        self.stop()
        self._destroy_publishers()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """End for good; the process lives on until it is stopped."""
        self._close_inputs()
        self.stop()
        self._destroy_publishers()
        return super().on_shutdown(state)

    def _try(self, action: Callable[[], None]) -> bool:
        """Act; say what went wrong, which rclpy would swallow, and return whether it went well."""
        try:
            action()
        except BAD_SETUP as error:
            self.failure = str(error)
        except Exception:
            if not self.context.ok():
                return False  # told to stop meanwhile
            self.failure = f"a fault of this program:\n{traceback.format_exc()}"
        else:
            self.failure = ""
            return True
        self.get_logger().fatal(self.failure)
        return False

    def _close_inputs(self) -> None:
        for subscription in self._in:
            self.destroy_subscription(subscription)
        self._in.clear()
        self.inputs.clear()

    def _destroy_publishers(self) -> None:
        for publisher in self._out.values():
            self.destroy_lifecycle_publisher(publisher)
        self._out.clear()

    @property
    def state(self) -> str:
        """Where in its life the node is: unconfigured, inactive, active, ..."""
        return str(self._state_machine.current_state[1])

    @property
    def is_configured(self) -> bool:
        """Whether ``configure`` has built what the stage needs."""
        return self.state in ("inactive", "active")

    def bring_up(self) -> bool:
        """Configure and activate; return whether that worked."""
        return self.trigger_configure() == SUCCESS and self.trigger_activate() == SUCCESS


def run(stage_type: type[Stage[Any]]) -> int:
    """Run a node until it is told to stop; return the exit status of its process."""
    rclpy.init()
    node = None
    try:
        node = stage_type()
        if node.get_parameter("autostart").value and not node.bring_up():
            return 1 if rclpy.ok() else 0
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except (InvalidParameterTypeException, InvalidParameterValueException, ValueError) as error:
        print(f"[{stage_type.spec_name}] {error}", file=sys.stderr)
        return 1
    except RuntimeError:
        if rclpy.ok():
            raise
        # Otherwise rclpy was shut down in the midst of a call.
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # launch sends Ctrl-C twice
        if node is not None:
            node.stop()
            node.destroy_node()
        shut_down()
    return 0


def shut_down() -> None:
    """Shut rclpy down; its signal handler may do so at the same moment, which is as good."""
    with contextlib.suppress(RuntimeError):
        rclpy.try_shutdown()


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
