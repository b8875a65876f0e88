"""A private ROS graph for tests: an observer that listens and speaks, and stages to try.

Importing this skips the test module where ROS 2 or the messages are missing.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from scenes import tracks2d

rclpy = pytest.importorskip("rclpy")
pytest.importorskip("liquid_mono3d.msg", exc_type=ImportError)

from liquid_mono3d.msg import Track2DArray  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.qos import QoSProfile, ReliabilityPolicy  # noqa: E402
from rclpy.signals import SignalHandlerOptions  # noqa: E402
from sensor_msgs.msg import CameraInfo, Image  # noqa: E402

from liquid_mono3d_ros.geometry.camera import Camera  # noqa: E402
from liquid_mono3d_ros.graph import TOPICS  # noqa: E402
from liquid_mono3d_ros.nodes.endpoints import message_type, quality  # noqa: E402
from liquid_mono3d_ros.nodes.images import bgr_to_image  # noqa: E402
from liquid_mono3d_ros.nodes.messages import header, tracks2d_to_msg  # noqa: E402
from liquid_mono3d_ros.nodes.stage import Stage  # noqa: E402
from liquid_mono3d_ros.plan import Process  # noqa: E402
from liquid_mono3d_ros.processes import command  # noqa: E402

PACKAGE = Path(__file__).parents[1]
PATIENCE = 60.0
"""Seconds after which something that should have come is missed; slow machines wait, good ones
do not."""
TEAL = (170, 160, 20)
"""A colour (BGR) that the colour detector finds by default."""


@contextmanager
def private_domain() -> Iterator[None]:
    """Set the environment so that nodes started from here hear one another and nobody else."""
    environment = {
        "ROS_DOMAIN_ID": str(_free_domain()),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "PYTHONPATH": os.pathsep.join([str(PACKAGE), os.environ.get("PYTHONPATH", "")]),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    with mock.patch.dict(os.environ, environment):
        yield


def _free_domain() -> int:
    """Return a domain from 0 to 100 on whose first port nobody listens, others than the pid's."""
    for domain in (*range(os.getpid() % 101, 101), *range(101)):
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
            try:
                probe.bind(("", 7400 + 250 * domain + 10))  # RTPS: of the first participant
            except OSError:
                continue
            return domain
    raise OSError("no free ROS domain")


class Observer:
    """A node that remembers what it hears. It needs no thread: it listens inside ``until``.

    Args:
        context: Of its own, unless one is shared with stages in this process.
        stages: Nodes of that context, which live while this one listens.
    """

    def __init__(self, context: Any = None, stages: tuple[Any, ...] = ()) -> None:
        self.own = context is None
        self.context = context or rclpy.Context()
        if self.own:
            rclpy.init(context=self.context, signal_handler_options=SignalHandlerOptions.NO)
        self.node = rclpy.create_node(
            f"observer_{id(self) % 10**9}", context=self.context, use_global_arguments=False
        )
        self.executor = SingleThreadedExecutor(context=self.context)
        for node in (self.node, *stages):
            self.executor.add_node(node)
        self.heard: dict[str, list[Any]] = {}
        self._speakers: dict[str, Any] = {}
        self._listeners: dict[str, Any] = {}
        self.stages = stages

    def close(self) -> None:
        self.executor.shutdown()
        self.node.destroy_node()
        if self.own:
            self.context.try_shutdown()

    def listen(self, name: str, *, best_effort: bool = False, **parts: object) -> list[Any]:
        """Subscribe to a topic of the graph; return the list that its messages will fill."""
        topic = TOPICS[name]
        resolved = self.resolve(name.format(**parts), str(parts.get("namespace", "")))
        messages: list[Any] = self.heard.setdefault(resolved, [])
        qos = QoSProfile(depth=1000)
        if best_effort or topic.quality == "sensor data":
            qos = QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._listeners[resolved] = self.node.create_subscription(
            message_type(topic.type), resolved, messages.append, qos
        )
        return messages

    def resolve(self, name: str, namespace: str = "") -> str:
        """Return the full name of a topic or service of a namespace."""
        return name if name.startswith("/") else f"{f'/{namespace}' if namespace else ''}/{name}"

    def meet(self, *names: str) -> None:
        """Listen until both ends of these topics know of each other: what is said then arrives.

        Of a node in another process only this end can be asked.
        """
        for name in map(self.resolve, names):
            for knows in self._ends(name):
                self.until(knows, f"the other end of {name}")

    def _ends(self, name: str) -> Iterator[Callable[[], int]]:
        if name in self._speakers:
            yield self._speakers[name].get_subscription_count
        elif name in self._listeners:
            yield self._listeners[name].get_publisher_count
        for stage in self.stages:
            if name in stage._out:
                yield stage._out[name].get_subscription_count
            for subscription in stage._in:
                if subscription.topic_name == name:
                    yield subscription.get_publisher_count

    def spin(self, duration: float) -> None:
        """Listen for some seconds."""
        end = time.monotonic() + duration
        while time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.01)

    def until(
        self, condition: Callable[[], Any], what: str = "", patience: float = PATIENCE
    ) -> Any:
        """Listen until the condition holds and return its value; fail when it never does."""
        end = time.monotonic() + patience
        while not (value := condition()):
            if time.monotonic() > end:
                counts = {name: len(messages) for name, messages in self.heard.items()}
                pytest.fail(f"waited {patience:.0f} s in vain for {what or condition}; {counts}")
            self.executor.spin_once(timeout_sec=0.01)
        return value

    def say(self, name: str, message: Any, *, namespace: str = "", **parts: object) -> None:
        """Publish a message on a topic of the graph, once its subscriber is there."""
        resolved = self.resolve(name.format(**parts), namespace)
        if resolved not in self._speakers:
            qos = quality(TOPICS[name].quality)
            qos.reliability, qos.depth = ReliabilityPolicy.RELIABLE, 1000
            speaker = self.node.create_publisher(type(message), resolved, qos)
            self._speakers[resolved] = speaker
            self.meet(resolved)
        self._speakers[resolved].publish(message)
        self.executor.spin_once(timeout_sec=0)

    def hush(self) -> None:
        """Take back every publisher."""
        for speaker in self._speakers.values():
            self.node.destroy_publisher(speaker)
        self._speakers.clear()

    def call(self, kind: Any, name: str, request: Any = None) -> Any:
        """Call a service and return its response."""
        client = self.node.create_client(kind, name)
        self.until(client.service_is_ready, f"service {name}")
        future = client.call_async(request or kind.Request())
        self.until(future.done, f"an answer of {name}")
        self.node.destroy_client(client)
        return future.result()


