"""A managed (lifecycle) node that checks its parameters, says what went wrong, and ends well."""

from __future__ import annotations

import contextlib
import gc
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeVar

import rclpy
from rcl_interfaces.msg import SetParametersResult
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter

from liquid_mono3d_ros.graph import NODES
from liquid_mono3d_ros.nodes.parameters import declare_parameters, read_parameters
from liquid_mono3d_ros.settings import Settings

S = TypeVar("S", bound=Settings)
SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE
BAD_SETUP = (ValueError, TypeError, OSError, ImportError)


class Managed(LifecycleNode, Generic[S]):
    """The life of a node of the road: unconfigured → inactive → active, and back.

    A subclass names its entry in ``graph.NODES`` and writes ``configure`` (build the core and the
    publishers) and ``connect`` (subscribe); what they raise is said, and stops the node.
    """

    spec_name: ClassVar[str]
    settings: S

    def __init__(self) -> None:
        super().__init__(self.spec_name)
        try:
            declare_parameters(self, NODES[self.spec_name].settings)
        except BaseException:
            self.destroy_node()
            raise
        self.failure = ""
        self.ended = False
        self.lock = threading.RLock()
        self.add_on_set_parameters_callback(self._parameters_changed)

    def configure(self) -> None:
        """Build the core from ``self.settings`` and create the publishers."""

    def connect(self) -> None:
        """Create the subscriptions."""

    def disconnect(self) -> None:
        """Undo what ``connect`` did besides subscribing."""

    def apply(self, settings: S) -> None:
        """Take settings that changed while running."""

    def stop(self) -> None:
        """Join threads and close files."""

    def close_inputs(self) -> None:
        """Destroy the subscriptions."""

    def close_outputs(self) -> None:
        """Destroy the publishers."""

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
            self.close_outputs()
            return FAILURE
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Open the inputs."""
        if not self._try(self.connect):
            self.close_inputs()
            return FAILURE
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close the inputs."""
        self.close_inputs()
        self.disconnect()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Drop the stage and its outputs."""
        self.stop()
        self.close_outputs()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """End for good; the process lives on until it is stopped."""
        self.close_inputs()
        self.stop()
        self.close_outputs()
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

    @property
    def state(self) -> str:
        """Where in its life the node is: unconfigured, inactive, active, ..."""
        return str(self._state_machine.current_state[1])

    @property
    def is_configured(self) -> bool:
        """Whether ``configure`` has built what the stage needs."""
        return self.state in ("inactive", "active")

    def destroy_node(self) -> None:
        """End the node, its DDS participant too.

        rclpy leaves a lifecycle node's state machine, and so the participant, to the garbage
        collector; ended amid something else, a participant can wait for another one for ever.
        """
        super().destroy_node()
        self._state_machine.destroy_when_not_in_use()

    def end(self) -> None:
        """Let the process end; from any thread."""
        self.ended = True
        if self.executor is not None:
            self.executor.wake()

    def bring_up(self) -> bool:
        """Configure and activate; return whether that worked."""
        return self.trigger_configure() == SUCCESS and self.trigger_activate() == SUCCESS


def run(node_type: type[Managed[Any]]) -> int:
    """Run a node until it is told to stop; return the exit status of its process."""
    try:
        return _live(node_type)
    except KeyboardInterrupt:  # a second one, before it was ignored
        return 0


def _live(node_type: type[Managed[Any]]) -> int:
    rclpy.init()
    node = None
    try:
        node = node_type()
        if node.get_parameter("autostart").value and not node.bring_up():
            return 1 if rclpy.ok() else 0
        gc.collect()
        gc.freeze()  # what is loaded by now stays: looking through it again costs tens of ms
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        while rclpy.ok() and not node.ended:
            executor.spin_once()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except (InvalidParameterTypeException, InvalidParameterValueException, ValueError) as error:
        print(f"[{node_type.spec_name}] {error}", file=sys.stderr)
        return 1
    except RuntimeError:
        if rclpy.ok():
            raise
        # Otherwise rclpy was shut down in the midst of a call.
    finally:
        _ignore_interrupts()  # launch sends Ctrl-C twice
        if node is not None:
            node.stop()
            node.destroy_node()
        shut_down()
    return 0


def _ignore_interrupts() -> None:
    while signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        with contextlib.suppress(KeyboardInterrupt):
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def shut_down() -> None:
    """Shut rclpy down; its signal handler may do so at the same moment, which is as good."""
    with contextlib.suppress(RuntimeError):
        rclpy.try_shutdown()
