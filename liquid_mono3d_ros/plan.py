"""Launch arguments → processes, for ``ros2 launch`` and ``liquid-mono3d up`` alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from liquid_mono3d_ros.arguments import DEMO, PIPELINE, complete
from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.graph import NODES, ROAD
from liquid_mono3d_ros.resources import share_path


@dataclass(frozen=True)
class Process:
    """One node to start: what ``launch_ros.actions.Node`` or a command line needs."""

    executable: str
    name: str
    namespace: str
    parameters: Mapping[str, Any]
    params_files: tuple[str, ...]
    remappings: tuple[tuple[str, str], ...]
    log_level: str
    package: str = "liquid_mono3d"
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Camera:
    """A camera's name and topics; an empty topic is the default one below its name."""

    name: str
    image: str = ""
    info: str = ""

    def remappings(self) -> list[tuple[str, str]]:
        """Return the topic pairs that lead the nodes to this camera."""
        if not self.image:
            return []
        info = self.info or str(PurePosixPath(self.image).with_name("camera_info"))
        own = f"{self.name}/image_raw"
        return [
            (own, self.image),
            (f"{own}/compressed", f"{self.image}/compressed"),
            (f"{self.name}/camera_info", info),
        ]


@dataclass(frozen=True)
class Plan:
    """What to start: the processes and what their environment needs, where it is not yet set."""

    processes: tuple[Process, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


def plan_pipeline(given: Mapping[str, str]) -> Plan:
    """Return the road's processes for the arguments of ``pipeline.launch.py``.

    Raises:
        ValueError: If an argument is wrong or no camera is named.
    """
    values = complete(given, PIPELINE)
    cameras = _cameras(values)
    names = [camera.name for camera in cameras]
    parameters: dict[str, dict[str, Any]] = {name: {} for name in ROAD}
    parameters["tracking"] = {"cameras": names, **_given(values, "detector")}
    parameters["triangulation"] = {
        "cameras": names,
        "extrinsics": values["extrinsics"] or ("rig" if values["rig"] else "camera_info"),
        **_given(values, "rig", "world_frame", "sync"),
    }
    if values["rectified"]:
        parameters["triangulation"]["rectified"] = values["rectified"] == "true"
    parameters["liquid_filter"] = _given(values, "filter")
    parameters["description"] = {"cameras": names, **_given(values, "backend", "sight", "rig")}
    remappings = tuple(pair for camera in cameras for pair in camera.remappings())
    processes = []
    for name in ROAD:
        if name == "tracking" and values["tracking_per_camera"] == "true":
            for camera in cameras:
                in_file = _file_section(values["params_file"], name)
                own = {**in_file, **parameters[name], "cameras": [camera.name]}
                processes.append(
                    _process(name, values, own, tuple(camera.remappings()), camera.name)
                )
        else:
            processes.append(_process(name, values, parameters[name], remappings))
    if values["rviz"] == "true":
        processes.append(_rviz(values, remappings))
    return Plan(tuple(processes), _environment(values))


def plan_demo(given: Mapping[str, str]) -> Plan:
    """Return the road's processes and those that play, measure and record.

    Raises:
        ValueError: If an argument is wrong.
    """
    values = complete(given, PIPELINE + DEMO)
    values["rig"] = values["rig"] or str(share_path("config/rigs/stereo_synthetic.yaml"))
    values["use_sim_time"] = "false" if values["wall_time"] == "true" else "true"
    if not values["videos"] and not values["detector"]:
        values["detector"] = "colour"  # the synthetic ball has its default hue
    pipeline = plan_pipeline({argument.name: values[argument.name] for argument in PIPELINE})
    cameras = [camera.name for camera in _cameras(values)]
    player: dict[str, Any] = {
        "rig": values["rig"],
        "cameras": cameras,
        "play_rate": float(values["play_rate"]),
        "loop": int(values["loop"]),
        "repeat": int(values["repeat"]),
        "duration": float(values["duration"]),
        "prerender": values["prerender"] == "true",
        "progress": values["progress"] == "true",
    }
    if values["videos"]:
        player["videos"] = values["videos"].split(",")
    if values["phases"]:
        player["phases"] = [float(phase) for phase in values["phases"].split(",")]
    extra = []
    if values["probe"]:
        extra.append(_process("probe", values, {"cameras": cameras, "output": values["probe"]}))
    if values["record"]:
        recorder = {"cameras": cameras, "output": values["record"]}
        extra.append(_process("recorder", values, recorder))
    others = (*pipeline.processes, *extra)
    player["wait_for"] = [p.name for p in others if p.executable in NODES]
    extra.insert(0, _process("player", values, player))
    return Plan((*pipeline.processes, *extra), pipeline.environment)


def _cameras(values: Mapping[str, str]) -> list[Camera]:
    if values["left"] or values["right"]:
        if not (values["left"] and values["right"]):
            rule = "given together"
            raise ValueError(complain("left and right", rule, "one of them", "Name both topics."))
        return [Camera(side, values[side], values[f"{side}_info"]) for side in ("left", "right")]
    if values["cameras"]:
        pairs = [item.strip().partition("=") for item in values["cameras"].split(",")]
        return [Camera(name, image) for name, _, image in pairs]
    if values["rig"]:
        return [Camera(name) for name in _rig_cameras(Path(values["rig"]))]
    rule = "named by left and right, by cameras, or by a rig file"
    cure = "For one stereo camera: left:=/stereo/left/image_rect right:=/stereo/right/image_rect."
    raise ValueError(complain("cameras", rule, "none of them", cure))


def _rig_cameras(path: Path) -> list[str]:
    return list(_rig_document(path)["cameras"])


def _rig_document(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"rig must be a file; got '{path}'. Check the path.")
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(document, dict) or not isinstance(document.get("cameras"), dict):
        raise ValueError(complain("rig", "a file with cameras", f"'{path}'", "See config/rigs/."))
    return document


def _file_section(path: str, node: str) -> dict[str, Any]:
    """Return what a parameters file says of a node, for processes that bear another name."""
    document = yaml.safe_load(Path(path).read_text(encoding="utf-8")) if path else None
    values: dict[str, Any] = {}
    for name, section in (document or {}).items():
        if name.rpartition("/")[2] in (node, "**"):
            values |= _flat(section.get(node, section).get("ros__parameters") or {})
    return values


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= (
            _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
        )
    return flat


def _given(values: Mapping[str, str], *names: str) -> dict[str, Any]:
    return {name: values[name] for name in names if values[name]}


def _process(
    executable: str,
    values: Mapping[str, str],
    parameters: Mapping[str, Any],
    remappings: tuple[tuple[str, str], ...] = (),
    suffix: str = "",
) -> Process:
    files = [str(share_path("config/pipeline.yaml")), values["params_file"]]
    return Process(
        executable=NODES[executable].name,
        name=f"{executable}_{suffix}" if suffix else executable,
        namespace=values["namespace"],
        parameters={
            **parameters,
            "use_sim_time": values["use_sim_time"] == "true",
            "autostart": values["autostart"] == "true",
        },
        params_files=tuple(filter(None, files)),
        remappings=remappings,
        log_level=values["log_level"],
    )


def _rviz(values: Mapping[str, str], remappings: tuple[tuple[str, str], ...]) -> Process:
    frame = values["world_frame"]
    if not frame and values["rig"]:
        frame = str(_rig_document(Path(values["rig"])).get("world_frame", "world"))
    fixed = ("--fixed-frame", frame) if frame else ()
    return Process(
        executable="rviz2",
        name="rviz2",
        namespace=values["namespace"],
        parameters={"use_sim_time": values["use_sim_time"] == "true"},
        params_files=(),
        remappings=remappings,
        log_level=values["log_level"],
        package="rviz2",
        arguments=("--display-config", str(share_path("config/pipeline.rviz")), *fixed),
    )


def _environment(values: Mapping[str, str]) -> dict[str, str]:
    """Jazzy's Fast DDS reads the first name, newer ones the second."""
    if values["shm"] == "off":
        return {}
    profile = str(share_path("config/fastdds_shm.xml"))
    return {
        "FASTRTPS_DEFAULT_PROFILES_FILE": profile,
        "FASTDDS_DEFAULT_PROFILES_FILE": profile,
    }
