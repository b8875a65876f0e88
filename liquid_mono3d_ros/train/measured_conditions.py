"""What recorded tracks are like: how often, how noisy, how fast; and simulated ones like them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from liquid_mono3d_ros.bench.filter_learned import run_design
from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.liquid.design import Design
from liquid_mono3d_ros.synth.flight_table import Flights

SCALES = tuple(np.exp2(np.arange(-4, 5) / 2).tolist())
"""Noise over the claimed one that is tried, 0.25 to 4."""
FALSE = 0.01
"""Share of the measurements that may be anywhere, in every likelihood here."""
SETTLED = 4
"""Measurements of a track before those that are scored."""
HOLE = 0.3
"""A gap at least so long is a burst and not a drop, s."""
BURST = 0.5
"""Length of a simulated burst, s."""
APART = 0.3
"""Velocities so far apart give the acceleration, s."""
ENDS = (5.0, 95.0)
"""Percentiles that stand for the ends of a range."""
ROOM = 2.0
"""Flights to train on may be so much faster, slower, noisier or cleaner than what was measured."""

UNITS = {"rate": "Hz", "bursts": "1/s", "sigma": "m", "speed": "m/s", "acceleration": "m/s^2"}

Ends = tuple[float, float]


@dataclass(frozen=True)
class MeasuredConditions:
    """What recordings are like; ranges are the 5th and 95th percentile over frames or tracks.

    Attributes:
        rate: Frames of the reference camera, Hz.
        jitter: Standard deviation of a frame's delay over the period.
        dropout: Share of the frames within a track without a point, bursts left out.
        bursts: Gaps of ``HOLE`` and more in a second.
        noise: True noise over the claimed, by the likelihood of each track.
        outliers: Share of the measurements that are likelier false than right.
        sigma: Root of the summed white variances of a point, m.
        slow: Root of the summed systematic variances over ``sigma``, median; 0 without any.
        speed: m/s.
        acceleration: m/s²; noise of the estimate included.
    """

    rate: Ends
    jitter: float
    dropout: float
    bursts: float
    noise: Ends
    outliers: float
    sigma: Ends
    slow: float
    speed: Ends
    acceleration: Ends

    def words(self) -> str:
        """Return one line for each measured thing."""
        lines = []
        for name, value in vars(self).items():
            ends = value if isinstance(value, tuple) else (value,)
            text = " to ".join(f"{end:.3g}" for end in ends)
            lines.append(f"  {name:13s}{text} {UNITS.get(name, '')}".rstrip())
        return "\n".join(lines)

    def simulated(self) -> dict[str, Any]:
        """Return the conditions to draw flights under, as ``synth.conditions.Conditions``.

        A point takes one image of the reference camera and two of another, to interpolate
        between: it drops out as often as one of three images.
        """
        image = 1 - (1 - min(self.dropout, 0.9)) ** (1 / 3)
        ranges = {
            "rate": (max(0.9 * self.rate[0], 1.0), min(1.1 * self.rate[1], 1000.0)),
            "dropout": (0.0, min(1.5 * image, 0.6)),
            "bursts": (0.0, min(1.5 * self.bursts, 2.0)),
            "outliers": (0.0, min(2 * self.outliers + 0.01, 0.2)),
            "noise": (min(self.noise[0], 1.0), max(self.noise[1], 1.0)),
            "calibration_deg": (0.0, 0.3 if self.slow else 0.0),
        }
        listed: dict[str, Any] = {name: _listed(ends) for name, ends in ranges.items()}
        return {**listed, "frames": 90, "jitter": round(min(self.jitter, 0.1), 4)}

    def alike(self) -> dict[str, list[float]]:
        """Return the ranges of speed and sigma that ``chosen_alike`` keeps.

        They are widened by ``ROOM``, and so far that they meet what the simulation can draw.
        """
        speed = min(self.speed[0] / ROOM, 1.0), max(self.speed[1] * ROOM, 1.0)
        sigma = min(self.sigma[0] / ROOM, 0.1), max(self.sigma[1] * ROOM, 0.02)
        return {"speed": _listed(speed), "sigma": _listed(sigma)}


def chosen_alike(flights: Flights, ranges: Mapping[str, Ends]) -> Array:
    """Say which simulated flights lie within ranges of speed (m/s) and sigma (m), (N,) bool."""
    speed = np.sqrt((flights.velocity**2).sum(axis=2).mean(axis=1))
    sigma = np.sqrt(np.trace(flights.R, axis1=2, axis2=3))
    sigma = np.nanmedian(np.where(flights.seen, sigma, np.nan), axis=1)
    within = np.ones(len(flights), dtype=bool)
    for name, value in (("speed", speed), ("sigma", sigma)):
        low, high = ranges.get(name, (0.0, np.inf))
        within &= (value >= low) & (value <= high)
    return within


def predictive_loss(design: Design, flights: Flights) -> Array:
    """Return minus the log density of each measurement before it was used, (N, T) nats.

    NaN where nothing is scored. One measurement in a hundred may be anywhere in the box that all
    of them fill, so that no false one decides the mean.
    """
    density = run_design(design, flights).log_density
    sides = np.ptp(flights.z[flights.seen], axis=0) + 1.0
    anywhere = np.log(FALSE) - np.log(sides).sum()
    scored = flights.seen & (flights.seen.cumsum(axis=1) > SETTLED)
    loss = np.full(scored.shape, np.nan)
    loss[scored] = -np.logaddexp(np.log1p(-FALSE) + density[scored], anywhere)
    return loss


def measure_conditions(flights: Flights, design: Design) -> MeasuredConditions:
    """Estimate what recorded tracks are like, with the help of a filter.

    Args:
        flights: N stretches of recorded tracks.
        design: Of the filter, for speeds and likelihoods.
    """
    last = flights.seen.shape[1] - flights.seen[:, ::-1].argmax(axis=1)  # frames up to the last
    inside = np.arange(flights.seen.shape[1]) < last[:, None]
    dt = np.diff(flights.t, axis=1)[inside[:, 1:]]
    period = float(np.median(dt))
    gaps = _gaps(flights)
    holes = gaps[gaps >= HOLE]
    missing = np.count_nonzero(inside & ~flights.seen) - holes.sum() / period
    seconds = float(dt.sum())
    slow = np.trace(flights.B, axis1=2, axis2=3)[flights.seen]
    white = np.trace(flights.R, axis1=2, axis2=3)[flights.seen]
    noise, outliers = _noise(flights, design)
    speed, acceleration = _motion(flights, design)
    return MeasuredConditions(
        rate=_ends(1 / dt[dt > 0]),
        jitter=float(1.4826 * np.median(np.abs(dt - period)) / period / np.sqrt(2)),
        dropout=float(np.clip(missing / max(inside.sum() - holes.sum() / period, 1), 0, 1)),
        bursts=len(holes) / seconds,
        noise=noise,
        outliers=outliers,
        sigma=_ends(np.sqrt(white)),
        slow=float(np.median(np.sqrt(slow / white))),
        speed=speed,
        acceleration=acceleration,
    )


def _listed(ends: tuple[float, ...]) -> list[float]:
    """Return numbers with three digits, as a recipe shows them."""
    return [float(f"{end:.3g}") for end in ends]


def _ends(values: Array) -> Ends:
    low, high = np.percentile(values, ENDS)
    return float(low), float(high)


def _gaps(flights: Flights) -> Array:
    """Return for how long nothing was seen between two measurements, over one period, s."""
    found = []
    for t, seen in zip(flights.t, flights.seen, strict=True):
        between = np.diff(t[seen])
        found.append(between - np.median(np.diff(t)))
    return np.concatenate(found)


def _noise(flights: Flights, design: Design) -> tuple[Ends, float]:
    """Return the likeliest scale of the white noise of most tracks, and the share of outliers."""
    tried = [predictive_loss(design, replace(flights, R=flights.R * scale**2)) for scale in SCALES]
    losses = np.stack([np.nanmean(one, axis=1) for one in tried])  # (S, N)
    known = np.isfinite(losses).all(axis=0)
    best = np.asarray(SCALES)[losses[:, known].argmin(axis=0)]
    whole = int(np.argmin([np.nanmean(one) for one in tried]))
    sides = np.ptp(flights.z[flights.seen], axis=0) + 1.0
    even = np.log(sides).sum() - np.log(2 * FALSE)  # as likely false as right
    scored = tried[whole][np.isfinite(tried[whole])]
    return _ends(best), float(np.mean(scored > even))


def _motion(flights: Flights, design: Design) -> tuple[Ends, Ends]:
    """Return the ranges of speed and acceleration by the filter's velocities."""
    velocity = run_design(design, flights).velocity
    settled = flights.seen & (flights.seen.cumsum(axis=1) > SETTLED)
    speeds, accelerations = [], [np.zeros(1)]
    for t, v, mask in zip(flights.t, velocity, settled, strict=True):
        t, v = t[mask], v[mask]
        speeds.append(np.linalg.norm(v, axis=1))
        later = np.searchsorted(t, t + APART)
        first = np.flatnonzero(later < len(t))
        change, time = v[later[first]] - v[first], t[later[first]] - t[first]
        accelerations.append(np.linalg.norm(change, axis=1) / time)
    return _ends(np.concatenate(speeds)), _ends(np.concatenate(accelerations))
