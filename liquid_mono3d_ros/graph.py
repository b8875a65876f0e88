"""The road as data: nodes, their topics, services and parameters.

Launch files, the command line, ``config/pipeline.yaml``, the tables in ``docs/`` and the tests
read this; the nodes themselves take their settings and topic qualities from here.
"""

from __future__ import annotations

from dataclasses import dataclass

from liquid_mono3d_ros.geometry.triangulator import GeometrySettings
from liquid_mono3d_ros.language.judgement import VerifierSettings
from liquid_mono3d_ros.language.narrator import NarratorSettings
from liquid_mono3d_ros.language.sight import SightSettings
from liquid_mono3d_ros.language.writer import WriterSettings
from liquid_mono3d_ros.liquid.trajectory_filter import FilterSettings
from liquid_mono3d_ros.settings import Settings, group, setting
from liquid_mono3d_ros.synth.paths import PATHS
from liquid_mono3d_ros.tracking.camera_tracker import TrackingSettings

SENSOR = "sensor data"
RELIABLE = "reliable"
LATCHED = "latched"
QUALITIES = {
    SENSOR: "best effort, volatile, keep last 5",
    RELIABLE: "reliable, volatile, keep last 50",
    LATCHED: "reliable, transient local, keep last 1",
}


@dataclass(frozen=True)
class Topic:
    """A topic: relative name (``{camera}`` and ``{slot}`` stand for each), type and quality."""

    name: str
    type: str
    quality: str
    about: str


@dataclass(frozen=True)
class NodeSpec:
    """A node: its executable and default name, what it reads and writes, its parameters."""

    name: str
    about: str
    settings: type[Settings]
    subscribes: tuple[str, ...] = ()
    publishes: tuple[str, ...] = ()
    services: tuple[str, ...] = ("~/reset", "~/enable")
    actions: tuple[str, ...] = ()


TOPICS = {
    topic.name: topic
    for topic in (
        Topic("{camera}/image_raw", "sensor_msgs/msg/Image", SENSOR, "the camera's images"),
        Topic(
            "{camera}/camera_info",
            "sensor_msgs/msg/CameraInfo",
            SENSOR,
            "calibration; the last one received counts",
        ),
        Topic(
            "{camera}/detections",
            "vision_msgs/msg/Detection2DArray",
            SENSOR,
            "boxes of your own detector, in place of images, with `detector` topic",
        ),
        Topic(
            "{camera}/tracks2d",
            "liquid_mono3d/msg/Track2DArray",
            RELIABLE,
            "2D tracks, raw pixels; one message per image",
        ),
        Topic(
            "{camera}/crops",
            "liquid_mono3d/msg/TrackCropArray",
            SENSOR,
            "64×64 pictures of the tracks, while someone subscribes",
        ),
        Topic(
            "tracking/debug/{camera}/tracks",
            "sensor_msgs/msg/Image",
            SENSOR,
            "the image with its tracks drawn in, while someone subscribes",
        ),
        Topic(
            "points3d",
            "liquid_mono3d/msg/Point3DArray",
            RELIABLE,
            "located objects; one message per frame of the reference camera",
        ),
        Topic(
            "trajectories",
            "liquid_mono3d/msg/TrajectoryArray",
            RELIABLE,
            "filtered state of every track",
        ),
        Topic(
            "trajectories_lagged",
            "liquid_mono3d/msg/TrajectoryArray",
            RELIABLE,
            "smoothed state of every track, `lag` updates ago",
        ),
        Topic(
            "trajectories_predicted",
            "liquid_mono3d/msg/TrajectoryArray",
            RELIABLE,
            "every track at the node's own time, `prediction_rate` times a second",
        ),
        Topic("pose", "geometry_msgs/msg/PoseStamped", RELIABLE, "the primary track"),
        Topic(
            "pose_with_covariance",
            "geometry_msgs/msg/PoseWithCovarianceStamped",
            RELIABLE,
            "the primary track",
        ),
        Topic("path", "nav_msgs/msg/Path", RELIABLE, "the primary track's last poses"),
        Topic("markers", "visualization_msgs/msg/MarkerArray", RELIABLE, "what RViz shows"),
        Topic(
            "slot_{slot}/pose",
            "geometry_msgs/msg/PoseStamped",
            RELIABLE,
            "the track in slot k, with `track_slots`",
        ),
        Topic(
            "slot_{slot}/path",
            "nav_msgs/msg/Path",
            RELIABLE,
            "its last poses, with `track_slots`",
        ),
        Topic(
            "liquid_filter/debug/models",
            "diagnostic_msgs/msg/DiagnosticArray",
            SENSOR,
            "of each track: probability of each model, weight of each expert, the network's scales"
            " of noise and its mean time constant; while someone subscribes",
        ),
        Topic("facts", "liquid_mono3d/msg/Facts", RELIABLE, "what was measured about a track"),
        Topic(
            "descriptions",
            "liquid_mono3d/msg/TrajectoryDescription",
            RELIABLE,
            "words with the facts they rest on",
        ),
        Topic("description_text", "std_msgs/msg/String", RELIABLE, "the words alone"),
        Topic(
            "/diagnostics",
            "diagnostic_msgs/msg/DiagnosticArray",
            RELIABLE,
            "health, rates and drops by cause, 1 Hz",
        ),
        Topic("/clock", "rosgraph_msgs/msg/Clock", SENSOR, "time of the recording"),
        Topic(
            "player/debug/published",
            "sensor_msgs/msg/TimeReference",
            RELIABLE,
            "when each image left the player: stamp, camera, monotonic time of this host",
        ),
    )
}


