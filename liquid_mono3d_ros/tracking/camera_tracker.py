"""The whole folder for one camera: Frame → Tracks2D."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.records import Frame, Tracks2D
from liquid_mono3d_ros.settings import Settings, group, setting
from liquid_mono3d_ros.tracking.background import BackgroundSettings, BackgroundSubtractor
from liquid_mono3d_ros.tracking.colour import ColourDetector, ColourSettings
from liquid_mono3d_ros.tracking.detection import Detections, Detector, TopicSettings
from liquid_mono3d_ros.tracking.flow import FlowDetector, FlowSettings
from liquid_mono3d_ros.tracking.network import NetworkDetector, OnnxSettings
from liquid_mono3d_ros.tracking.tracker import Tracker, TrackerSettings

TOPIC = "topic"
"""The detector that is another program: its detections come ready."""


@dataclass(frozen=True)
class TrackingSettings(Settings):
    """Settings of tracking."""

    detector: str = setting(
        "background",
        "background: whatever moves before a fixed camera; colour: things of one colour; flow:"
        " what moves unlike the scene; onnx: what a network knows; topic: what another node"
        " detects. All but background let the camera move",
        choices=("background", "colour", "flow", "onnx", TOPIC),
    )
    background: BackgroundSettings = group(BackgroundSettings)
    colour: ColourSettings = group(ColourSettings)
    flow: FlowSettings = group(FlowSettings)
    onnx: OnnxSettings = group(OnnxSettings)
    topic: TopicSettings = group(TopicSettings)
    tracker: TrackerSettings = group(TrackerSettings)


def _subtractor(settings: TrackingSettings, camera: str) -> Detector:
    path = settings.background.background_image.replace("{camera}", camera)
    return BackgroundSubtractor(replace(settings.background, background_image=path))


DETECTORS: dict[str, Callable[[TrackingSettings, str], Detector]] = {
    "background": _subtractor,
    "colour": lambda settings, camera: ColourDetector(settings.colour),
    "flow": lambda settings, camera: FlowDetector(settings.flow),
    "onnx": lambda settings, camera: NetworkDetector(settings.onnx),
}
"""What looks at images: detector → how it is made for a camera."""

Size = tuple[int, int]
"""Width and height of an image, px."""


class CameraTracker:
    """Remembers the tracks of one camera, and what its detector remembers.

    Attributes:
        camera: Its name in the rig.
        settings: Settings of tracking.
        epoch: Starts at 0, one more after every reset.
        events: How often what was unusual happened: ``backward_stamp`` and ``image_size``, each
            with a reset, and ``repeated_stamp``, an image that came twice and was used once.
    """

    def __init__(self, camera: str, settings: TrackingSettings) -> None:
        self.camera = camera
        self.settings = settings
        self.epoch = 0
        self.events: Counter[str] = Counter()
        self._tracker = Tracker(settings.tracker)
        self._detector: Detector | None = None
        if settings.detector != TOPIC:
            self._detector = DETECTORS[settings.detector](settings, camera)
        self._last: tuple[int, Size] | None = None

    def reset(self) -> None:
        """Forget the images and every track, and begin a new epoch.

        Tracks of the old epoch are not sent as DELETED: its end is theirs.
        """
        self.epoch += 1
        self._tracker.reset()
        if self._detector is not None:
            self._detector.reset()
        self._last = None

    def update(self, frame: Frame) -> Tracks2D:
        """Return every track of the camera in this image; also when there is none.

        Raises:
            ValueError: If the frame is of another camera, or detections come from a topic.
        """
        if frame.camera != self.camera:
            cure = "Keep one CameraTracker per camera."
            raise ValueError(complain("frame.camera", repr(self.camera), repr(frame.camera), cure))
        if self._detector is None:
            rule, cure = f"one of {', '.join(DETECTORS)}", "Or call update_detections."
            raise ValueError(complain("detector, to look at images,", rule, repr(TOPIC), cure))
        height, width = frame.image.shape[:2]
        fresh = self._admit(frame.stamp, (width, height))
        detections = self._detector.detect(frame.image) if fresh else Detections.none()
        return self._track(detections, frame.stamp, (width, height), frame.frame_id)

    def update_detections(
        self, detections: Detections, stamp: int, size: Size, *, frame_id: str = ""
    ) -> Tracks2D:
        """Return every track of the camera, given what another program saw in an image.

        Args:
            detections: What was seen.
            stamp: Of the image, ns.
            size: Width and height of the image, px.
            frame_id: The camera's optical frame.
        """
        self._admit(stamp, size)
        return self._track(detections, stamp, size, frame_id)

    def _admit(self, stamp: int, size: Size) -> bool:
        """Count what is unusual about an image, reset where it must; return whether it is new."""
        event = self._compare_with_last(stamp, size)
        if event:
            self.events[event] += 1
        if event in ("backward_stamp", "image_size"):
            self.reset()
        return event != "repeated_stamp"

    def _compare_with_last(self, stamp: int, size: Size) -> str:
        """Return the name of what is unusual about an image after the last one, or nothing."""
        if self._last is None:
            return ""
        last_stamp, last_size = self._last
        if stamp < last_stamp:
            return "backward_stamp"
        if size != last_size:
            return "image_size"
        return "repeated_stamp" if stamp == last_stamp else ""

    def _track(self, detections: Detections, stamp: int, size: Size, frame_id: str) -> Tracks2D:
        tracks = self._tracker.update(detections, stamp)
        self._last = stamp, size
        return tracks.record(self.camera, stamp, size, self.epoch, frame_id)
