"""Node: trajectories, and crops of their tracks → facts → words."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from std_msgs.msg import String

from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.geometry.rig import load_rig
from liquid_mono3d_ros.geometry.rotation import rotation_between
from liquid_mono3d_ros.graph import DescriptionNodeSettings
from liquid_mono3d_ros.language.choice import open_backend
from liquid_mono3d_ros.language.narrator import FactsFrame, Narrator
from liquid_mono3d_ros.language.sight import TrackSight
from liquid_mono3d_ros.language.template import TemplateBackend
from liquid_mono3d_ros.language.writer import Request, Writer
from liquid_mono3d_ros.nodes.asking import Asking
from liquid_mono3d_ros.nodes.crops import crops_from_msg
from liquid_mono3d_ros.nodes.managed import run
from liquid_mono3d_ros.nodes.messages import (
    description_to_msg,
    facts_to_msg,
    points3d_from_msg,
    to_stamp,
    trajectory_from_msg,
)
from liquid_mono3d_ros.nodes.stage import Stage
from liquid_mono3d_ros.nodes.tf import FrameTree
from liquid_mono3d_ros.records import Description, Facts

IMAGES = 4
"""Crops of an object that a backend may look at."""


class DescriptionNode(Stage[DescriptionNodeSettings]):
    """Keeps a history of each track; speaks when something changed, not for every frame.

    Words are written by a thread of their own: see ``language.writer``.
    """

    spec_name = "description"
    writer: Writer | None = None
    asking: Asking | None = None

    def configure(self) -> None:
        """Build what measures, what looks, what writes and what answers."""
        settings = self.settings
        if settings.up and len(settings.up) != 3:
            got = f"{len(settings.up)} numbers"
            raise ValueError(complain("up", "3 numbers or empty", got, "For z-up: [0, 0, 1]."))
        backend = open_backend(settings.backend, settings.verifier)
        template = isinstance(backend, TemplateBackend)
        self.writer = Writer(None if template else backend, settings.writer)
        self.sight = self._open_sight()
        self.narrator = Narrator(settings, backend, self.sight)
        self.epoch: int | None = None
        self.points_epoch: int | None = None
        self.facts = self.advertise("facts")
        self.descriptions = self.advertise("descriptions")
        self.text = self.advertise("description_text")
        self.asking = Asking(self, self.narrator.facts_of, self.writer, settings.questions)

    def connect(self) -> None:
        """Subscribe to trajectories, with ``sight`` to points and crops; load the model."""
        assert self.writer is not None
        self.subscribe("trajectories", self._update)
        if self.sight is not None:
            self.subscribe("points3d", self._locate)
            for camera in self.settings.cameras:
                self.subscribe("{camera}/crops", self._look, camera=camera)
        self.writer.start()

    def disconnect(self) -> None:
        """End the writing; what was asked is aborted."""
        assert self.writer is not None
        self.writer.stop()
        if self.asking is not None:
            self.asking.abort_all("The node stopped before the answer was written.")

    def stop(self) -> None:
        """End the threads and the action server."""
        if self.writer is not None:
            self.writer.stop()
            self.writer = None
        if self.asking is not None:
            self.asking.close()
            self.asking = None

    def restart(self) -> None:
        """Forget every track and the words that are not written yet."""
        assert self.writer is not None
        self.writer.clear()
        self.narrator.reset()
        if self.asking is not None:
            self.asking.abort_all("Everything was forgotten before the answer was written.")

    def complaints(self) -> list[str]:
        """Return what is wrong with the model."""
        trouble = "" if self.writer is None else self.writer.trouble
        return [trouble] if trouble else []

    def report(self) -> dict[str, object]:
        """Return who writes, how many tracks are remembered, and what became of requests."""
        writer = self.writer
        values: dict[str, object] = {
            "backend": self.settings.backend,
            "tracks": len(self.narrator.histories),
        }
        if writer is not None and writer.backend is not None:
            values["backend ready"] = writer.ready
            values["texts waiting"] = writer.waiting
            values |= {f"count texts {cause}": n for cause, n in list(writer.counts.items())}
            failures = getattr(writer.backend, "failures", {})
            values |= {f"count {cause} text": n for cause, n in list(failures.items())}
        if self.sight is not None:
            values["crop_ms"] = self.sight.milliseconds
            values |= {f"count {cause}": n for cause, n in self.sight.counts.items()}
        return values

    def _open_sight(self) -> TrackSight | None:
        settings = self.settings
        if settings.sight == "off":
            return None
        rig = load_rig(settings.rig) if settings.rig else None
        cameras = settings.cameras or tuple(rig.cameras if rig is not None else ())
        if not cameras:
            cure = "Launch files set them from cameras, left and right."
            raise ValueError(complain("cameras", "named with sight", "none", cure))
        return TrackSight(cameras, settings.looks, rig)

    def _look(self, message: Any) -> None:
        if self.sight is not None:
            self.sight.add_crops(crops_from_msg(message), message.camera, message.epoch)

    def _locate(self, message: Any) -> None:
        if self.sight is None:
            return
        if self.points_epoch not in (None, message.epoch):
            self.sight.reset()
        self.points_epoch = message.epoch
        self.sight.add_points(points3d_from_msg(message))

    def _update(self, message: Any) -> None:
        if self.epoch not in (None, message.epoch):
            self.restart()
        self.epoch = message.epoch
        frame = self._facts_frame(message.header.frame_id)
        for item in message.trajectories:
            try:
                facts, reason = self.narrator.observe(trajectory_from_msg(item), frame)
            except ValueError as error:
                stamp = to_stamp(item.header.stamp)
                self.drop("invalid_trajectory", f"track {item.track_id} at {stamp} ns: {error}")
                continue
            if facts is not None:
                self.facts.publish(facts_to_msg(facts))
                if reason:
                    self._ask_for_words(facts)

    def _ask_for_words(self, facts: Facts) -> None:
        assert self.writer is not None
        crops = () if self.sight is None else self.sight.crops(facts.track_id)[-IMAGES:]
        images = [np.ascontiguousarray(crop.rgb[:, :, ::-1]) for crop in crops]
        begun = time.monotonic()
        request = Request(
            facts, lambda words: self._publish(words, begun), images=images, begun=begun
        )
        self.writer.submit(request)

    def _publish(self, words: Description, begun: float) -> None:
        """Publish words; in whichever thread they were written."""
        try:
            latency = time.monotonic() - begun
            self.descriptions.publish(description_to_msg(words, latency))
            self.text.publish(String(data=words.text))
        except RuntimeError:
            if self.context.ok():
                raise
            # Otherwise rclpy was shut down in the midst of a call.

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