@dataclass(frozen=True)
class StageSettings(Settings):
    """Parameters that every node has."""

    autostart: bool = setting(True, "configure and activate without waiting for a manager")


@dataclass(frozen=True)
class TrackingNodeSettings(StageSettings, TrackingSettings):
    """Parameters of the tracking node."""

    cameras: tuple[str, ...] = setting((), "names of the cameras, each with its own topics")
    image_transport: str = setting(
        "raw", "compressed reads <camera>/image_raw/compressed", choices=("raw", "compressed")
    )
    reliability: str = setting(
        "best_effort",
        "of the image subscriptions; reliable also needs a reliable publisher",
        choices=("best_effort", "reliable"),
    )
    queue_size: int = setting(
        5, "images waiting per camera before the oldest is dropped and counted", bounds=(1, 100)
    )


@dataclass(frozen=True)
class TriangulationNodeSettings(StageSettings, GeometrySettings):
    """Parameters of the triangulation node."""

    cameras: tuple[str, ...] = setting((), "names of the cameras; empty: those of the rig file")
    extrinsics: str = setting(
        "rig",
        "where calibration comes from: a rig file, CameraInfo alone, or CameraInfo and TF",
        choices=("rig", "camera_info", "tf"),
    )
    rig: str = setting("", "path of the rig file, for extrinsics rig")
    rectified: bool = setting(False, "images are rectified: CameraInfo.P projects into them")
    world_frame: str = setting(
        "", "frame of the points; empty: the rig file's, or the first camera's optical frame"
    )
    moving_cameras: bool = setting(False, "with extrinsics tf: look the pose up for each image")
    slop: float = setting(
        0.02, "with sync approximate: largest difference of stamps", unit="s", bounds=(0.0, 1.0)
    )
    queue_size: int = setting(
        30, "with sync exact or approximate: images of each camera that wait", bounds=(1, 1000)
    )
    refine_memory: float = setting(
        20.0,
        "tracks kept for ~/refine, with extrinsics rig; about 2 kB an image; 0: none",
        unit="s",
        bounds=(0.0, 600.0),
    )
    refined_rig: str = setting(
        "", "path of the rig file that ~/refine writes; empty: the repaired rig is used only"
    )


