"""Node: a recorded or synthetic rig → images, CameraInfo and /clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, TimeReference

from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.geometry.camera import Camera
from liquid_mono3d_ros.geometry.rig import Rig, load_rig
from liquid_mono3d_ros.graph import PlayerSettings
from liquid_mono3d_ros.nodes.images import bgr_to_image
from liquid_mono3d_ros.nodes.managed import run
from liquid_mono3d_ros.nodes.messages import from_stamp, header
from liquid_mono3d_ros.nodes.stage import Stage
from liquid_mono3d_ros.recording import (
    Looped,
    Recording,
    SyntheticRecording,
    VideoRecording,
    back_and_forth,
    read_ahead,
)
from liquid_mono3d_ros.records import Frame, seconds
from liquid_mono3d_ros.resources import share_path
from liquid_mono3d_ros.synth.paths import PATHS

SETTLE = 1.0
"""Seconds between the last change of the road and the first image, and after the last one."""
ANSWER = 2.0
"""Longest wait for the tracks of an image, s; only with ``max_ahead``."""


class PlayerNode(Stage[PlayerSettings]):
    """Publishes each frame when its stamp is due; never drops one: when late it is late."""

    spec_name = "player"
    thread: threading.Thread | None = None

    def configure(self) -> None:
        """Open the recording and create the publishers."""
        path = self.settings.rig or share_path("config/rigs/stereo_synthetic.yaml")
        rig = load_rig(Path(path))
        unknown = set(self.settings.cameras) - set(rig.cameras)
        if unknown:
            rule = f"among {', '.join(rig.cameras)}"
            raise ValueError(complain("cameras", rule, ", ".join(sorted(unknown)), "See the rig."))
        self.cameras = {
            name: camera
            for name, camera in rig.cameras.items()
            if name in self.settings.cameras or not self.settings.cameras
        }
        self.recording = open_recording(replace(rig, cameras=self.cameras), self.settings)
        reliable = self.settings.reliability == "reliable"
        self.images = {
            name: self.advertise("{camera}/image_raw", reliable=reliable, camera=name)
            for name in self.cameras
        }
        self.infos = {
            name: self.advertise("{camera}/camera_info", latched=True, camera=name)
            for name in self.cameras
        }
        self.clock_publisher = self.advertise("/clock", reliable=True)
        self.published = self.advertise("player/debug/published")
        self.sent = dict.fromkeys(self.cameras, 0)
        self.time = 0
        self.played = 0.0
        self.wall = 0.0
        self.stopping = threading.Event()

    def connect(self) -> None:
        """Start to play."""
        self.tracked = dict.fromkeys(self.cameras, 0)
        if self.settings.max_ahead:
            for name in self.cameras:
                answer = partial(self._answered, name)
                self.subscribe("{camera}/tracks2d", answer, watched=False, camera=name)
        self.stopping.clear()
        self.thread = threading.Thread(target=self._play, daemon=True)
        self.thread.start()

    def disconnect(self) -> None:
        """Stop playing."""
        self.stop()

    def stop(self) -> None:
        """End the player's thread."""
        if self.thread is not None:
            self.stopping.set()
            self.thread.join()
            self.thread = None

    def report(self) -> dict[str, object]:
        """Return progress and the rate reached."""
        if self.thread is None:
            return {}
        return {
            "frames": sum(self.sent.values()),
            "num_frames": self.recording.num_frames,
            "play_rate": self.play_rate,
        }

    @property
    def play_rate(self) -> float:
        """Recorded seconds per second of wall time so far; NaN before the second frame."""
        return self.played / self.wall if self.wall else float("nan")

    def _play(self) -> None:
        """Play to the end; the node ends with it, also when a file cannot be decoded."""
        try:
            self._wait_for_road()
            rounds = repeat(None, self.settings.loop) if self.settings.loop else repeat(None)
            if all(self._play_once() for _ in rounds):
                frames = sum(self.sent.values())
                self.get_logger().info(f"played {frames} frames at rate {self.play_rate:.3f}")
                self.stopping.wait(SETTLE)
                self.diagnostics.publish()  # the rate of the whole play
        except RuntimeError:
            if self.context.ok():
                raise
        finally:
            self.end()

    def _play_once(self) -> bool:
        """Publish every frame when it is due; return whether the end was reached."""
        start, origin = time.monotonic(), None
        played, wall = self.played, self.wall
        for frame in self._frames():
            origin = frame.stamp if origin is None else origin
            since = seconds(frame.stamp - origin)
            due = start + since / self.settings.play_rate
            if self.stopping.wait(max(0.0, due - time.monotonic())) or not self._keep_step(frame):
                return False
            self._publish(frame)
            self.played, self.wall = played + since, wall + time.monotonic() - start
        return True

    def _frames(self) -> Iterable[Frame]:
        """Return the recording, behind a bar in the terminal if that was asked for."""
        if not self.settings.progress:
            return read_ahead(self.recording)
        from tqdm import tqdm

        total = self.recording.num_frames
        return tqdm(read_ahead(self.recording), "playing", total, unit=" images", mininterval=0.5)

    def _answered(self, camera: str, tracks: Any) -> None:
        self.tracked[camera] += 1

    def _keep_step(self, frame: Frame) -> bool:
        """Wait until no more than ``max_ahead`` images lack tracks; return whether to go on.

        An answer that does not come within ``ANSWER`` seconds is not waited for again.
        """
        camera, allowed = frame.camera, self.settings.max_ahead
        deadline = time.monotonic() + ANSWER
        while allowed and self.sent[camera] - self.tracked[camera] >= allowed:
            if time.monotonic() > deadline:
                self.counts["unanswered"] += 1
                self.tracked[camera] += 1
            elif self.stopping.wait(0.001):
                return False
        return True

    def _publish(self, frame: Frame) -> None:
        if frame.stamp != self.time:
            self.clock_publisher.publish(Clock(clock=from_stamp(frame.stamp)))
            self.time = frame.stamp
        camera = self.cameras[frame.camera]
        image = Image(header=header(frame.stamp, camera.frame_id))
        bgr_to_image(image, frame.image)
        self.infos[frame.camera].publish(camera_info(camera, frame.stamp))
        self.images[frame.camera].publish(image)
        left = TimeReference(header=header(frame.stamp, camera.frame_id), source=frame.camera)
        left.time_ref = from_stamp(time.monotonic_ns())
        self.published.publish(left)
        self.sent[frame.camera] += 1

    def _wait_for_road(self) -> None:
        """Wait until the road is complete and has not changed for ``SETTLE`` seconds."""
        deadline = time.monotonic() + self.settings.wait
        before, since = None, time.monotonic()
        while time.monotonic() < min(deadline, since + SETTLE):
            ends = self._ends()
            if ends is None or ends != before:
                before, since = ends, time.monotonic()
            if self.stopping.wait(0.1):
                return

    def _ends(self) -> list[tuple[int, int]] | None:
        """Return the writers and readers between nodes; None while some node or end is missing."""
        if not set(self.settings.wait_for) <= set(self.get_node_names()):
            return None
        if not all(publisher.get_subscription_count() for publisher in self.images.values()):
            return None
        between = [f"{name}/tracks2d" for name in self.cameras] + ["points3d", "trajectories"]
        ends = [(self.count_publishers(name), self.count_subscribers(name)) for name in between]
        return ends if all(bool(out) == bool(into) for out, into in ends) else None


