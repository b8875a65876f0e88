"""The arguments of the launch files and of ``liquid-mono3d up``, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from liquid_mono3d_ros.checks import complain


@dataclass(frozen=True)
class Argument:
    """A launch argument. An empty default means: as the parameters file says, or not used."""

    name: str
    default: str
    about: str
    choices: tuple[str, ...] = ()


SWITCH = ("true", "false")

PIPELINE = (
    Argument("left", "", "image topic of the left camera"),
    Argument("right", "", "image topic of the right camera"),
    Argument("left_info", "", "CameraInfo topic of the left camera; empty: beside the image"),
    Argument("right_info", "", "CameraInfo topic of the right camera; empty: beside the image"),
    Argument(
        "cameras",
        "",
        "any number of cameras, name=image topic: 'front=/f/image_raw,side=/s/image_raw'; "
        "a name alone reads <name>/image_raw; empty: left and right, or those of the rig file",
    ),
    Argument("rig", "", "calibration file of the cameras"),
    Argument(
        "extrinsics",
        "",
        "where calibration comes from; empty: rig if a rig file is given, else camera_info",
        ("", "rig", "camera_info", "tf"),
    ),
    Argument("rectified", "", "the images are rectified", ("", *SWITCH)),
    Argument(
        "world_frame", "", "frame of the output; empty: the rig file's, or the first camera's own"
    ),
    Argument(
        "detector",
        "",
        "what finds objects in the images; topic reads <camera>/detections instead",
        ("", "background", "colour", "flow", "onnx", "topic"),
    ),
    Argument(
        "sync",
        "",
        "how cameras are brought to a common time",
        ("", "interpolate", "extrapolate", "exact", "approximate"),
    ),
    Argument("filter", "", "trajectory filter", ("", "liquid", "imm", "cv")),
    Argument("backend", "", "what writes the words: name of a file in config/backends, or a path"),
    Argument(
        "sight",
        "",
        "facts: say what the objects look like, as far as their crops show it",
        ("", "off", "facts"),
    ),
    Argument("params_file", "", "parameters that replace those of config/pipeline.yaml"),
    Argument("namespace", "", "of every node and topic"),
    Argument("use_sim_time", "false", "take time from /clock", SWITCH),
    Argument("autostart", "true", "nodes configure and activate themselves", SWITCH),
    Argument("tracking_per_camera", "false", "one tracking process for each camera", SWITCH),
    Argument("rviz", "false", "open RViz", SWITCH),
    Argument("log_level", "info", "of the nodes", ("debug", "info", "warn", "error", "fatal")),
    Argument(
        "shm", "auto", "shared-memory profile of Fast DDS, so that images arrive", ("auto", "off")
    ),
)

DEMO = (
    Argument("videos", "", "camera=path of each video, comma separated; empty: synthetic images"),
    Argument("play_rate", "1.0", "recorded seconds per second, if the machine can"),
    Argument("loop", "1", "times to play, each a jump back in time; 0: until stopped"),
    Argument("repeat", "1", "times to play forth and back, with stamps that go on"),
    Argument("duration", "4.0", "seconds of the synthetic recording"),
    Argument("prerender", "false", "render the synthetic images before playing them", SWITCH),
    Argument("progress", "false", "show a bar in the terminal", SWITCH),
    Argument("phases", "", "delay of each camera in frame intervals, comma separated"),
    Argument("wall_time", "false", "nodes read the wall clock, as with live cameras", SWITCH),
    Argument("record", "", "path of an MCAP file for the topics; empty: none"),
    Argument("probe", "", "path of a JSON file for the latency; empty: none"),
)


def complete(given: Mapping[str, str], arguments: tuple[Argument, ...]) -> dict[str, str]:
    """Fill the defaults in and check every name and choice.

    Raises:
        ValueError: If a name is unknown or a value is not among its choices.
    """
    known = {argument.name: argument for argument in arguments}
    for name, value in given.items():
        if name not in known:
            rule = f"one of {', '.join(known)}"
            raise ValueError(complain(f"argument {name}", rule, "an unknown name", "Spell it so."))
        choices = known[name].choices
        if choices and value not in choices:
            rule = f"one of {', '.join(filter(None, choices))}"
            raise ValueError(complain(f"argument {name}", rule, repr(value), "Choose one."))
    return {name: given.get(name, argument.default) for name, argument in known.items()}
