"""MCAP file of the road → records; needs no ROS.

Topics are known by the last part of their name, so a recording of one namespace reads like any
other; two instances in one file are told apart by ``namespace``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcap.exceptions import McapError
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory

from liquid_mono3d_ros.bench.decoding import (
    description_from_message,
    facts_from_message,
    points3d_from_message,
    stamp_from_message,
    tracks2d_from_message,
    trajectories_from_message,
)
from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.records import (
    Description,
    Facts,
    Points3D,
    Tracks2D,
    Trajectories,
    Trajectory,
)

READ = (
    "tracks2d",
    "points3d",
    "trajectories",
    "pose",
    "path",
    "facts",
    "descriptions",
    "diagnostics",
)
"""Last parts of the names of the topics that are read."""


@dataclass(frozen=True)
class NodeHealth:
    """What a node last said of itself: 0 good, 1 warning, 2 error; a sentence; named values."""

    level: int
    sentence: str
    values: Mapping[str, str]


@dataclass(frozen=True)
class RoadRecording:
    """What the road published, each list in the order of publication.

    Attributes:
        tracks2d: Camera → its 2D tracks, image by image.
        points3d: Located objects, one entry per frame of the reference camera.
        trajectories: Filtered states, one entry per update.
        posed: Stamps that have a pose or an entry in a path, ns.
        facts: Of every track.
        descriptions: Of every track, each with the facts it rests on.
        health: Node → its last diagnostics.
    """

    tracks2d: Mapping[str, Sequence[Tracks2D]]
    points3d: Sequence[Points3D]
    trajectories: Sequence[Trajectories]
    posed: frozenset[int]
    facts: Sequence[Facts]
    descriptions: Sequence[Description]
    health: Mapping[str, NodeHealth]

    @property
    def main_track(self) -> tuple[int, int] | None:
        """Epoch and track_id of the track that was measured most often; None without tracks."""
        hits: defaultdict[tuple[int, int], int] = defaultdict(int)
        for update in self.trajectories:
            for state in update.trajectories:
                hits[state.epoch, state.track_id] += state.measured
        return max(hits, key=lambda track: hits[track], default=None)

    def states(self, track: tuple[int, int]) -> list[Trajectory]:
        """Return the measured states of a track, (epoch, track_id), oldest first."""
        return [
            state
            for update in self.trajectories
            for state in update.trajectories
            if (state.epoch, state.track_id) == track and state.measured
        ]


def read_road(path: str | Path, namespace: str = "") -> RoadRecording:
    """Read a recording of the road.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no complete MCAP file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(complain("path", "an MCAP file", f"'{path}'", "Record one first."))
    found: defaultdict[str, list[Any]] = defaultdict(list)
    try:
        for kind, message in _messages(path, namespace):
            found[kind].append(message)
    except (McapError, OSError) as error:
        rule, got = "a complete MCAP file", f"'{path}': {type(error).__name__} {error}".rstrip()
        raise ValueError(complain("path", rule, got, "End the recorder before reading.")) from None
    tracks2d: defaultdict[str, list[Tracks2D]] = defaultdict(list)
    for message in found["tracks2d"]:
        tracks2d[message.camera].append(tracks2d_from_message(message))
    poses = found["pose"] + [pose for message in found["path"] for pose in message.poses]
    return RoadRecording(
        tracks2d=dict(tracks2d),
        points3d=[points3d_from_message(message) for message in found["points3d"]],
        trajectories=[trajectories_from_message(message) for message in found["trajectories"]],
        posed=frozenset(stamp_from_message(pose.header.stamp) for pose in poses),
        facts=[facts_from_message(message) for message in found["facts"]],
        descriptions=[description_from_message(message) for message in found["descriptions"]],
        health={
            status.name: NodeHealth(
                ord(status.level) if isinstance(status.level, bytes) else int(status.level),
                status.message,
                {item.key: item.value for item in status.values},
            )
            for message in found["diagnostics"]
            for status in message.status
            if status.name.startswith(namespace.lstrip("/"))
        },
    )


def _messages(path: Path, namespace: str) -> Iterator[tuple[str, Any]]:
    """Yield the last part of the topic and the message, in the order in which they were written.

    The log time is the recording's clock, which stands still between two images; so messages are
    not sorted by it.
    """
    with path.open("rb") as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()])
        summary = reader.get_summary()
        channels = summary.channels.values() if summary is not None else ()
        topics = [
            channel.topic
            for channel in channels
            if channel.topic.rpartition("/")[2] in READ
            and (channel.topic.startswith(namespace) or channel.topic == "/diagnostics")
        ]
        if topics:
            for _, channel, _, message in reader.iter_decoded_messages(
                topics, log_time_order=False
            ):
                yield channel.topic.rpartition("/")[2], message
