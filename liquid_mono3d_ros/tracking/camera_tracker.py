"""The whole folder for one camera: Frame → Tracks2D."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.records import Frame, Tracks2D
from liquid_mono3d_ros.settings import Settings, group, setting
from liquid_mono3d_ros.tracking.background import BackgroundSettings, BackgroundSubtractor
from liquid_mono3d_ros.tracking.colour import ColourSettings, detect_colour
from liquid_mono3d_ros.tracking.detection import Detections
from liquid_mono3d_ros.tracking.track_table import TrackTable
from liquid_mono3d_ros.tracking.tracker import Tracker, TrackerSettings


@dataclass(frozen=True)
class TrackingSettings(Settings):
    """Settings of tracking."""

    detector: str = setting(
        "background",
        "background: whatever moves before a fixed camera; colour: things of one colour, the"
        " camera may move",
        choices=("background", "colour"),
    )
    colour: ColourSettings = group(ColourSettings)
    background: BackgroundSettings = group(BackgroundSettings)
    tracker: TrackerSettings = group(TrackerSettings)


class CameraTracker:
    """Remembers the background and the tracks of one camera.

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
        self._background: BackgroundSubtractor | None = None
        if settings.detector == "background":
            path = settings.background.background_image.replace("{camera}", camera)
            self._background = BackgroundSubtractor(
                replace(settings.background, background_image=path)
            )
        self._last: Frame | None = None

    def reset(self) -> None:
        """Forget the background and every track, and begin a new epoch.

        Tracks of the old epoch are not sent as DELETED: its end is theirs.
        """
        self.epoch += 1
        self._tracker.reset()
        if self._background is not None:
            self._background.reset()
        self._last = None

    def update(self, frame: Frame) -> Tracks2D:
        """Return every track of the camera in this image; also when there is none.

        Raises:
            ValueError: If the frame is of another camera.
        """
        if frame.camera != self.camera:
            cure = "Keep one CameraTracker per camera."
            raise ValueError(complain("frame.camera", repr(self.camera), repr(frame.camera), cure))
        event = self._compare_with_last(frame)
        if event:
            self.events[event] += 1
        if event in ("backward_stamp", "image_size"):
            self.reset()
        repeated = event == "repeated_stamp"
        detections = Detections.none() if repeated else self._detect(frame.image)
        tracks = self._tracker.update(detections, frame.stamp)
        self._last = frame
        return _to_record(tracks, frame, self.epoch)

    def _compare_with_last(self, frame: Frame) -> str:
        """Return the name of what is unusual about the frame after the last one, or nothing."""
        if self._last is None:
            return ""
        if frame.stamp < self._last.stamp:
            return "backward_stamp"
        if frame.image.shape != self._last.image.shape:
            return "image_size"
        return "repeated_stamp" if frame.stamp == self._last.stamp else ""

    def _detect(self, image: Array) -> Detections:
        if self._background is not None:
            return self._background.detect(image)
        return detect_colour(image, self.settings.colour)


def _to_record(tracks: TrackTable, frame: Frame, epoch: int) -> Tracks2D:
    height, width = frame.image.shape[:2]
    return Tracks2D(
        camera=frame.camera,
        stamp=frame.stamp,
        width=width,
        height=height,
        epoch=epoch,
        track_id=tracks.track_id,
        uv=tracks.x[:, :2],
        covariance=tracks.P[:, :2, :2],
        velocity=tracks.velocity,
        bbox=tracks.bbox,
        score=tracks.score,
        state=tracks.state,
        measured=tracks.measured,
        class_id=tuple(tracks.class_id),
        frame_id=frame.frame_id,
    )
