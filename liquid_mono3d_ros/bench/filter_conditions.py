"""Under which conditions the filters are tuned and compared."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.synth.conditions import Conditions
from liquid_mono3d_ros.synth.flight_table import Flights, joined
from liquid_mono3d_ros.synth.flights import draw_flights
from liquid_mono3d_ros.synth.motions import FAMILIES, STRICT

TRAINING_SEED, TEST_SEED = 100, 900
"""Of the flights that baselines are tuned on, and of those of the tables: opened at a release."""
TRAINING_TRACKS, TRAINING_FRAMES = 400, 60
"""Many short ones: a few tracks, slow to be seen and far away, make half of the pooled error."""
FRAMES = 90
CENTRE = Conditions(
    families=STRICT, rate=(10.0, 120.0), frames=FRAMES, dropout=0.05, outliers=0.02
)
"""Calibrated exactly; every other condition changes one thing in it, the corners several."""
HELD_OUT = tuple(name for name in FAMILIES if name not in STRICT)
"""Motions on which nothing is tuned."""
RATES = (8.0, 10.0, 15.0, 30.0, 60.0, 120.0)
UNSEEN_RATES = ("8 Hz", "120 Hz")
"""Names of the conditions at the ends of the rates, or beyond."""
CONDITIONS: dict[str, Conditions] = {
    "centre": CENTRE,
    **{f"{rate:g} Hz": replace(CENTRE, rate=rate) for rate in RATES},
    "noise 1/2": replace(CENTRE, noise=0.5),
    "noise 2": replace(CENTRE, noise=2.0),
    "no dropout": replace(CENTRE, dropout=0.0),
    "dropout 20 %": replace(CENTRE, dropout=0.2),
    "bursts": replace(CENTRE, bursts=0.5),
    "no outliers": replace(CENTRE, outliers=0.0),
    "outliers 10 %": replace(CENTRE, outliers=0.1),
    "calibration 0.1°": replace(CENTRE, calibration_deg=0.1),
    "calibration 0.3°": replace(CENTRE, calibration_deg=0.3),
    "corner: 15 Hz, noise 2, dropout 20 %, outliers 10 %": replace(
        CENTRE, rate=15.0, noise=2.0, dropout=0.2, outliers=0.1
    ),
    "corner: 120 Hz, noise 1/2, nothing lost or false": replace(
        CENTRE, rate=120.0, noise=0.5, dropout=0.0, outliers=0.0
    ),
    "corner: 60 Hz, noise 2, bursts, calibration 0.3°": replace(
        CENTRE, rate=60.0, noise=2.0, bursts=0.5, calibration_deg=0.3
    ),
    **{f"held out: {name}": replace(CENTRE, families=(name,)) for name in HELD_OUT},
}
"""Name → conditions, in the order of the table. A burst is a gap of 0.5 s, one in two seconds."""
WITHOUT_GRAVITY = ("centre", "noise 2", "held out: bounce")
"""Conditions that are run a second time with gravity not told."""
QUICK = ("centre", "8 Hz", "120 Hz", "noise 2", "calibration 0.3°", "held out: bounce")
"""Those of a first look."""
GAPS = (0.2, 0.5, 1.0)
"""Ages of the newest measurement at which the error in a gap is read, s."""


@dataclass(frozen=True)
class Gap:
    """Flights with a hole, and where to read the errors in it.

    Attributes:
        flights: At 30 Hz; nothing is seen from 1.2 s on for 1.1 s.
        frames: Age, s → frame, (N,), at which the newest measurement is so old.
    """

    flights: Flights
    frames: dict[float, Array]


def training_flights(tracks: int = TRAINING_TRACKS) -> Flights:
    """Draw the flights that every baseline is tuned on: four of five calibrated exactly."""
    short = replace(CENTRE, frames=TRAINING_FRAMES)
    slow, some = replace(short, calibration_deg=0.1), tracks // 5
    exact = draw_flights(short, tracks - some, TRAINING_SEED)
    return joined([exact, draw_flights(slow, some, TRAINING_SEED + 1)])


def family_flights(tracks: int = TRAINING_TRACKS) -> Flights:
    """Draw the flights that the oracle is tuned on: every family, the held out ones too."""
    every = replace(CENTRE, families=FAMILIES, frames=TRAINING_FRAMES)
    return draw_flights(every, tracks, TRAINING_SEED + 2)


def drawn_flights(name: str, tracks: int) -> Flights:
    """Draw the flights of a condition by its name."""
    return draw_flights(CONDITIONS[name], tracks, TEST_SEED + list(CONDITIONS).index(name))


def gap_flights(tracks: int) -> Gap:
    """Draw flights with a hole in the middle."""
    whole = draw_flights(replace(CENTRE, rate=30.0, dropout=0.0), tracks, TEST_SEED - 1)
    since = whole.t - whole.t[:, :1]
    hidden = (since > 1.2) & (since < 2.3)
    flights = replace(whole, seen=whole.seen & ~hidden)
    frames = np.arange(whole.t.shape[1])
    before = np.where(flights.seen & (since <= 1.2), frames, 0).max(axis=1)
    newest = np.take_along_axis(since, before[:, None], axis=1)
    return Gap(flights, {age: np.abs(since - newest - age).argmin(axis=1) for age in GAPS})
