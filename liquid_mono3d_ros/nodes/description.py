"""Node: trajectories → facts → words."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from std_msgs.msg import String

from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.geometry.rotation import rotation_between
from liquid_mono3d_ros.graph import DescriptionNodeSettings
from liquid_mono3d_ros.language.narrator import FactsFrame, Narrator
from liquid_mono3d_ros.language.template import TemplateBackend
from liquid_mono3d_ros.nodes.managed import run
from liquid_mono3d_ros.nodes.messages import (
    description_to_msg,
    facts_to_msg,
    to_stamp,
    trajectory_from_msg,
)
from liquid_mono3d_ros.nodes.stage import Stage
from liquid_mono3d_ros.nodes.tf import FrameTree


class DescriptionNode(Stage[DescriptionNodeSettings]):
    """Keeps a history of each track; speaks when something changed, not for every frame."""

    spec_name = "description"

    def configure(self) -> None:
        """Build the backend and the outputs."""
        if self.settings.up and len(self.settings.up) != 3:
            got = f"{len(self.settings.up)} numbers"
            raise ValueError(complain("up", "3 numbers or empty", got, "For z-up: [0, 0, 1]."))
        self.narrator = Narrator(self.settings, TemplateBackend())
        self.epoch: int | None = None
        self.facts = self.advertise("facts")
        self.descriptions = self.advertise("descriptions")
        self.text = self.advertise("description_text")

    def connect(self) -> None:
        """Subscribe to the trajectories."""
        self.subscribe("trajectories", self._update)

    def restart(self) -> None:
        """Forget every track."""
        self.narrator.reset()

    def report(self) -> dict[str, object]:
        """Return the backend and how many tracks are remembered."""
        return {"backend": self.narrator.backend.name, "tracks": len(self.narrator.histories)}

    def _update(self, message: Any) -> None:
        arrival = time.monotonic()
        if message.epoch != self.epoch:
            self.restart()
            self.epoch = message.epoch
        frame = self._facts_frame(message.header.frame_id)
        for item in message.trajectories:
            try:
                facts, words = self.narrator.follow(trajectory_from_msg(item), frame)
            except ValueError as error:
                stamp = to_stamp(item.header.stamp)
                self.drop("invalid_trajectory", f"track {item.track_id} at {stamp} ns: {error}")
                continue
            if facts is not None:
                self.facts.publish(facts_to_msg(facts))
            if words is not None:
                latency = time.monotonic() - arrival
                self.descriptions.publish(description_to_msg(words, latency))
                self.text.publish(String(data=words.text))

    def _facts_frame(self, world_frame: str) -> FactsFrame:
        """Return where facts are told; TF is asked only for a frame other than the world's."""
        settings = self.settings
        if settings.facts_frame not in ("", world_frame):
            R, t = FrameTree.of(self).transform(settings.facts_frame, world_frame)
            return FactsFrame(R, t, True, settings.facts_frame)
        if settings.up:
            up = np.array(settings.up) / np.linalg.norm(settings.up)
            R = rotation_between(up, np.array([0.0, 0.0, 1.0]))
            return FactsFrame(R, np.zeros(3), True, world_frame)
        return FactsFrame.world(world_frame, z_up=not world_frame.endswith("_optical_frame"))


def main() -> int:
    """Run the node."""
    return run(DescriptionNode)


if __name__ == "__main__":
    raise SystemExit(main())
