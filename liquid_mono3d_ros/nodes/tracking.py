"""Node: images of each camera → 2D tracks."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np
from liquid_mono3d.msg import TrackCrop, TrackCropArray

from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.graph import TrackingNodeSettings
from liquid_mono3d_ros.nodes.images import compressed_to_bgr, image_to_bgr
from liquid_mono3d_ros.nodes.managed import run
from liquid_mono3d_ros.nodes.messages import header, to_stamp, tracks2d_to_msg
from liquid_mono3d_ros.nodes.stage import Stage
from liquid_mono3d_ros.nodes.worker import Worker
from liquid_mono3d_ros.records import Frame, Tracks2D
from liquid_mono3d_ros.tracking.camera_tracker import CameraTracker
from liquid_mono3d_ros.tracking.crops import crop_tracks


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
        _warm_up(self.settings)
        self.trackers = {name: CameraTracker(name, self.settings) for name in cameras}
        self.tracks = {name: self.advertise("{camera}/tracks2d", camera=name) for name in cameras}
        self.crops = {name: self.advertise("{camera}/crops", camera=name) for name in cameras}
        self.milliseconds = 0.0
        self.worker = Worker(self._process, self.settings.queue_size, self._overrun)

    def connect(self) -> None:
        """Subscribe to the images."""
        compressed = self.settings.image_transport == "compressed"
        for name in self.settings.cameras:
            self.subscribe(
                "{camera}/image_raw",
                partial(self._queue, name),
                reliable=self.settings.reliability == "reliable",
                kind="sensor_msgs/msg/CompressedImage" if compressed else "",
                suffix="/compressed" if compressed else "",
                camera=name,
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
            self.crops[camera].publish(_crops(frame, tracks))
        self.milliseconds += 0.1 * (1e3 * (time.monotonic() - start) - self.milliseconds)


def _warm_up(settings: TrackingNodeSettings) -> None:
    """Detect in a blank image, so that what loads at the first call is loaded before it counts."""
    CameraTracker("blank", settings).update(Frame("blank", 0, np.zeros((480, 640, 3), np.uint8)))


def _frame(camera: str, message: Any) -> Frame:
    decode = image_to_bgr if hasattr(message, "encoding") else compressed_to_bgr
    stamp = to_stamp(message.header.stamp)
    return Frame(camera, stamp, decode(message), message.header.frame_id)


def _crops(frame: Frame, tracks: Tracks2D) -> TrackCropArray:
    track_ids, pictures = crop_tracks(frame, tracks)
    return TrackCropArray(
        header=header(frame.stamp, frame.frame_id),
        camera=frame.camera,
        epoch=tracks.epoch,
        crops=[
            TrackCrop(track2d_id=int(i), data=np.ascontiguousarray(picture).reshape(-1))
            for i, picture in zip(track_ids, pictures, strict=True)
        ],
    )


def main() -> int:
    """Run the node."""
    return run(TrackingNode)


if __name__ == "__main__":
    raise SystemExit(main())
