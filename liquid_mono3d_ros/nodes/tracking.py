"""Node: images of each camera, or what another node detects in them → 2D tracks."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np
from sensor_msgs.msg import Image

from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.graph import TrackingNodeSettings
from liquid_mono3d_ros.nodes.crops import crops_to_msg
from liquid_mono3d_ros.nodes.detections import check_vision_msgs, detections_from_msg, image_size
from liquid_mono3d_ros.nodes.images import bgr_to_image, compressed_to_bgr, image_to_bgr
from liquid_mono3d_ros.nodes.managed import run
from liquid_mono3d_ros.nodes.messages import header, to_stamp, tracks2d_to_msg
from liquid_mono3d_ros.nodes.stage import Stage
from liquid_mono3d_ros.nodes.worker import Worker
from liquid_mono3d_ros.records import Frame, Tracks2D
from liquid_mono3d_ros.tracking.camera_tracker import TOPIC, CameraTracker
from liquid_mono3d_ros.tracking.drawing import draw_tracks


class TrackingNode(Stage[TrackingNodeSettings]):
    """Detects and tracks in the process where the image arrives; only tracks travel on."""

    spec_name = "tracking"
    worker: Worker[Any] | None = None
    resets = 0
    """An image that waited across a reset is not used."""

    def configure(self) -> None:
        """Build one tracker for each camera."""
        cameras = self.settings.cameras
        if not cameras:
            rule, cure = "at least one name", "Launch files set it from cameras, left and right."
            raise ValueError(complain("cameras", rule, "none", cure))
        self.sizes: dict[str, tuple[int, int]] = {}
        if self.settings.detector == TOPIC:
            check_vision_msgs()
            size = self.settings.topic.width, self.settings.topic.height
            self.sizes = {name: size for name in cameras if all(size)}
        else:
            _warm_up(self.settings)
        self.trackers = {name: CameraTracker(name, self.settings) for name in cameras}
        self.tracks = {name: self.advertise("{camera}/tracks2d", camera=name) for name in cameras}
        self.crops = {name: self.advertise("{camera}/crops", camera=name) for name in cameras}
        self.pictures = {
            name: self.advertise("tracking/debug/{camera}/tracks", camera=name) for name in cameras
        }
        self.milliseconds = 0.0
        self.worker = Worker(self._process, self.settings.queue_size, self._overrun)

    def connect(self) -> None:
        """Subscribe to the images, or to what another node detects in them."""
        for name in self.settings.cameras:
            if self.settings.detector == TOPIC:
                self._connect_detections(name)
            else:
                self._connect_images(name)

    def _connect_images(self, camera: str) -> None:
        compressed = self.settings.image_transport == "compressed"
        self.subscribe(
            "{camera}/image_raw",
            partial(self._queue, camera),
            reliable=self.settings.reliability == "reliable",
            kind="sensor_msgs/msg/CompressedImage" if compressed else "",
            suffix="/compressed" if compressed else "",
            camera=camera,
        )

    def _connect_detections(self, camera: str) -> None:
        if not self.settings.topic.width:
            self.subscribe(
                "{camera}/camera_info", partial(self._learn_size, camera), camera=camera
            )
        self.subscribe(
            "{camera}/detections",
            partial(self._follow_detections, camera),
            reliable=self.settings.reliability == "reliable",
            camera=camera,
        )

    def restart(self) -> None:
        """Forget every track and the images that wait."""
        assert self.worker is not None
        self.resets += 1
        self.counts["cleared_by_reset"] += self.worker.clear()
        for tracker in self.trackers.values():
            tracker.reset()

    def stop(self) -> None:
        """End the worker."""
        if self.worker is not None:
            self.worker.stop()
            self.worker = None

    def report(self) -> dict[str, object]:
        """Return epochs, events and the time one image takes."""
        values: dict[str, object] = {"processing_ms": self.milliseconds}
        for name, tracker in self.trackers.items():
            values[f"{name} epoch"] = tracker.epoch
            values.update({f"count {name} {event}": n for event, n in tracker.events.items()})
        return values

    def _learn_size(self, camera: str, message: Any) -> None:
        self.sizes[camera] = image_size(message)

    def _follow_detections(self, camera: str, message: Any) -> None:
        if camera not in self.sizes:
            cure = "Publish it, or set topic.width and topic.height."
            self.drop(
                "no_image_size", f"{camera}: no CameraInfo tells the size of the image. {cure}"
            )
            return
        start = time.monotonic()
        tracks = self.trackers[camera].update_detections(
            detections_from_msg(message, self.settings.topic),
            to_stamp(message.header.stamp),
            self.sizes[camera],
            frame_id=message.header.frame_id,
        )
        self.tracks[camera].publish(tracks2d_to_msg(tracks))
        self._took(time.monotonic() - start)

    def _queue(self, camera: str, message: Any) -> None:
        assert self.worker is not None
        self.worker.submit(camera, (self.resets, message))

    def _overrun(self, camera: str) -> None:
        self.drop("overrun", f"{camera}: images arrive faster than they can be processed")

    def _process(self, camera: str, item: tuple[int, Any]) -> None:
        resets, message = item
        try:
            self._follow(camera, resets, message)
        except ValueError as error:
            stamp = to_stamp(message.header.stamp)
            self.drop("invalid_image", f"{camera} at stamp {stamp}: {error}")
        except RuntimeError:
            if self.context.ok():
                raise
            # Otherwise rclpy was shut down in the midst of a call.

    def _follow(self, camera: str, resets: int, message: Any) -> None:
        start = time.monotonic()
        frame = _frame(camera, message)
        with self.lock:
            if resets != self.resets:
                self.counts["cleared_by_reset"] += 1
                return
            tracks = self.trackers[camera].update(frame)
            self.tracks[camera].publish(tracks2d_to_msg(tracks))
        if self.crops[camera].get_subscription_count():
            self.crops[camera].publish(crops_to_msg(frame, tracks))
        if self.pictures[camera].get_subscription_count():
            self.pictures[camera].publish(_picture(frame, tracks))
        self._took(time.monotonic() - start)

    def _took(self, duration: float) -> None:
        self.milliseconds += 0.1 * (1e3 * duration - self.milliseconds)


def _warm_up(settings: TrackingNodeSettings) -> None:
    """Detect in a blank image, so that what loads at the first call is loaded before it counts."""
    CameraTracker("blank", settings).update(Frame("blank", 0, np.zeros((480, 640, 3), np.uint8)))


def _frame(camera: str, message: Any) -> Frame:
    decode = image_to_bgr if hasattr(message, "encoding") else compressed_to_bgr
    stamp = to_stamp(message.header.stamp)
    return Frame(camera, stamp, decode(message), message.header.frame_id)


def _picture(frame: Frame, tracks: Tracks2D) -> Image:
    message = Image(header=header(frame.stamp, frame.frame_id))
    bgr_to_image(message, draw_tracks(frame, tracks))
    return message


def main() -> int:
    """Run the node."""
    return run(TrackingNode)


if __name__ == "__main__":
    raise SystemExit(main())