def open_recording(rig: Rig, settings: PlayerSettings) -> Recording:
    """Return the videos, or the synthetic world, that the settings name."""
    recording = _record(rig, settings)
    if settings.repeat > 1:
        return Looped(back_and_forth(recording), settings.repeat)
    return recording


def _record(rig: Rig, settings: PlayerSettings) -> Recording:
    if len(settings.phases) not in (0, len(rig.cameras)):
        rule, got = f"one for each of {', '.join(rig.cameras)}", f"{len(settings.phases)}"
        raise ValueError(complain("phases", rule, got, "Or leave them out."))
    phases = dict(zip(rig.cameras, settings.phases, strict=bool(settings.phases)))
    if settings.videos:
        pairs = [item.partition("=") for item in settings.videos]
        paths = {name: path for name, _, path in pairs if name in rig.cameras}
        frames = {name: round(phase) for name, phase in phases.items()}
        return VideoRecording(rig, paths, stride=settings.stride, phase=frames)
    delays = {name: phase / settings.frame_rate for name, phase in phases.items()}
    recording = SyntheticRecording(
        rig,
        PATHS[settings.motion],
        duration=settings.duration,
        rate=settings.frame_rate,
        phase=delays,
    )
    return recording.prerender() if settings.prerender else recording


def camera_info(camera: Camera, stamp: int) -> CameraInfo:
    """Return a camera's calibration as a message: raw images, P of an unrotated rectification."""
    message = CameraInfo(header=header(stamp, camera.frame_id))
    message.width, message.height = camera.width, camera.height
    message.distortion_model = camera.model
    message.d = camera.D.tolist()
    message.k = camera.K.ravel()
    message.r = np.eye(3).ravel()
    message.p = np.hstack([camera.K, np.zeros((3, 1))]).ravel()
    return message


def main() -> int:
    """Run the node."""
    return run(PlayerNode)


if __name__ == "__main__":
    raise SystemExit(main())
