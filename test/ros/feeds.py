"""What each stage eats, image time by image time, and what comes out of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from liquid_mono3d.msg import Point3D, Point3DArray, Trajectory, TrajectoryArray
from observer import Observer, ball, tracks_message
from scenes import ORIGIN, STEREO_RIG, exposed, line, stereo_rig

from liquid_mono3d_ros.nodes.liquid_filter import LiquidFilterNode
from liquid_mono3d_ros.nodes.messages import header
from liquid_mono3d_ros.nodes.tracking import TrackingNode
from liquid_mono3d_ros.nodes.triangulation import TriangulationNode

FRAME = 33_333_333
"""Between two images, ns."""
PATH = line((3.0, -0.2, 1.0), (0.0, 0.4, 0.1))
CAMERAS = ("left", "right")
TRACKING = {"cameras": list(CAMERAS), "detector": "colour"}
TRIANGULATION = {"rig": str(STEREO_RIG)}

Said = tuple[str, Any, dict[str, str]]
"""Topic of the graph, message, what fills the topic's name."""


def stamp(k: int) -> int:
    return ORIGIN + k * FRAME


def images(k: int) -> Iterator[Said]:
    for camera in CAMERAS:
        yield "{camera}/image_raw", ball(stamp(k), (40.0 + k % 60, 60.0)), {"camera": camera}


def tracks(k: int) -> Iterator[Said]:
    for camera in stereo_rig().cameras.values():
        uv, velocity = exposed(camera, stamp(k), [PATH])
        message = tracks_message(camera, stamp(k), uv, velocity=velocity)
        yield "{camera}/tracks2d", message, {"camera": camera.name}


def point(track_id: int = 1, xyz: Any = (1.0, 2.0, 3.0), **changes: Any) -> Point3D:
    message = Point3D(track_id=track_id, kind=Point3D.POINT)
    message.position.x, message.position.y, message.position.z = map(float, xyz)
    message.covariance = (1e-6 * np.eye(3)).ravel()
    message.systematic_covariance = [math.nan] * 9
    for name, value in changes.items():
        setattr(message, name, value)
    return message


def points_array(k: int, *points: Point3D, epoch: int = 0) -> Point3DArray:
    return Point3DArray(header=header(stamp(k), "world"), points=points, epoch=epoch)


def points(k: int) -> Iterator[Said]:
    yield "points3d", points_array(k, point()), {}


def trajectories(k: int, *, epoch: int = 0) -> TrajectoryArray:
    """Return one confirmed track that moves along x at 1 m/s."""
    head = header(stamp(k), "world")
    one = Trajectory(header=head, track_id=1, epoch=epoch, measured=True, last_measured=head.stamp)
    one.state, one.filter, one.num_cameras = Trajectory.CONFIRMED, Trajectory.IMM, 2
    one.position.x, one.velocity.x = k * FRAME / 1e9, 1.0
    one.covariance = (1e-6 * np.eye(6)).ravel()
    return TrajectoryArray(header=head, epoch=epoch, trajectories=[one])


@dataclass
class Feed:
    """Feeds a stage one image time after the other and listens to its output."""

    kind: Any
    parameters: dict[str, Any]
    messages: Any
    output: str
    cameras: tuple[str, ...] = ("",)
    heard: list[list[Any]] = field(default_factory=list)

    def listen(self, observer: Observer) -> None:
        self.heard = [observer.listen(self.output, camera=camera) for camera in self.cameras]
        observer.meet(*(self.output.format(camera=camera) for camera in self.cameras))

    def put(self, observer: Observer, k: int) -> None:
        for name, message, parts in self.messages(k):
            observer.say(name, message, **parts)

    def send(self, observer: Observer, k: int) -> None:
        """Put, and wait for what comes of it."""
        before = [len(heard) for heard in self.heard]
        self.put(observer, k)
        observer.until(
            lambda: all(len(h) > n for h, n in zip(self.heard, before, strict=True)),
            f"{self.output} of image time {k}",
        )

    def epochs(self) -> list[list[int]]:
        return [[message.epoch for message in heard] for heard in self.heard]


def feeds() -> list[Feed]:
    """Return a feed for each stage that numbers its epochs."""
    return [
        Feed(TrackingNode, TRACKING, images, "{camera}/tracks2d", CAMERAS),
        Feed(TriangulationNode, TRIANGULATION, tracks, "points3d"),
        Feed(LiquidFilterNode, {}, points, "trajectories"),
    ]