@dataclass(frozen=True)
class FilterNodeSettings(StageSettings, FilterSettings):
    """Parameters of the liquid filter node."""

    primary: str = setting("oldest", "track of pose and path: oldest, nearest, or a track_id")
    track_slots: int = setting(0, "topics slot_<k>/pose and slot_<k>/path", bounds=(0, 16))
    orientation: str = setting(
        "identity",
        "of the poses: identity, or x along the motion",
        choices=("identity", "heading"),
    )
    path_length: int = setting(600, "poses kept in each path", bounds=(1, 100_000))
    prediction_rate: float = setting(
        0.0,
        "trajectories_predicted for a controller with a beat of its own; 0 for never",
        unit="Hz",
        bounds=(0.0, 1000.0),
    )


@dataclass(frozen=True)
class DescriptionNodeSettings(StageSettings, NarratorSettings):
    """Parameters of the description node."""

    backend: str = setting(
        "template",
        "what writes the words: name of a file in config/backends, or the path of one",
    )
    writer: WriterSettings = group(WriterSettings)
    verifier: VerifierSettings = group(VerifierSettings)
    questions: int = setting(
        8, "questions to ~/ask that may wait; one more is rejected", bounds=(1, 100)
    )
    sight: str = setting(
        "off",
        "facts: measure what the tracks look like in their crops, without a network",
        choices=("off", "facts"),
    )
    looks: SightSettings = group(SightSettings)
    cameras: tuple[str, ...] = setting(
        (), "with sight: names of the cameras whose crops are read, the reference camera first"
    )
    rig: str = setting("", "with sight: path of the rig file; empty: sizes are unknown")
    facts_frame: str = setting("", "z-up frame of the facts; empty: the world frame")
    up: tuple[float, ...] = setting(
        (), "up in the world frame (3 numbers); empty: z, unless it is an optical frame"
    )


@dataclass(frozen=True)
class PlayerSettings(StageSettings):
    """Parameters of the player node."""

    rig: str = setting("", "path of the rig file; empty: a synthetic stereo rig")
    videos: tuple[str, ...] = setting((), "camera=path for each video; empty: synthetic images")
    cameras: tuple[str, ...] = setting((), "cameras to play; empty: all of them")
    play_rate: float = setting(
        1.0, "recorded seconds per second, if the machine can", bounds=(0.01, 100.0)
    )
    loop: int = setting(
        1, "times to play, each a jump back in time; 0: until stopped", bounds=(0, 1_000_000)
    )
    repeat: int = setting(
        1, "plays forth and back this many times, with stamps that go on", bounds=(1, 1_000_000)
    )
    frame_rate: float = setting(
        30.0, "of synthetic images; videos keep their own", unit="Hz", bounds=(0.1, 1000.0)
    )
    duration: float = setting(
        4.0, "of one play of the synthetic rig", unit="s", bounds=(0.1, 100_000.0)
    )
    phases: tuple[float, ...] = setting(
        (), "delay of each camera in frame intervals; empty: synchronised"
    )
    stride: int = setting(1, "play every n-th frame of a video", bounds=(1, 100))
    motion: str = setting("circle", "of the synthetic object", choices=tuple(PATHS))
    prerender: bool = setting(False, "render the synthetic images before the first one is played")
    progress: bool = setting(False, "show a bar in the terminal")
    reliability: str = setting(
        "reliable",
        "of the images; the tracking node reads either",
        choices=("best_effort", "reliable"),
    )
    max_ahead: int = setting(
        0,
        "images of a camera without tracks after which it waits, so that none is lost on a slow"
        " machine; 0: never, as a camera; no more than the queues hold",
        bounds=(0, 5),
    )
    wait_for: tuple[str, ...] = setting((), "nodes without which the first image is not played")
    wait: float = setting(
        10.0,
        "longest wait for them and for a subscriber on every image topic",
        unit="s",
        bounds=(0.0, 600.0),
    )


