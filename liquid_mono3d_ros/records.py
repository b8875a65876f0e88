"""The nouns that travel: Frame → Tracks2D → Points3D → Trajectories → Facts → Description.

Stamps are integers, nanoseconds, and are copied unchanged from measurement to output. Mathematics
sees seconds only as differences: ``seconds(stamp - origin)``. Unknown is NaN or empty, never 0 or
−1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag

import numpy as np

from liquid_mono3d_ros.checks import Array, check_shape, complain

SECOND = 1_000_000_000
"""Nanoseconds in a second."""


def seconds(difference: int) -> float:
    """Return a difference of two stamps in seconds."""
    return difference / SECOND


def nanoseconds(difference: float) -> int:
    """Return a duration in seconds as a difference of stamps."""
    return round(difference * SECOND)


class State(IntEnum):
    """Life of a track; values as in the messages."""

    TENTATIVE = 1
    CONFIRMED = 2
    COASTING = 3
    DELETED = 4


class Kind(IntEnum):
    """What is known of a point; values as in ``Point3D``."""

    POINT = 1
    BEARING = 2


class FilterKind(IntEnum):
    """Which filter made an estimate; values as in ``Trajectory``."""

    CV = 1
    IMM = 2
    LIQUID = 3


class Health(IntFlag):
    """What was wrong with an estimate; values as in ``Trajectory``."""

    GOOD = 0
    GATED = 1
    EXTRAPOLATED = 2
    BEARING_ONLY = 4
    REINITIALISED = 8
    FALLBACK = 16


@dataclass(frozen=True)
class Frame:
    """An image with its stamp.

    Attributes:
        camera: Name of the camera in the rig.
        stamp: Time of the exposure, ns.
        image: Pixels, (H, W, 3) uint8 in BGR order.
        frame_id: The camera's optical frame.
    """

    camera: str
    stamp: int
    image: Array
    frame_id: str = ""

    def __post_init__(self) -> None:
        check_shape("image", self.image, ("H", "W", 3))
        if self.image.dtype != np.uint8:
            raise TypeError(
                complain("image", "uint8", str(self.image.dtype), "Convert it to bgr8.")
            )


@dataclass(frozen=True)
class Tracks2D:
    """Every track of one camera in one image; N tracks, raw pixels.

    Attributes:
        camera: Name of the camera in the rig.
        stamp: Stamp of the image, ns.
        width: Image width, px.
        height: Image height, px.
        epoch: Starts at 0, one more after every reset.
        track_id: (N,) uint64, unique within the camera and epoch.
        uv: (N, 2) px.
        covariance: Of ``uv``, (N, 2, 2) px².
        velocity: Of ``uv``, (N, 2) px/s; NaN until it is known.
        bbox: Left, top, width, height, (N, 4) px; NaN when the detector gives none.
        score: (N,), 0 to 1; NaN when the detector gives none.
        state: (N,) uint8, values of ``State``.
        measured: (N,) bool, whether a detection of this image updated the track.
        class_id: One word per track; empty when the detector gives none.
        frame_id: The camera's optical frame.
    """

    camera: str
    stamp: int
    width: int
    height: int
    epoch: int
    track_id: Array
    uv: Array
    covariance: Array
    velocity: Array
    bbox: Array
    score: Array
    state: Array
    measured: Array
    class_id: tuple[str, ...]
    frame_id: str = ""

    def __post_init__(self) -> None:
        n = check_shape("track_id", self.track_id, ("N",))["N"]
        check_shape("uv", self.uv, (n, 2))
        check_shape("covariance", self.covariance, (n, 2, 2))
        check_shape("velocity", self.velocity, (n, 2))
        check_shape("bbox", self.bbox, (n, 4))
        for name in ("score", "state", "measured"):
            check_shape(name, getattr(self, name), (n,))

    def __len__(self) -> int:
        return len(self.track_id)


@dataclass(frozen=True)
class Sighting:
    """What one camera contributed to a point.

    Attributes:
        camera: Name of the camera in the rig.
        track2d_id: The 2D track in that camera.
        stamp: Of the newest image of that camera that was used, ns.
        residual_px: Measured minus projected, (2,) px; NaN when not computed.
        measured: False when the 2D track was extrapolated to the point's stamp.
    """

    camera: str
    track2d_id: int
    stamp: int
    residual_px: Array
    measured: bool


@dataclass(frozen=True)
class Points3D:
    """Every located object at one instant; N objects, world frame.

    Attributes:
        stamp: Stamp of the reference camera's image, ns.
        frame_id: The world frame.
        epoch: Starts at 0, one more after every reset.
        track_id: (N,) uint64, unique within the epoch.
        kind: (N,) uint8, values of ``Kind``.
        xyz: (N, 3) m; NaN for a bearing.
        covariance: By white pixel noise, (N, 3, 3) m²; NaN for a bearing.
        systematic_covariance: By calibration and clock errors, which do not average out,
            (N, 3, 3) m²; NaN when unknown.
        ray_origin: Camera centre, (N, 3) m; NaN for a point.
        ray_direction: Unit vector from the camera, (N, 3); NaN for a point.
        ray_covariance: Of the two angles across the ray, (N, 2, 2) rad²; NaN for a point.
        reprojection_error_px: Root mean square over the views, (N,) px; NaN for a bearing.
        parallax_rad: Largest angle between two rays, (N,) rad; NaN for a bearing.
        sightings: One tuple per object.
    """

    stamp: int
    frame_id: str
    epoch: int
    track_id: Array
    kind: Array
    xyz: Array
    covariance: Array
    systematic_covariance: Array
    ray_origin: Array
    ray_direction: Array
    ray_covariance: Array
    reprojection_error_px: Array
    parallax_rad: Array
    sightings: tuple[tuple[Sighting, ...], ...]

    def __post_init__(self) -> None:
        n = check_shape("track_id", self.track_id, ("N",))["N"]
        for name in ("xyz", "ray_origin", "ray_direction"):
            check_shape(name, getattr(self, name), (n, 3))
        for name in ("covariance", "systematic_covariance"):
            check_shape(name, getattr(self, name), (n, 3, 3))
        check_shape("ray_covariance", self.ray_covariance, (n, 2, 2))
        for name in ("kind", "reprojection_error_px", "parallax_rad"):
            check_shape(name, getattr(self, name), (n,))

    def __len__(self) -> int:
        return len(self.track_id)


@dataclass(frozen=True)
class Prediction:
    """Where a track will be ``after`` nanoseconds: xyz (3,) m, covariance (3, 3) m²."""

    after: int
    xyz: Array
    covariance: Array


@dataclass(frozen=True)
class Trajectory:
    """The filtered state of one object at one instant.

    Attributes:
        stamp: Stamp of the measurement, ns.
        track_id: As in ``Points3D``.
        epoch: Starts at 0, one more after every reset.
        state: Life of the track.
        measured: Whether a measurement of this stamp updated the track.
        xyz: (3,) m.
        velocity: (3,) m/s.
        covariance: Of (x y z vx vy vz), (6, 6).
        filter: Which filter made the estimate.
        health: What was wrong with it.
        last_measured: Stamp of the newest measurement, ns.
        persistence: Probability that the object is real and lasting; NaN when not judged.
        num_cameras: Cameras behind the newest measurement.
        predictions: Ascending in time.
    """

    stamp: int
    track_id: int
    epoch: int
    state: State
    measured: bool
    xyz: Array
    velocity: Array
    covariance: Array
    filter: FilterKind
    health: Health
    last_measured: int
    persistence: float = math.nan
    num_cameras: int = 0
    predictions: tuple[Prediction, ...] = ()


@dataclass(frozen=True)
class Trajectories:
    """Every filtered object at one instant, in the world frame."""

    stamp: int
    frame_id: str
    epoch: int
    trajectories: tuple[Trajectory, ...]

    def __len__(self) -> int:
        return len(self.trajectories)


@dataclass(frozen=True)
class FilterUpdate:
    """What one call of the trajectory filter brought.

    Attributes:
        now: Every track at the stamp of the points.
        history: Earlier states of the tracks confirmed by this call, at their own stamps, oldest
            first: measured while the track was still tentative.
        lagged: Smoothed states a fixed number of updates ago, oldest first; empty without a lag.
    """

    now: Trajectories
    history: tuple[Trajectory, ...] = ()
    lagged: tuple[Trajectories, ...] = ()


@dataclass(frozen=True)
class Quantity:
    """A number with one standard deviation; both NaN when not known."""

    value: float = math.nan
    sigma: float = math.nan

    @property
    def known(self) -> bool:
        """Whether the value is known."""
        return math.isfinite(self.value)


@dataclass(frozen=True)
class Label:
    """A word with the probability that it is right; empty and NaN when not known."""

    value: str = ""
    confidence: float = math.nan

    @property
    def known(self) -> bool:
        """Whether the word is known."""
        return bool(self.value)


Vector = tuple[Quantity, Quantity, Quantity]
"""Three quantities, along x (forward), y (left) and z (up) of the facts frame."""

UNKNOWN_VECTOR: Vector = (Quantity(), Quantity(), Quantity())


@dataclass(frozen=True)
class Facts:
    """What was measured about one object, from its first sight to ``stamp``.

    Fields and units are those of ``Facts.msg``.
    """

    stamp: int
    frame_id: str
    track_id: int
    epoch: int
    start: int
    end: int
    object_class: Label = Label()
    shape: Label = Label()
    colour: Label = Label()
    marking: Label = Label()
    blinking: Label = Label()
    rigidity: Label = Label()
    size: Quantity = Quantity()
    elongation: Quantity = Quantity()
    persistence: Label = Label()
    motion: Label = Label()
    direction: Label = Label()
    displacement: Vector = UNKNOWN_VECTOR
    start_position: Vector = UNKNOWN_VECTOR
    end_position: Vector = UNKNOWN_VECTOR
    duration: Quantity = Quantity()
    path_length: Quantity = Quantity()
    speed_mean: Quantity = Quantity()
    speed_max: Quantity = Quantity()
    height_change: Quantity = Quantity()
    num_turns: Quantity = Quantity()
    num_stops: Quantity = Quantity()
    num_bounces: Quantity = Quantity()
    predicted_position: Vector = UNKNOWN_VECTOR
    predicted_after: Quantity = Quantity()
    num_cameras: Quantity = Quantity()
    num_gaps: Quantity = Quantity()
    longest_gap: Quantity = Quantity()


@dataclass(frozen=True)
class Description:
    """Words about one object.

    Attributes:
        text: Never empty.
        backend: That wrote the text.
        facts: On which the text rests.
        model_hash: sha256 of the weights; empty when the backend has none.
        verified: Every claim is supported by the facts.
        unsupported: Claims that were removed.
        evidence: Names of the facts that support the text.
    """

    text: str
    backend: str
    facts: Facts
    model_hash: str = ""
    verified: bool = False
    unsupported: tuple[str, ...] = field(default=())
    evidence: tuple[str, ...] = field(default=())
