"""Whose crop is this? Crops × sightings of the points → what each track looks like."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from liquid_mono3d_ros.geometry.rig import Rig
from liquid_mono3d_ros.language.appearance import (
    Appearance,
    AppearanceSettings,
    judge_appearance,
)
from liquid_mono3d_ros.language.silhouette import Glance, glance
from liquid_mono3d_ros.records import Points3D, nanoseconds, seconds
from liquid_mono3d_ros.settings import Settings, group, setting
from liquid_mono3d_ros.tracking.crops import Crop

TRACKS = 64
"""Most tracks whose crops are kept, and most 2D tracks whose crops wait."""


@dataclass(frozen=True)
class SightSettings(Settings):
    """Which crops are kept and looked at."""

    period: float = setting(
        0.06, "shortest time between two crops of a track", unit="s", bounds=(0.0, 10.0)
    )
    memory: int = setting(
        60, "crops of a track that its appearance rests on; 12 kB each", bounds=(8, 1000)
    )
    waiting: int = setting(
        10, "crops of a 2D track that wait until a point says whose they are", bounds=(1, 100)
    )
    patience: float = setting(
        0.5,
        "unseen this long by the camera of its crops, a track is followed by another",
        unit="s",
        bounds=(0.0, 60.0),
    )
    appearance: AppearanceSettings = group(AppearanceSettings)


@dataclass
class _Track:
    """What is kept of one track: the camera of its crops, and the last of them."""

    memory: int
    camera: str = ""
    seen: int = 0
    newest: int | None = None
    crops: deque[Crop] = field(init=False)
    glances: deque[Glance | None] = field(init=False)

    def __post_init__(self) -> None:
        self.crops = deque(maxlen=self.memory)
        self.glances = deque(maxlen=self.memory)


class TrackSight:
    """Remembers the last crops of each track and what they show.

    A crop tells its 2D track; the sightings of a point tell which 2D tracks are one object. So a
    crop waits for the next point that names its 2D track. A track is followed by the crops of one
    camera: the reference camera, or another one while that one does not see it.

    Args:
        cameras: Names; the first is the reference.
        settings: Which crops are kept.
        rig: In whose world the points are; without it no size is known.
    """

    def __init__(
        self,
        cameras: tuple[str, ...],
        settings: SightSettings | None = None,
        rig: Rig | None = None,
    ) -> None:
        self.cameras = cameras
        self.settings = settings or SightSettings()
        self.rig = rig
        self.counts: Counter[str] = Counter()
        self.milliseconds = 0.0
        """Processor time to look at one crop, averaged."""
        self._epochs: dict[str, int] = {}
        self.reset()

    def reset(self) -> None:
        """Forget every track."""
        self._tracks: OrderedDict[int, _Track] = OrderedDict()
        self._waiting: OrderedDict[tuple[str, int], deque[Crop]] = OrderedDict()
        self._origin: int | None = None

    def forget(self, track_id: int) -> None:
        """Forget one track."""
        self._tracks.pop(track_id, None)

    def add_crops(self, crops: list[Crop], camera: str, epoch: int) -> None:
        """Take the crops of one image; a new epoch of the camera numbers its tracks anew."""
        if self._epochs.setdefault(camera, epoch) != epoch:
            self._epochs[camera] = epoch
            for key in [key for key in self._waiting if key[0] == camera]:
                del self._waiting[key]
        for crop in crops:
            key = crop.camera, crop.track2d_id
            queue = self._waiting.setdefault(key, deque(maxlen=self.settings.waiting))
            if len(queue) == self.settings.waiting:
                self.counts["unclaimed_crops"] += 1
            queue.append(crop)
            self._waiting.move_to_end(key)
        while len(self._waiting) > TRACKS * max(len(self.cameras), 1):
            self.counts["unclaimed_crops"] += len(self._waiting.popitem(last=False)[1])

    def add_points(self, points: Points3D) -> None:
        """Give the crops that wait to the tracks whose points name them."""
        for row, track_id in enumerate(points.track_id):
            track = self._track(int(track_id))
            ids = {one.camera: one.track2d_id for one in points.sightings[row]}
            self._choose_camera(track, ids, points.stamp)
            for camera, track2d_id in ids.items():
                queue = self._waiting.pop((camera, track2d_id), ())
                if camera == track.camera:
                    for crop in self._spaced(track, queue):
                        self._look(track, crop, points, row)

    def appearance(self, track_id: int) -> Appearance:
        """Say what the kept crops of a track agree on."""
        track = self._tracks.get(track_id)
        if track is None:
            return Appearance()
        return judge_appearance(track.glances, self.settings.appearance)

    def crops(self, track_id: int) -> tuple[Crop, ...]:
        """Return the kept crops of a track, oldest first."""
        track = self._tracks.get(track_id)
        return () if track is None else tuple(track.crops)

    def _track(self, track_id: int) -> _Track:
        if track_id not in self._tracks:
            self._tracks[track_id] = _Track(self.settings.memory)
            if len(self._tracks) > TRACKS:
                self._tracks.popitem(last=False)
                self.counts["forgotten_tracks"] += 1
        self._tracks.move_to_end(track_id)
        return self._tracks[track_id]

    def _choose_camera(self, track: _Track, ids: dict[str, int], stamp: int) -> None:
        """Stay with a camera as long as it sees the track, else prefer the reference."""
        if track.camera in ids:
            track.seen = stamp
        elif not track.camera or stamp - track.seen > nanoseconds(self.settings.patience):
            seeing = [name for name in self.cameras if name in ids]
            track.camera, track.seen = next(iter(seeing), ""), stamp

    def _spaced(self, track: _Track, queue: deque[Crop] | tuple[()]) -> Iterator[Crop]:
        for crop in queue:
            gap = nanoseconds(self.settings.period)
            if track.newest is None or crop.stamp - track.newest >= gap:
                track.newest = crop.stamp
                yield crop

    def _look(self, track: _Track, crop: Crop, points: Points3D, row: int) -> None:
        start = time.thread_time()
        self._origin = crop.stamp if self._origin is None else self._origin
        metres, sigma = self._metres(crop, points, row)
        track.crops.append(crop)
        track.glances.append(glance(crop.rgb, seconds(crop.stamp - self._origin), metres, sigma))
        self.milliseconds += 0.1 * (1e3 * (time.thread_time() - start) - self.milliseconds)

    def _metres(self, crop: Crop, points: Points3D, row: int) -> tuple[float, float]:
        """Return the side of the window at the object's distance and its sigma, m, or NaN."""
        if self.rig is None or crop.camera not in self.rig.cameras:
            return np.nan, np.nan
        camera = self.rig.cameras[crop.camera]
        ahead = camera.R_cw[2]
        depth = float(ahead @ points.xyz[row] + camera.t_cw[2])
        if not depth > 0:  # NaN for a bearing
            return np.nan, np.nan
        covariance = points.covariance[row] + np.nan_to_num(points.systematic_covariance[row])
        sigma = float(np.sqrt(max(ahead @ covariance @ ahead, 0.0)))
        scale = crop.side_px / float(np.sqrt(camera.K[0, 0] * camera.K[1, 1]))
        return scale * depth, scale * sigma