@contextmanager
def observing() -> Iterator[Observer]:
    """Listen to nodes of other processes."""
    observer = Observer()
    try:
        yield observer
    finally:
        observer.close()


@contextmanager
def hosted(
    kind: type[Stage[Any]],
    parameters: Mapping[str, Any] | None = None,
    *,
    bring_up: bool = True,
    namespace: str = "",
    remappings: tuple[tuple[str, str], ...] = (),
) -> Iterator[tuple[Any, Observer]]:
    """Run a stage in this process, which is fast; it lives while the observer listens."""
    process = Process(
        kind.spec_name, kind.spec_name, namespace, parameters or {}, (), remappings, "warn"
    )
    rclpy.init(args=command(process)[3:], signal_handler_options=SignalHandlerOptions.NO)
    context = rclpy.get_default_context()
    node = observer = None
    try:
        node = kind()
        observer = Observer(context, (node,))
        if bring_up:
            assert node.bring_up(), node.failure
        yield node, observer
    finally:
        try:
            if node is not None:
                node.stop()
                node.destroy_node()
            if observer is not None:
                observer.close()
        finally:
            rclpy.try_shutdown()


def interrupt(processes: Mapping[str, Any], times: int) -> dict[str, int]:
    """Send Ctrl-C to processes, once or twice 50 ms apart as launch does; return the statuses."""
    for turn in range(times):
        if turn:
            time.sleep(0.05)
        for process in processes.values():
            process.send_signal(signal.SIGINT)
    return {name: process.wait(60) for name, process in processes.items()}


@contextmanager
def output_to(path: Path) -> Iterator[None]:
    """Send what processes started from here print to a file."""
    kept = [os.dup(number) for number in (1, 2)]
    try:
        with path.open("wb") as file:
            for number in (1, 2):
                os.dup2(file.fileno(), number)
        yield
    finally:
        for number, original in zip((1, 2), kept, strict=True):
            os.dup2(original, number)
            os.close(original)


def health(node: Any) -> tuple[int, str, dict[str, str]]:
    """Return level, sentence and values of a hosted stage, as /diagnostics would show them."""
    status = node.diagnostics.status()
    return status.level[0], status.message, {v.key: v.value for v in status.values}


def ball(stamp: int, uv: tuple[float, float], *, width: int = 160, height: int = 120) -> Image:
    """Return an image of a teal ball of 8 px radius on black."""
    v, u = np.mgrid[:height, :width]
    picture = np.zeros((height, width, 3), np.uint8)
    picture[np.hypot(u - uv[0], v - uv[1]) <= 8] = TEAL
    message = Image(header=header(stamp, "left_optical_frame"))
    bgr_to_image(message, picture)
    return message


def camera_info(seen_by: Camera, stamp: int, R: Any = None, P: Any = None) -> CameraInfo:
    """Return the calibration message of a camera; its P has no baseline unless it is given."""
    message = CameraInfo(header=header(stamp, seen_by.frame_id))
    message.width, message.height = seen_by.width, seen_by.height
    message.distortion_model, message.d = seen_by.model, seen_by.D.tolist()
    message.k = seen_by.K.ravel()
    message.r = np.asarray(np.eye(3) if R is None else R, float).ravel()
    alone = np.hstack([seen_by.K, np.zeros((3, 1))])
    message.p = np.asarray(alone if P is None else P, float).ravel()
    return message


def tracks_message(seen_by: Camera, stamp: int, uv: Any, **changes: Any) -> Track2DArray:
    """Return confirmed tracks at the pixels given, (N, 2), as ``scenes.tracks2d`` makes them."""
    tracks = tracks2d(seen_by, stamp, np.asarray(uv, float), **changes)
    return tracks2d_to_msg(replace(tracks, class_id=("",) * len(tracks)))
