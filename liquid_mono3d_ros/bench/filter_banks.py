"""Banks of Kalman filters over simulated flights: all tracks at once, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import lgamma

import numpy as np

from liquid_mono3d_ros.bench.filter_estimates import Estimates
from liquid_mono3d_ros.bench.filter_links import begin_links
from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.liquid.bank import (
    LOG_TWO_PI,
    Innovation,
    birth,
    collapse,
    collapse_bias,
    correct,
    innovate,
    mix,
    propagate,
    surprise,
)
from liquid_mono3d_ros.liquid.belief import Belief, widen
from liquid_mono3d_ros.liquid.measurement import Measurement
from liquid_mono3d_ros.liquid.motion import I3, MotionBank
from liquid_mono3d_ros.liquid.smoother import apparent, link_states
from liquid_mono3d_ros.synth.flight_table import Flights

SCALES = (0.05, 100.0)
"""Least and largest variance of the noise over the one claimed that adaptation may find."""


@dataclass(frozen=True)
class Rules:
    """How a bank takes measurements.

    Attributes:
        gate: Largest squared distance that is no surprise; beyond, the weight falls with it.
        speed_sigma: Standard deviation of a newborn track's velocity, each component, m/s.
        restart_after: Surprises in a row until the track begins anew; 0 for never.
        student: Degrees of freedom of Student's t, whose weight then stands for the gate's; 0
            for the gate.
        adapt: Part of the surprise by which each measurement moves the scale of the noise; 0
            leaves it as claimed.
        cap: No measurement counts for more than so many times the expected surprise in that.
    """

    gate: float
    speed_sigma: float
    restart_after: int = 5
    student: float = 0.0
    adapt: float = 0.0
    cap: float = 4.0


def run_bank(
    bank: MotionBank, rules: Rules, flights: Flights, gravity: Array, *, links: bool = False
) -> Estimates:
    """Filter every flight.

    Args:
        bank: M models.
        rules: How it takes measurements.
        flights: N tracks, T frames.
        gravity: What the filter is told, (N, 3) m/s²; zero when unknown.
        links: Whether to keep what smoothing needs.
    """
    n, frames = flights.t.shape
    how = _How(bank, rules)
    first = flights.seen.argmax(axis=1)
    newborn = _born(how, measurement_at(flights, np.arange(n), first))
    tracks = _Tracks(newborn, np.ones(n), np.zeros(n, dtype=int))
    x, P = np.empty((n, frames, 9)), np.empty((n, frames, 9, 9))
    log_density = np.full((n, frames), np.nan)
    kept = begin_links(x, P) if links else None
    for k in range(frames):
        alive = first < k
        begun = ~alive
        if alive.any():
            dt = flights.t[:, k] - flights.t[:, k - 1]
            mixed = mix(bank, tracks.belief, dt)
            predicted, cross = propagate(bank, mixed, dt, gravity=gravity)
            if begun.any():
                predicted = predicted.put(begun, newborn.take(begun))
            mean, covariance = collapse(predicted)
            if kept is not None:
                fading = np.exp(-dt / bank.bias_time)[:, None, None]
                link = link_states(
                    mixed, predicted, cross, mean, covariance, np.exp(predicted.log_mu), fading
                )
                kept.x_predicted[:, k], kept.apparent_predicted[:, k] = link.x, link.P
                kept.gain[:, k], kept.reader[:, k] = link.gain, link.reader
            tracks = replace(tracks, belief=predicted)
            rows = np.flatnonzero(alive & flights.seen[:, k])
            measurement = measurement_at(flights, rows, k)
            tracks, log_density[rows, k], lost = _enter(
                how, tracks, (mean[rows], covariance[rows]), measurement, rows
            )
            begun[rows] |= lost
        x[:, k], P[:, k] = collapse(tracks.belief)
        if kept is not None:
            seems, seen = P[:, k], predicted if alive.any() else tracks.belief
            if tracks.belief.knows_bias:
                seems = apparent(seems, tracks.belief, seen)
            kept.apparent[:, k] = seems
            kept.gain[begun, k] = kept.reader[begun, k] = 0.0
    return Estimates(x[..., :3], x[..., 3:6], P[..., :6, :6], log_density, kept)


@dataclass(frozen=True)
class _How:
    """A bank, and how it takes measurements."""

    bank: MotionBank
    rules: Rules


@dataclass(frozen=True)
class _Tracks:
    """Beliefs, scales of the noise (N,), and surprises in a row (N,)."""

    belief: Belief
    scale: Array
    rejected: Array


def measurement_at(flights: Flights, rows: Array, frame: Array | int) -> Measurement:
    """Return the measurements of the chosen tracks at a frame, or each at its own."""
    R, B = flights.R[rows, frame], flights.B[rows, frame]
    B = B if flights.B.any() else B[:, :0, :0]
    return Measurement(flights.z[rows, frame], np.zeros_like(R) + I3, R, B)


def _born(how: _How, measurement: Measurement) -> Belief:
    root = measurement.root if measurement.B.size else None
    return birth(how.bank, measurement.z, measurement.R, how.rules.speed_sigma, root)


def _enter(
    how: _How,
    tracks: _Tracks,
    before: tuple[Array, Array],
    measurement: Measurement,
    rows: Array,
) -> tuple[_Tracks, Array, Array]:
    """Enter the measurements of the chosen tracks.

    Args:
        how: To filter.
        tracks: Predicted, N.
        before: Mean and covariance of the chosen ones, (K, 9) and (K, 9, 9).
        measurement: K measurements.
        rows: Numbers of the chosen tracks, (K,).

    Returns:
        The tracks; of the chosen ones the log density of the measurement, and which began anew.
    """
    rules, chosen = how.rules, tracks.belief.take(rows)
    scaled = replace(measurement, R=measurement.R * tracks.scale[rows, None, None])
    if scaled.B.size:
        chosen = widen(chosen)
    d2 = surprise(*before, scaled, collapse_bias(chosen))
    heavy = rules.student
    distrust = np.maximum((heavy + d2) / (heavy + 3.0) if heavy else d2 / rules.gate, 1.0)
    found = innovate(chosen, scaled)
    corrected = correct(how.bank, chosen, scaled, distrust, innovation=found)
    belief = tracks.belief.put(rows, corrected)
    rejected = np.where(d2 > rules.gate, tracks.rejected[rows] + 1, 0)
    lost = (rejected >= rules.restart_after) & (rules.restart_after > 0)
    if lost.any():
        belief = belief.put(rows[lost], _born(how, measurement.take(lost)))
        rejected[lost] = 0
    scale, surprises = tracks.scale.copy(), tracks.rejected.copy()
    surprises[rows] = rejected
    if rules.adapt:
        scale[rows] *= np.exp(rules.adapt * (np.minimum(d2 / 3.0, rules.cap) - 1.0))
        scale = np.clip(scale, *SCALES)
    log_density = _log_density(chosen.log_mu, found, heavy)
    return _Tracks(belief, scale, surprises), log_density, lost


def _log_density(log_mu: Array, found: Innovation, student: float) -> Array:
    """Return the log density (N,) of positions under the mixture of the models' predictions."""
    d2 = (np.linalg.solve(found.S, found.y[..., None])[..., 0] * found.y).sum(axis=-1)
    log_det = np.linalg.slogdet(found.S)[1]
    if student:
        constant = lgamma((student + 3) / 2) - lgamma(student / 2) - 1.5 * np.log(student * np.pi)
        each = constant - log_det / 2 - (student + 3) / 2 * np.log1p(d2 / student)
    else:
        each = -(d2 + log_det + 3 * LOG_TWO_PI) / 2
    return np.asarray(np.logaddexp.reduce(log_mu + each, axis=1))
