"""Detections → tracks of one camera: who is who from image to image.

Tracks are points with a pixel error, so a target of 6 px, whose boxes hardly ever overlap from one
image to the next, is tracked as well as a person.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.records import State, nanoseconds, seconds
from liquid_mono3d_ros.settings import Settings, setting
from liquid_mono3d_ros.tracking import motion
from liquid_mono3d_ros.tracking.association import assign, miss_cost, pair_up
from liquid_mono3d_ros.tracking.detection import Detections
from liquid_mono3d_ros.tracking.track_table import TrackTable, newborn

MANOEUVRE_ENDS = 0.1
"""Chance that a manoeuvre ends from one detection to the next."""

HIDES, RETURNS = 0.15, 3.0
"""How often in a second a thing in sight passes behind something, and a hidden one comes out
again, 1/s: what has not been seen for some images is hardly seen in this one, so a detection
somewhere near is likelier false."""


@dataclass(frozen=True)
class TrackerSettings(Settings):
    """How things move in the image and when they are believed."""

    process_noise: float = setting(
        30.0,
        "Velocity that a thing in steady motion gains at random in 1 s; in t seconds it is sqrt(t)"
        " times as much",
        unit="px/s^1.5",
        bounds=(0.1, 1e5),
    )
    manoeuvre_noise: float = setting(
        800.0,
        "The same while it turns, brakes or bounces; at least process_noise",
        unit="px/s^1.5",
        bounds=(0.1, 1e5),
    )
    manoeuvre_probability: float = setting(
        0.02,
        "Chance that a steady thing begins a manoeuvre from one detection to the next",
        bounds=(1e-6, 0.5),
    )
    birth_speed: float = setting(
        600.0,
        "One standard deviation of the velocity of a new track; larger for fast things seen"
        " close, smaller for crowds",
        unit="px/s",
        bounds=(1, 1e5),
    )
    gate_probability: float = setting(
        0.999, "Share of true pairs that the gate lets pass", bounds=(0.5, 0.999999)
    )
    detection_probability: float = setting(
        0.9, "Chance that a thing in the image is detected", bounds=(0.05, 0.999)
    )
    new_density: float = setting(
        1e-6,
        "New things and false detections in an image: 1e-6 is 2 in 1080x1920",
        unit="1/px^2",
        bounds=(1e-12, 1e-2),
    )
    birth_hits: int = setting(3, "Detections that confirm a track", bounds=(1, 5))
    birth_images: int = setting(5, "Images within which they must fall", bounds=(1, 5))
    coast_seconds: float = setting(
        1.0, "A track unseen for longer is deleted", unit="s", bounds=(0, 60)
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.manoeuvre_noise < self.process_noise:
            rule = f"at least process_noise, {self.process_noise:g} px/s^1.5"
            got = f"{self.manoeuvre_noise:g} px/s^1.5"
            raise ValueError(
                complain("manoeuvre_noise", rule, got, "Raise it or lower the other.")
            )
        if self.birth_hits > self.birth_images:
            rule = f"at most birth_images, {self.birth_images}"
            raise ValueError(
                complain("birth_hits", rule, str(self.birth_hits), "Lower it or raise the other.")
            )


class Tracker:
    """Remembers the tracks of one camera and updates them image by image.

    A new track is TENTATIVE. It is CONFIRMED by ``birth_hits`` detections within its first
    ``birth_images`` images and DELETED as soon as that is out of reach. A confirmed track without
    a detection is COASTING, and DELETED after ``coast_seconds``. A deleted track is returned once.
    """

    def __init__(self, settings: TrackerSettings) -> None:
        self.settings = settings
        self._noise = (settings.process_noise, settings.manoeuvre_noise)
        self._next_id = 1
        self.reset()

    def reset(self) -> None:
        """Forget every track; ids go on counting and none is used again."""
        self._stamp: int | None = None
        self._tracks = self._give_birth(Detections.none(), np.arange(0), 0)

    def update(self, detections: Detections, stamp: int) -> TrackTable:
        """Take in the detections of one image and return every track at its stamp.

        An image with the stamp of the one before is the same image again. It holds nothing new,
        so its detections are ignored and the tracks returned as they are.

        Args:
            detections: What was seen in the image.
            stamp: Of the image, ns, not before that of the last one.

        Raises:
            ValueError: If the stamp lies before the last one.
        """
        if stamp == self._stamp:
            return self._tracks
        tracks = self._predict(stamp)
        rows, columns = self._associate(tracks, detections, stamp)
        tracks = self._correct(tracks, rows, detections, columns, stamp)
        tracks = self._join_newborn(tracks, detections, columns, stamp)
        tracks = replace(tracks, state=self._judge(tracks, stamp))
        self._stamp = stamp
        alive = tracks.state != State.DELETED
        self._tracks = tracks if alive.all() else tracks.rows(np.flatnonzero(alive))
        return tracks

    def _predict(self, stamp: int) -> TrackTable:
        last = stamp if self._stamp is None else self._stamp
        if stamp < last:
            cure = "Call reset() when time jumps back."
            raise ValueError(complain("stamp", f"at least {last} ns", f"{stamp} ns", cure))
        tracks = self._tracks
        dt = seconds(stamp - last)
        moved = motion.predict(tracks.motion, dt, self._noise)
        usual = RETURNS / (HIDES + RETURNS)
        bbox = tracks.bbox.copy()
        bbox[:, :2] += (moved.mean[:2] - tracks.motion.mean[:2]).T
        return replace(
            tracks,
            motion=moved,
            bbox=bbox,
            visible=usual + (tracks.visible - usual) * math.exp(-(HIDES + RETURNS) * dt),
            measured=np.zeros(len(tracks), dtype=bool),
            num_images=tracks.num_images + 1,
        )

    def _associate(
        self, tracks: TrackTable, detections: Detections, stamp: int
    ) -> tuple[Array, Array]:
        settings = self.settings
        rows, columns, cost = pair_up(
            tracks.motion,
            detections.uv,
            detections.sigma_px,
            gate_probability=settings.gate_probability,
        )
        cost[self._expired(tracks, stamp)[rows]] = np.inf
        limit = miss_cost(settings.detection_probability * tracks.visible, settings.new_density)
        return assign((rows, columns, cost), limit)

    def _correct(
        self, tracks: TrackTable, rows: Array, detections: Detections, columns: Array, stamp: int
    ) -> TrackTable:
        """Update the tracks ``rows`` with the detections ``columns``."""
        uv, sigma_px = detections.uv.T.take(columns, axis=1), detections.sigma_px[columns]
        begins = self.settings.manoeuvre_probability
        corrected = motion.update(tracks.motion.rows(rows), uv, sigma_px, begins, MANOEUVRE_ENDS)
        class_id = np.array(detections.class_id, dtype=object)[columns]
        measured = _with(tracks.measured, rows, True)
        detected = self.settings.detection_probability * tracks.visible
        unseen = (tracks.visible - detected) / (1 - detected)
        return replace(
            tracks,
            motion=tracks.motion.replaced(rows, corrected),
            detected=_with(tracks.detected, rows, detections.uv[columns]),
            sigma_px=_with(tracks.sigma_px, rows, detections.sigma_px[columns]),
            bbox=_with(tracks.bbox, rows, detections.bbox[columns]),
            score=_with(tracks.score, rows, detections.score[columns]),
            class_id=_with(tracks.class_id, rows, class_id),
            visible=np.where(measured, 1.0, unseen),
            measured=measured,
            num_measured=tracks.num_measured + measured,
            last_measured=_with(tracks.last_measured, rows, stamp),
        )

    def _join_newborn(
        self, tracks: TrackTable, detections: Detections, taken: Array, stamp: int
    ) -> TrackTable:
        free = np.ones(len(detections), dtype=bool)
        free[taken] = False
        index = np.flatnonzero(free)
        if not index.size:
            return tracks
        return tracks.joined(self._give_birth(detections, index, stamp))

    def _give_birth(self, detections: Detections, index: Array, stamp: int) -> TrackTable:
        """Start a track for each detection that no track explains."""
        settings = self.settings
        born = motion.start(
            detections.uv[index].T,
            detections.sigma_px[index],
            settings.birth_speed,
            settings.manoeuvre_probability,
        )
        first_id, self._next_id = self._next_id, self._next_id + len(index)
        return newborn(detections, index, first_id, stamp, born)

    def _judge(self, tracks: TrackTable, stamp: int) -> Array:
        """Return the state of each track after the image, (N,) uint8."""
        settings = self.settings
        num_missed = tracks.num_images - tracks.num_measured
        confirmed = tracks.state != State.TENTATIVE
        hopeless = ~confirmed & (num_missed > settings.birth_images - settings.birth_hits)
        confirmed |= tracks.num_measured >= settings.birth_hits
        state = np.full(len(tracks), State.COASTING, dtype=np.uint8)
        state[tracks.measured] = State.CONFIRMED
        state[~confirmed] = State.TENTATIVE
        state[hopeless | self._expired(tracks, stamp)] = State.DELETED
        return state

    def _expired(self, tracks: TrackTable, stamp: int) -> Array:
        longest = nanoseconds(self.settings.coast_seconds)
        return np.asarray(~tracks.measured & (stamp - tracks.last_measured > longest))


def _with(column: Array, rows: Array, values: object) -> Array:
    """Return the column with new values in some rows."""
    changed = column.copy()
    changed[rows] = values
    return changed
