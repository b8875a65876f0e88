"""The live tracks of one camera as arrays, one row each."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.records import State, Tracks2D
from liquid_mono3d_ros.tracking import kalman
from liquid_mono3d_ros.tracking.detection import Detections
from liquid_mono3d_ros.tracking.motion import Motion


@dataclass(frozen=True)
class TrackTable:
    """N tracks at the stamp of one image, in the order of their birth.

    Attributes:
        track_id: (N,) uint64.
        motion: Where they are and how they move.
        detected: Pixel of the newest detection, (N, 2) px.
        sigma_px: One standard deviation of it, (N,) px.
        bbox: Left, top, width, height, (N, 4) px; NaN when the detector gives none. Between
            detections it moves with the track.
        score: Of the newest detection, (N,); NaN when the detector gives none.
        class_id: Of the newest detection, (N,) of words.
        state: (N,) uint8, values of ``records.State``.
        visible: Probability that it is not hidden behind something, (N,).
        measured: Whether a detection of this image updated the track, (N,) bool.
        num_images: Since birth, that of the birth included, (N,).
        num_measured: Those with a detection, (N,).
        last_measured: Stamp of the newest detection, (N,) int64 ns.
    """

    track_id: Array
    motion: Motion
    detected: Array
    sigma_px: Array
    bbox: Array
    score: Array
    class_id: Array
    state: Array
    visible: Array
    measured: Array
    num_images: Array
    num_measured: Array
    last_measured: Array

    def __len__(self) -> int:
        return len(self.track_id)

    @property
    def x(self) -> Array:
        """Expected pixel and velocity, (N, 4) px, px/s."""
        return self.motion.mean.T

    @cached_property
    def P(self) -> Array:
        """Covariance of ``x``, (N, 4, 4)."""
        return kalman.full_covariance(self.motion.variance)

    @property
    def velocity(self) -> Array:
        """(N, 2) px/s; NaN for a track measured only once, whose velocity is unknown."""
        return np.where(self.num_measured[:, None] >= 2, self.x[:, 2:], np.nan)

    def record(
        self, camera: str, stamp: int, size: tuple[int, int], epoch: int, frame_id: str = ""
    ) -> Tracks2D:
        """Return the tracks as they travel on.

        A track measured in this image is where its detection is, with the detection's own error:
        that is independent from image to image, as a filter over the points expects. The
        smoothed state lags behind a turn; it serves to pair, and to bridge what is not seen.

        Args:
            camera: Its name.
            stamp: Of the image, ns.
            size: Width and height of the image, px.
            epoch: Of the camera's tracker.
            frame_id: The camera's optical frame.
        """
        own = np.square(self.sigma_px)[:, None, None] * np.eye(2)
        return Tracks2D(
            camera=camera,
            stamp=stamp,
            width=size[0],
            height=size[1],
            epoch=epoch,
            track_id=self.track_id,
            uv=np.where(self.measured[:, None], self.detected, self.x[:, :2]),
            covariance=np.where(self.measured[:, None, None], own, self.P[:, :2, :2]),
            velocity=self.velocity,
            bbox=self.bbox,
            score=self.score,
            state=self.state,
            measured=self.measured,
            class_id=tuple(self.class_id),
            frame_id=frame_id,
        )

    def rows(self, index: Array) -> TrackTable:
        """Return the tracks at the indices."""
        chosen = {name: getattr(self, name).take(index, axis=0) for name in COLUMNS}
        return TrackTable(motion=self.motion.rows(index), **chosen)

    def joined(self, other: TrackTable) -> TrackTable:
        """Return the tracks of both tables."""
        both = {n: np.concatenate([getattr(self, n), getattr(other, n)]) for n in COLUMNS}
        return TrackTable(motion=self.motion.joined(other.motion), **both)


COLUMNS = tuple(field.name for field in fields(TrackTable) if field.name != "motion")
"""What is one array each."""


def newborn(
    detections: Detections, index: Array, first_id: int, stamp: int, born: Motion
) -> TrackTable:
    """Start one track per detection, with ids counting up from ``first_id``.

    Args:
        detections: Of the image.
        index: Those that no other track explains, (N,).
        first_id: Id of the first of them.
        stamp: Of the image, ns.
        born: Their motion, N tracks.
    """
    n = len(index)
    return TrackTable(
        track_id=np.arange(first_id, first_id + n, dtype=np.uint64),
        motion=born,
        detected=detections.uv[index],
        sigma_px=detections.sigma_px[index],
        bbox=detections.bbox[index],
        score=detections.score[index],
        class_id=np.array(detections.class_id, dtype=object)[index],
        state=np.full(n, State.TENTATIVE, dtype=np.uint8),
        visible=np.ones(n),
        measured=np.ones(n, dtype=bool),
        num_images=np.ones(n, dtype=np.int64),
        num_measured=np.ones(n, dtype=np.int64),
        last_measured=np.full(n, stamp, dtype=np.int64),
    )
