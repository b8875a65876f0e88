"""Recordings of an object before a stereo rig, as the recorder would have written them."""

from __future__ import annotations

from liquid_mono3d_ros.bench.recordings import RoadRecording
from liquid_mono3d_ros.geometry.rig import Rig
from liquid_mono3d_ros.geometry.triangulator import GeometrySettings, Triangulator
from liquid_mono3d_ros.synth.paths import Circle, Path
from liquid_mono3d_ros.synth.rigs import stereo_rig
from liquid_mono3d_ros.synth.scene import simulate, track

RIG = stereo_rig()


def recorded(
    duration: float = 30.0,
    *,
    path: Path | None = None,
    rate: float = 30.0,
    drop: float = 0.05,
    seed: int = 0,
    rig: Rig = RIG,
) -> RoadRecording:
    """Return the 2D tracks and the points of a ball on a path."""
    shots = simulate(
        [path or Circle()], rig, rate=rate, duration=duration, sigma_px=0.5, drop=drop, seed=seed
    )
    images = list(track(shots, rig))
    triangulator = Triangulator(GeometrySettings(), rig)
    points = [one for image in images for one in triangulator.add(image)]
    cameras = {name: [one for one in images if one.camera == name] for name in rig.cameras}
    return RoadRecording(cameras, points, [], frozenset(), [], [], {})


def write(recording: RoadRecording, path, topics=("points3d", "tracks2d")) -> None:
    """Write points and 2D tracks as the recorder does; needs ROS."""
    from mcap.writer import Writer
    from rclpy.serialization import serialize_message

    from liquid_mono3d_ros.nodes import messages as to
    from liquid_mono3d_ros.nodes.definitions import definition

    found = {}
    if "points3d" in topics:
        found["/points3d"] = [to.points3d_to_msg(one) for one in recording.points3d]
    if "tracks2d" in topics:
        for name, images in recording.tracks2d.items():
            found[f"/{name}/tracks2d"] = [to.tracks2d_to_msg(one) for one in images]
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start(profile="ros2", library="test")
        for topic, messages in found.items():
            kind = f"liquid_mono3d/msg/{type(messages[0]).__name__}"
            schema = writer.register_schema(kind, "ros2msg", definition(kind).encode())
            channel = writer.register_channel(topic, "cdr", schema)
            for message in messages:
                writer.add_message(channel, 0, serialize_message(message), 0)
        writer.finish()