@dataclass(frozen=True)
class ProbeSettings(StageSettings):
    """Parameters of the probe node."""

    cameras: tuple[str, ...] = setting((), "cameras whose images and tracks are counted")
    output: str = setting("", "path of the JSON written at the end; empty: the log")


@dataclass(frozen=True)
class RecorderSettings(StageSettings):
    """Parameters of the recorder node."""

    cameras: tuple[str, ...] = setting((), "cameras whose topics are recorded")
    output: str = setting("recording.mcap", "path of the MCAP file")
    images: bool = setting(False, "record images too; they are large")


NODES = {
    node.name: node
    for node in (
        NodeSpec(
            "tracking",
            "finds and follows moving objects in each camera",
            TrackingNodeSettings,
            ("{camera}/image_raw", "{camera}/detections", "{camera}/camera_info"),
            (
                "{camera}/tracks2d",
                "{camera}/crops",
                "tracking/debug/{camera}/tracks",
                "/diagnostics",
            ),
        ),
        NodeSpec(
            "triangulation",
            "locates the tracks of several cameras at a common time",
            TriangulationNodeSettings,
            ("{camera}/tracks2d", "{camera}/camera_info"),
            ("points3d", "/diagnostics"),
            services=("~/reset", "~/enable", "~/refine"),
        ),
        NodeSpec(
            "liquid_filter",
            "smooths, predicts and publishes the trajectories",
            FilterNodeSettings,
            ("points3d",),
            (
                "trajectories",
                "trajectories_lagged",
                "trajectories_predicted",
                "pose",
                "pose_with_covariance",
                "path",
                "markers",
                "slot_{slot}/pose",
                "slot_{slot}/path",
                "liquid_filter/debug/models",
                "/diagnostics",
            ),
        ),
        NodeSpec(
            "description",
            "measures facts about each trajectory and puts them into words",
            DescriptionNodeSettings,
            ("trajectories", "points3d", "{camera}/crops"),
            ("facts", "descriptions", "description_text", "/diagnostics"),
            actions=("~/ask",),
        ),
        NodeSpec(
            "player",
            "plays videos or a synthetic rig as cameras",
            PlayerSettings,
            ("{camera}/tracks2d",),
            (
                "{camera}/image_raw",
                "{camera}/camera_info",
                "/clock",
                "player/debug/published",
                "/diagnostics",
            ),
        ),
        NodeSpec(
            "probe",
            "measures the time from image to pose",
            ProbeSettings,
            ("player/debug/published", "{camera}/camera_info", "{camera}/tracks2d", "pose"),
            ("/diagnostics",),
        ),
        NodeSpec(
            "recorder",
            "writes the road's topics to an MCAP file",
            RecorderSettings,
            (
                "{camera}/camera_info",
                "{camera}/tracks2d",
                "points3d",
                "trajectories",
                "trajectories_lagged",
                "pose",
                "pose_with_covariance",
                "path",
                "facts",
                "descriptions",
                "description_text",
                "/diagnostics",
                "/clock",
            ),
            ("/diagnostics",),
        ),
    )
}
SERVICES = {
    "~/reset": ("std_srvs/srv/Trigger", "forgets everything seen and starts a new epoch"),
    "~/enable": ("std_srvs/srv/SetBool", "false: arriving messages are counted and not used"),
    "~/refine": (
        "std_srvs/srv/Trigger",
        "starts to repair the rig with the last tracks; the log and /diagnostics tell the result",
    ),
}
"""Name → type and what it does."""

ACTIONS = {
    "~/ask": (
        "liquid_mono3d/action/AskTrajectory",
        "answers a question about a track from its facts, piece by piece, or abstains",
    ),
}
"""Name → type and what it does."""

ROAD = ("tracking", "triangulation", "liquid_filter", "description")
"""The nodes of the pipeline, in the order of the data."""
