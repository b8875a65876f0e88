"""Detections → tracks of one camera: who is who from image to image.

Tracks are points with a pixel error, so a target of 6 px, whose boxes hardly ever overlap from one
image to the next, is tracked as well as a person.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.records import State, nanoseconds, seconds
from liquid_mono3d_ros.settings import Settings, setting
from liquid_mono3d_ros.tracking import kalman
from liquid_mono3d_ros.tracking.association import assign, likelihood_cost, miss_cost
from liquid_mono3d_ros.tracking.detection import Detections
from liquid_mono3d_ros.tracking.track_table import TrackTable, newborn


@dataclass(frozen=True)
class TrackerSettings(Settings):
    """How things move in the image and when they are believed."""

    process_noise: float = setting(
        400.0,
        "Velocity gained at random in 1 s; in t seconds it is sqrt(t) times as much",
        unit="px/s^1.5",
        bounds=(0.1, 1e5),
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
        self._next_id = 1
        self.reset()

    def reset(self) -> None:
        """Forget every track; ids go on counting and none is used again."""
        self._stamp: int | None = None
        self._tracks = newborn(Detections.none(), self._next_id, 0, self.settings.birth_speed)

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
        tracks = _correct(tracks, rows, detections, columns, stamp)
        tracks = tracks.joined(self._give_birth(detections, columns, stamp))
        tracks = replace(tracks, state=self._judge(tracks, stamp))
        self._stamp = stamp
        self._tracks = tracks.rows(tracks.state != State.DELETED)
        return tracks

    def _predict(self, stamp: int) -> TrackTable:
        last = stamp if self._stamp is None else self._stamp
        if stamp < last:
            cure = "Call reset() when time jumps back."
            raise ValueError(complain("stamp", f"at least {last} ns", f"{stamp} ns", cure))
        tracks = self._tracks
        dt = np.full(len(tracks), seconds(stamp - last))
        x, P = kalman.predict(tracks.x, tracks.P, dt, self.settings.process_noise)
        bbox = tracks.bbox.copy()
        bbox[:, :2] += x[:, :2] - tracks.x[:, :2]
        return replace(
            tracks,
            x=x,
            P=P,
            bbox=bbox,
            measured=np.zeros(len(tracks), dtype=bool),
            num_images=tracks.num_images + 1,
        )

    def _associate(
        self, tracks: TrackTable, detections: Detections, stamp: int
    ) -> tuple[Array, Array]:
        settings = self.settings
        cost = likelihood_cost(
            tracks.x[:, :2],
            tracks.P[:, :2, :2],
            detections.uv,
            detections.sigma_px,
            gate_probability=settings.gate_probability,
        )
        cost[self._expired(tracks, stamp)] = np.inf
        return assign(cost, miss_cost(settings.detection_probability, settings.new_density))

    def _judge(self, tracks: TrackTable, stamp: int) -> Array:
        """Return the state of each track after the image, (N,) uint8."""
        settings = self.settings
        num_missed = tracks.num_images - tracks.num_measured
        confirmed = tracks.state != State.TENTATIVE
        hopeless = ~confirmed & (num_missed > settings.birth_images - settings.birth_hits)
        confirmed |= tracks.num_measured >= settings.birth_hits
        state = np.where(tracks.measured, State.CONFIRMED, State.COASTING)
        state[~confirmed] = State.TENTATIVE
        state[hopeless | self._expired(tracks, stamp)] = State.DELETED
        return state.astype(np.uint8)

    def _expired(self, tracks: TrackTable, stamp: int) -> Array:
        longest = nanoseconds(self.settings.coast_seconds)
        return np.asarray(~tracks.measured & (stamp - tracks.last_measured > longest))

    def _give_birth(self, detections: Detections, taken: Array, stamp: int) -> TrackTable:
        free = np.ones(len(detections), dtype=bool)
        free[taken] = False
        unexplained = detections.rows(np.flatnonzero(free))
        born = newborn(unexplained, self._next_id, stamp, self.settings.birth_speed)
        self._next_id += len(born)
        return born


def _correct(
    tracks: TrackTable, rows: Array, detections: Detections, columns: Array, stamp: int
) -> TrackTable:
    """Update the tracks ``rows`` with the detections ``columns``."""
    x, P, bbox = tracks.x.copy(), tracks.P.copy(), tracks.bbox.copy()
    score, class_id = tracks.score.copy(), tracks.class_id.copy()
    measured, last_measured = tracks.measured.copy(), tracks.last_measured.copy()
    x[rows], P[rows] = kalman.update(
        x[rows], P[rows], detections.uv[columns], detections.sigma_px[columns]
    )
    bbox[rows] = detections.bbox[columns]
    score[rows] = detections.score[columns]
    class_id[rows] = np.array(detections.class_id, dtype=object)[columns]
    measured[rows] = True
    last_measured[rows] = stamp
    return replace(
        tracks,
        x=x,
        P=P,
        bbox=bbox,
        score=score,
        class_id=class_id,
        measured=measured,
        last_measured=last_measured,
        num_measured=tracks.num_measured + measured,
    )
