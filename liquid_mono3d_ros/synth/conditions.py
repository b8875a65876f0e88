"""What a simulated recording is like: rates, noise, and what goes wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.synth.motions import FAMILIES, families_named

VERSION = "1"
"""Of the simulation: another one draws other flights from the same seed."""

Range = float | tuple[float, float]
"""One value for all tracks, or the ends between which each track draws its own."""


@dataclass(frozen=True)
class Conditions:
    """Under which flights are drawn. A range is uniform, that of rate and sigma_px logarithmic.

    Attributes:
        families: Names of the motions, equally often.
        rate: Images of each camera per second.
        frames: Instants of a track; None takes ``duration`` times the rate, which must be one
            number then.
        duration: Of a track, s, when ``frames`` is None.
        sigma_px: Pixel noise as claimed, px.
        noise: True pixel noise over the claimed: 2 is noise twice as large as the filter is told.
        dropout: Chance that a camera misses the object in an image.
        bursts: Gaps of half a second, in which no camera sees the object, per second.
        outliers: Chance that a measurement is a false one.
        calibration_deg: True turn of each camera, one sigma per axis, degrees.
        clock_ms: True offset of each camera's clock, one sigma, ms.
        claimed_calibration_deg: What the systematic covariance is told; None: the truth.
        claimed_clock_ms: The same of the clocks.
        jitter: One sigma of an exposure's delay, known from its stamp, in periods.
        pixel_acceleration: What interpolation allows for, px/s², as in ``GeometrySettings``.
        rotate: Whether world and gravity are turned at random, each track in its own way.
        version: Of the simulation that these conditions are meant for.
    """

    families: tuple[str, ...] = FAMILIES
    rate: Range = 30.0
    frames: int | None = None
    duration: float = 3.0
    sigma_px: Range = (0.3, 2.0)
    noise: Range = 1.0
    dropout: Range = 0.0
    bursts: Range = 0.0
    outliers: Range = 0.0
    calibration_deg: Range = 0.0
    clock_ms: Range = 0.0
    claimed_calibration_deg: Range | None = None
    claimed_clock_ms: Range | None = None
    jitter: float = 0.02
    pixel_acceleration: float = 500.0
    rotate: bool = True
    version: str = VERSION

    def __post_init__(self) -> None:
        families_named(self.families)
        if self.version != VERSION:
            cure = "Draw again with this version, or install the other one."
            raise ValueError(complain("version", repr(VERSION), repr(self.version), cure))
        positive = 1e-9
        for name, low, high in (
            ("rate", 1.0, 1000.0),
            ("duration", positive, 60.0),
            ("sigma_px", positive, 100.0),
            ("noise", positive, 100.0),
            ("dropout", 0.0, 0.9),
            ("bursts", 0.0, 2.0),
            ("outliers", 0.0, 1.0),
            ("calibration_deg", 0.0, 2.0),
            ("clock_ms", 0.0, 100.0),
            ("claimed_calibration_deg", 0.0, 30.0),
            ("claimed_clock_ms", 0.0, 1000.0),
            ("jitter", 0.0, 0.1),
            ("pixel_acceleration", 0.0, 1e6),
        ):
            _check_range(name, getattr(self, name), low, high)
        if self.frames is None and isinstance(self.rate, tuple):
            cure = "Give frames, or one rate."
            raise ValueError(complain("frames", "a number for a range of rates", "None", cure))
        if self.num_frames < 2:
            got = str(self.num_frames)
            raise ValueError(complain("frames", "two or more", got, "Make the track longer."))

    @property
    def num_frames(self) -> int:
        """Instants of a track."""
        if self.frames is not None:
            return self.frames
        rate = self.rate[0] if isinstance(self.rate, tuple) else self.rate
        return round(self.duration * rate)


def draw(value: Range, n: int, rng: np.random.Generator, *, log: bool = False) -> Array:
    """Return one number per track, (n,)."""
    low, high = value if isinstance(value, tuple) else (value, value)
    part = rng.random(n)
    if log:
        return np.asarray(low * (high / low) ** part)
    return low + (high - low) * part


def _check_range(name: str, value: Range | None, low: float, high: float) -> None:
    if value is None:
        return
    ends = value if isinstance(value, tuple) else (value, value)
    if len(ends) != 2 or not low <= ends[0] <= ends[1] <= high:
        rule = f"a number or an ascending pair within {low:g} to {high:g}"
        raise ValueError(complain(name, rule, repr(value), "Give one value, or low and high."))
