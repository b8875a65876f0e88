"""The live tracks of one camera as arrays, one row each."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.records import State
from liquid_mono3d_ros.tracking import kalman
from liquid_mono3d_ros.tracking.detection import Detections


@dataclass(frozen=True)
class TrackTable:
    """N tracks at the stamp of one image, in the order of their birth.

    Attributes:
        track_id: (N,) uint64.
        x: State of the Kalman filter, (N, 4) px, px/s.
        P: Its covariance, (N, 4, 4).
        bbox: Left, top, width, height, (N, 4) px; NaN when the detector gives none. Between
            detections it moves with the track.
        score: Of the newest detection, (N,); NaN when the detector gives none.
        class_id: Of the newest detection, (N,) of words.
        state: (N,) uint8, values of ``records.State``.
        measured: Whether a detection of this image updated the track, (N,) bool.
        num_images: Since birth, that of the birth included, (N,).
        num_measured: Those with a detection, (N,).
        last_measured: Stamp of the newest detection, (N,) int64 ns.
    """

    track_id: Array
    x: Array
    P: Array
    bbox: Array
    score: Array
    class_id: Array
    state: Array
    measured: Array
    num_images: Array
    num_measured: Array
    last_measured: Array

    def __len__(self) -> int:
        return len(self.track_id)

    @property
    def velocity(self) -> Array:
        """(N, 2) px/s; NaN for a track measured only once, whose velocity is unknown."""
        return np.where(self.num_measured[:, None] >= 2, self.x[:, 2:], np.nan)

    def rows(self, index: Array) -> TrackTable:
        """Return the tracks that a mask or indices select."""
        return TrackTable(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def joined(self, other: TrackTable) -> TrackTable:
        """Return the tracks of both tables."""
        columns = {
            f.name: np.concatenate([getattr(self, f.name), getattr(other, f.name)])
            for f in fields(self)
        }
        return TrackTable(**columns)


def newborn(detections: Detections, first_id: int, stamp: int, speed: float) -> TrackTable:
    """Start one track per detection, with ids counting up from ``first_id``.

    Args:
        detections: What no other track explains.
        first_id: Id of the first of them.
        stamp: Of the image, ns.
        speed: One standard deviation of each component of the unknown velocity, px/s.
    """
    n = len(detections)
    x, P = kalman.start(detections.uv, detections.sigma_px, speed)
    return TrackTable(
        track_id=np.arange(first_id, first_id + n, dtype=np.uint64),
        x=x,
        P=P,
        bbox=detections.bbox,
        score=detections.score,
        class_id=np.array(detections.class_id, dtype=object),
        state=np.full(n, State.TENTATIVE, dtype=np.uint8),
        measured=np.ones(n, dtype=bool),
        num_images=np.ones(n, dtype=np.int64),
        num_measured=np.ones(n, dtype=np.int64),
        last_measured=np.full(n, stamp, dtype=np.int64),
    )
