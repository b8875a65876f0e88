"""Node: the road's topics → an MCAP file that Foxglove and rosbag2 read."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import BinaryIO

from mcap.writer import Writer

from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.graph import NODES, SENSOR, TOPICS, RecorderSettings, Topic
from liquid_mono3d_ros.nodes.definitions import definition
from liquid_mono3d_ros.nodes.endpoints import message_type, quality
from liquid_mono3d_ros.nodes.managed import run
from liquid_mono3d_ros.nodes.stage import Stage

IMAGES = "{camera}/image_raw"


class RecorderNode(Stage[RecorderSettings]):
    """Writes serialised messages as they arrive; nothing is decoded."""

    spec_name = "recorder"
    writer: Writer | None = None
    file: BinaryIO

    def configure(self) -> None:
        """Open the file and write the schemas."""
        path = Path(self.settings.output)
        if not path.parent.is_dir():
            rule, cure = "in a directory that exists", "Create it first."
            raise ValueError(complain("output", rule, f"'{path}'", cure))
        self.file = path.open("wb")
        self.writer = Writer(self.file)
        self.writer.start(profile="ros2", library="liquid_mono3d")
        self.schemas: dict[str, int] = {}
        self.channels: dict[str, int] = {}

    def connect(self) -> None:
        """Subscribe to every topic that the graph names for the recorder."""
        names = NODES["recorder"].subscribes + ((IMAGES,) if self.settings.images else ())
        for name in names:
            topic = TOPICS[name]
            cameras = self.settings.cameras if "{camera}" in name else ("",)
            for camera in cameras:
                self._record(topic, name.format(camera=camera))

    def stop(self) -> None:
        """Write the index and close the file."""
        if self.writer is not None:
            self.writer.finish()
            self.file.close()
            self.writer = None

    def _record(self, topic: Topic, name: str) -> None:
        channel = self._channel(topic, self.resolve_topic_name(name))
        qos = quality(topic.quality)
        qos.depth = 10 if topic.quality == SENSOR else 1000
        self._in.append(
            self.create_subscription(
                message_type(topic.type), name, partial(self._write, channel), qos, raw=True
            )
        )

    def _channel(self, topic: Topic, resolved: str) -> int:
        assert self.writer is not None
        if topic.type not in self.schemas:
            text = definition(topic.type).encode()
            self.schemas[topic.type] = self.writer.register_schema(topic.type, "ros2msg", text)
        if resolved not in self.channels:
            self.channels[resolved] = self.writer.register_channel(
                resolved, "cdr", self.schemas[topic.type]
            )
        return self.channels[resolved]

    def _write(self, channel: int, data: bytes) -> None:
        if self.writer is None or not self.enabled:
            return
        now = self.get_clock().now().nanoseconds
        self.writer.add_message(channel, log_time=now, data=data, publish_time=now)
        self.counts["written"] += 1


def main() -> int:
    """Run the node."""
    return run(RecorderNode)


if __name__ == "__main__":
    raise SystemExit(main())
