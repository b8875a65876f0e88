"""Under which conditions a scene is seen: rig, clocks, delays, scenery."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from liquid_mono3d_ros.checks import Array, complain

VERSION = "1"
"""Of the scenes: another one draws other scenes from the same seed."""

Range = tuple[float, float]

SPLITS = ("train", "test")


@dataclass(frozen=True)
class Layout:
    """What the rigs of a split are like; the two splits do not overlap.

    Attributes:
        distance: Of a thing of middle size from the camera, the middle of its range, m.
        focal: Focal lengths, px; a longer one is taken where the object would be too small.
        baseline: Between the cameras, over the distance.
        num_cameras: Fewest and most.
        sigma_px: Pixel noise of a detection, px.
        elevation: Largest angle at which the camera looks up or down, rad.
    """

    distance: float
    focal: Range
    baseline: Range
    num_cameras: tuple[int, int]
    sigma_px: Range
    elevation: float


LAYOUTS = {
    "train": Layout(7.5, (700.0, 1100.0), (0.12, 0.25), (2, 3), (0.3, 0.8), 0.5),
    "test": Layout(6.5, (500.0, 700.0), (0.25, 0.4), (2, 4), (0.8, 1.2), 0.7),
}


@dataclass(frozen=True)
class Staging:
    """The conditions of scenes.

    Attributes:
        split: "train", or "test": rigs, backgrounds and words that training never sees.
        duration: Of a scene, s.
        video_rate: Crops of each object per second.
        video_jitter: One sigma of an exposure's delay, in periods.
        video_delay: From exposure to arrival, s; each scene draws its own between these.
        video_delay_jitter: One sigma of one crop's delay about that of the scene, s.
        state_rate: States of each object per second.
        state_jitter: Half the spread of the time between two states, in periods.
        state_delay: From the stamp of a state to its arrival, s.
        dropout: Chance that an object is not measured in a picture, so that there is no crop.
        version: Of the scenes that these conditions are meant for.
    """

    split: str = "train"
    duration: float = 2.0
    video_rate: float = 15.0
    video_jitter: float = 0.03
    video_delay: Range = (0.08, 0.2)
    video_delay_jitter: float = 0.01
    state_rate: float = 60.0
    state_jitter: float = 0.4
    state_delay: Range = (0.01, 0.03)
    dropout: float = 0.03
    version: str = VERSION

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            rule = f"one of {', '.join(SPLITS)}"
            raise ValueError(complain("split", rule, repr(self.split), "Choose one of them."))
        if self.version != VERSION:
            cure = "Draw again with this version, or install the other one."
            raise ValueError(complain("version", repr(VERSION), repr(self.version), cure))
        for name, low, high in (
            ("duration", 1.5, 2.2),
            ("video_rate", 5.0, 60.0),
            ("video_jitter", 0.0, 0.2),
            ("video_delay_jitter", 0.0, 0.1),
            ("state_rate", 10.0, 500.0),
            ("state_jitter", 0.0, 0.9),
            ("dropout", 0.0, 0.5),
        ):
            _check(name, getattr(self, name), low, high)
        for name in ("video_delay", "state_delay"):
            low, high = getattr(self, name)
            _check(f"{name}[0]", low, 0.0, 2.0)
            _check(f"{name}[1]", high, low, 2.0)

    @property
    def num_frames(self) -> int:
        """Crops of each object."""
        return round(self.duration * self.video_rate)

    @property
    def num_states(self) -> int:
        """States of each object."""
        return round(self.duration * self.state_rate)

    def generator(self, seed: int, number: int = 0) -> np.random.Generator:
        """Return the source of chunk ``number``: train and test share no scene of any seed."""
        key = (SPLITS.index(self.split), number)
        return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))

    @property
    def layout(self) -> Layout:
        """The rigs of the split."""
        return LAYOUTS[self.split]


def log_uniform(ends: Range, shape: int | tuple[int, ...], rng: np.random.Generator) -> Array:
    """Draw numbers whose logarithms are uniform."""
    return np.asarray(ends[0] * (ends[1] / ends[0]) ** rng.random(shape))


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        rule = f"between {low:g} and {high:g}"
        raise ValueError(complain(name, rule, f"{value!r}", "Choose a value in that range."))
