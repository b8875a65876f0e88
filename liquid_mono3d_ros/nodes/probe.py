"""Node: measures the time from image to pose as another process sees it."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from functools import partial
from pathlib import Path
from typing import Any

from liquid_mono3d_ros.bench.latency import image_to_pose_ms, summary_ms
from liquid_mono3d_ros.graph import ProbeSettings
from liquid_mono3d_ros.nodes.managed import run
from liquid_mono3d_ros.nodes.messages import to_stamp
from liquid_mono3d_ros.nodes.stage import Stage


class ProbeNode(Stage[ProbeSettings]):
    """Remembers when images left and poses came, and writes the percentiles at the end."""

    spec_name = "probe"
    sees_backward_stamps = False
    poses: list[tuple[int, int]] | None = None

    def configure(self) -> None:
        """Start with empty lists."""
        self.restart()

    def connect(self) -> None:
        """Subscribe to what the player says of its images, to CameraInfo, and to the pose."""
        self.subscribe("player/debug/published", self._published, watched=False)
        for camera in self.settings.cameras:
            self.subscribe("{camera}/camera_info", partial(self._informed, camera), camera=camera)
            self.subscribe("{camera}/tracks2d", partial(self._tracked, camera), camera=camera)
        self.subscribe("pose", self._posed)

    def restart(self) -> None:
        """Forget every time."""
        self.told: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self.seen: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self.tracked: Counter[str] = Counter()
        self.poses = []

    def stop(self) -> None:
        """Write or log what was measured."""
        if self.poses is None:
            return
        text = json.dumps(self.result(), indent=1)
        if self.settings.output:
            Path(self.settings.output).write_text(text + "\n", encoding="utf-8")
        else:
            self.get_logger().info(text)
        self.poses = None

    def report(self) -> dict[str, object]:
        """Return how many poses were timed."""
        return {"poses": len(self.poses or ())}

    def result(self) -> dict[str, Any]:
        """Return counts and percentiles."""
        images, poses = self.told or self.seen, self.poses or []
        after_last, age = image_to_pose_ms(images, poses)
        return {
            "images": {camera: len(times) for camera, times in images.items()},
            "tracked": dict(self.tracked),
            "poses": len(poses),
            "start": "published by the player" if self.told else "CameraInfo received",
            "image_to_pose_ms": summary_ms(after_last),
            "total_age_ms": summary_ms(age),
        }

    def _published(self, message: Any) -> None:
        left = to_stamp(message.time_ref)
        self.told[message.source].append((to_stamp(message.header.stamp), left))

    def _informed(self, camera: str, message: Any) -> None:
        """Take CameraInfo for its image, where no player says when that left."""
        if not self.told:
            self.seen[camera].append((to_stamp(message.header.stamp), time.monotonic_ns()))

    def _tracked(self, camera: str, message: Any) -> None:
        self.tracked[camera] += 1

    def _posed(self, message: Any) -> None:
        assert self.poses is not None
        self.poses.append((to_stamp(message.header.stamp), time.monotonic_ns()))


def main() -> int:
    """Run the node."""
    return run(ProbeNode)


if __name__ == "__main__":
    raise SystemExit(main())
