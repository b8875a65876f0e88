"""Where 2D tracks come from on the command line: a recording of the road, or videos."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.geometry.rig import Rig
from liquid_mono3d_ros.recording import VideoRecording
from liquid_mono3d_ros.records import Tracks2D
from liquid_mono3d_ros.tracking.camera_tracker import CameraTracker, TrackingSettings


def add_arguments(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Add ``--tracks``, ``--videos``, ``--params-file`` and ``--set``."""
    source = parser.add_mutually_exclusive_group(required=required)
    source.add_argument(
        "--tracks", type=Path, metavar="FILE", help="MCAP file with the topics CAMERA/tracks2d"
    )
    source.add_argument(
        "--videos", nargs="+", metavar="CAMERA=FILE", help="one of each camera, started together"
    )
    parser.add_argument(
        "--params-file", type=Path, metavar="FILE", help="parameters of the node tracking"
    )
    parser.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="NAME:=VALUE",
        help="parameters of tracking, for example detector:=colour; after those of the file",
    )


def read_tracks(given: argparse.Namespace, rig: Rig) -> Iterator[Tracks2D]:
    """Yield the tracks of all cameras in the order of their stamps.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file or a parameter is wrong.
    """
    if given.tracks is not None:
        return _recorded(given.tracks)
    videos = {}
    for text in given.videos:
        name, equals, path = text.partition("=")
        if not (name and equals and path):
            cure = "For example --videos left=a.mp4 right=b.mp4."
            raise ValueError(complain("--videos", "CAMERA=FILE", repr(text), cure))
        videos[name] = path
    settings = TrackingSettings.from_flat(
        {**_from_file(given.params_file), **dict(map(_setting, given.set))}
    )
    return _tracked(VideoRecording(rig, videos), settings)


def _tracked(recording: VideoRecording, settings: TrackingSettings) -> Iterator[Tracks2D]:
    trackers = {name: CameraTracker(name, settings) for name in recording.paths}
    for frame in recording:
        yield trackers[frame.camera].update(frame)


def _recorded(path: Path) -> Iterator[Tracks2D]:
    from liquid_mono3d_ros.bench.recordings import read_road

    road = read_road(path)
    tracks: Sequence[Tracks2D] = [one for own in road.tracks2d.values() for one in own]
    if not tracks:
        cure = "Record the topics CAMERA/tracks2d: ros2 launch ... record:=FILE."
        raise ValueError(complain("--tracks", "a recording of tracks", f"'{path}'", cure))
    return iter(sorted(tracks, key=lambda one: one.stamp))


def _setting(text: str) -> tuple[str, Any]:
    name, given, value = text.partition(":=")
    if not given:
        cure = "For example detector:=colour."
        raise ValueError(complain("--set", "NAME:=VALUE", repr(text), cure))
    return name, yaml.safe_load(value)


def _from_file(path: Path | None) -> dict[str, Any]:
    """Return what a ROS parameter file says of tracking; what concerns the node alone is left."""
    if path is None:
        return {}
    if not path.is_file():
        got = f"'{path}'"
        raise FileNotFoundError(complain("--params-file", "a file", got, "Check the path."))
    content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    known = {leaf.name for leaf in TrackingSettings.leaves()}
    return {
        name: value
        for node, section in content.items()
        if node.rpartition("/")[2] in ("tracking", "**")
        for name, value in section["ros__parameters"].items()
        if name in known
    }
