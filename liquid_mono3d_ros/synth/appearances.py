"""How the two objects of each scene look: the words, and what goes on in the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.synth.acts import APEX, FREE
from liquid_mono3d_ros.synth.attributes import (
    COLOURS,
    MARKINGS,
    MOTIONS,
    SHAPES,
    STRIPE_DIRECTIONS,
)
from liquid_mono3d_ros.synth.encounters import OBJECTS, Encounters

FLASHING, GLINTING = 0.75, 0.35
"""Share of flights that flash, and of other motions, of whose flashes nothing is said."""
FLASH = 0.1
"""How long a flash lasts, s; at least one and a half pictures."""
APART = 0.2
"""Least time between apex and impact where one of them flashes, s."""
EARLIEST, LATEST = 0.15, 0.85
"""When a flash may be, in durations."""
BLINKS = (2.2, 3.8)
"""Per second."""
WAY = (0.35, 0.65)
"""How much of its way in the picture an object has gone when it passes a bar."""
FINE = 200
"""Instants per second at which apex and impact are looked for."""


@dataclass(frozen=True)
class Appearances:
    """Indices into words, -1 where they do not apply; each (N, 2) unless said otherwise.

    Attributes:
        shape, colour, marking, stripe_direction, blinking, companion: Words.
        blink_rate: 1/s.
        blink_phase: In blinks.
        passes_behind: Word; 0 is a bar that is passed in front of it, -1 no bar.
        bar_part: How much of its way in the picture the object has gone at the bar.
        flash: Word; -1 also for a flash of what has no apex.
        flash_time: s; NaN without a flash.
    """

    shape: Array
    colour: Array
    marking: Array
    stripe_direction: Array
    blinking: Array
    companion: Array
    blink_rate: Array
    blink_phase: Array
    passes_behind: Array
    bar_part: Array
    flash: Array
    flash_time: Array

    @property
    def labels(self) -> dict[str, Array]:
        """The words."""
        names = ("shape", "colour", "marking", "stripe_direction", "blinking", "companion")
        return {name: getattr(self, name) for name in (*names, "passes_behind", "flash")}


def draw_appearances(encounters: Encounters, rng: np.random.Generator) -> Appearances:
    """Draw what motion does not decide; only the flash looks at it."""
    n = len(encounters.theme)
    shape = (n, OBJECTS)
    colour = rng.integers(len(COLOURS), size=shape)
    colour[:, 1] = (colour[:, 0] + rng.integers(1, len(COLOURS), n)) % len(COLOURS)
    marking = rng.integers(len(MARKINGS), size=shape)
    striped = marking == MARKINGS.index("striped")
    direction = rng.integers(len(STRIPE_DIRECTIONS), size=shape)
    flash, flash_time = _draw_flashes(encounters, rng)
    return Appearances(
        shape=rng.integers(len(SHAPES), size=shape),
        colour=colour,
        marking=marking,
        stripe_direction=np.where(striped, direction, -1),
        blinking=(np.isnan(flash_time) & (rng.random(shape) < 0.6)).astype(int),
        companion=rng.integers(2, size=shape),
        blink_rate=rng.uniform(*BLINKS, shape),
        blink_phase=rng.random(shape),
        passes_behind=rng.integers(2, size=shape),
        bar_part=rng.uniform(*WAY, shape),
        flash=flash,
        flash_time=flash_time,
    )


def _draw_flashes(encounters: Encounters, rng: np.random.Generator) -> tuple[Array, Array]:
    """Draw whether and when each object flashes, (N, 2).

    The motion is drawn before and knows nothing of the flash. In a parabola the flash elsewhere is
    the apex shifted round the circle of possible times by a third to two thirds of it: times are
    the same for both words. In bounces it is at an apex or at an impact, where both were possible.
    """
    shape = encounters.motion.shape
    word, draw = rng.integers(2, size=shape), rng.random(shape)
    ends = EARLIEST * encounters.duration, LATEST * encounters.duration
    flies = np.isin(encounters.motion, [MOTIONS.index(name) for name in FREE])
    flash = np.full(shape, -1)
    time = np.where(~flies & (draw < GLINTING), rng.uniform(*ends, shape), np.nan)
    t = np.linspace(0, encounters.duration, 1 + round(encounters.duration * FINE))
    _, velocity = encounters.at(np.repeat(t[None], len(flash), axis=0))
    for n, o in np.argwhere(flies & (draw < FLASHING)).tolist():
        name, elsewhere = MOTIONS[encounters.motion[n, o]], bool(word[n, o])
        climb = velocity[n, o, :, 2]
        apexes = t[1:][(climb[:-1] > 0) & (climb[1:] <= 0)]
        if name == "parabola" and len(apexes):
            time[n, o] = _shifted(float(apexes[0]), encounters.duration, elsewhere, rng)
        elif name == "bounce":
            impacts = t[1:][(climb[:-1] < 0) & (climb[1:] > 0)]
            choices = [_lonely(a, b, *ends) for a, b in ((apexes, impacts), (impacts, apexes))]
            if all(map(len, choices)):
                time[n, o] = rng.choice(choices[elsewhere])
        flash[n, o] = -1 if np.isnan(time[n, o]) else word[n, o]
    return flash, time


def _shifted(apex: float, duration: float, elsewhere: bool, rng: np.random.Generator) -> float:
    first, last = (part * duration for part in APEX)
    around = last - first
    shift = around * rng.uniform(1 / 3, 2 / 3) if elsewhere else 0.0
    return float(first + (apex - first + shift) % around)


def _lonely(times: Array, others: Array, first: float, last: float) -> Array:
    """Return the times between two others that are not near to any of the others."""
    gaps = np.abs(np.subtract.outer(times, others)).min(axis=1, initial=np.inf)
    return np.asarray(times[(gaps > APART) & (times > first) & (times < last)])
