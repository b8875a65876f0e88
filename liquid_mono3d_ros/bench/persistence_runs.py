"""What the filter makes of births, and what its judge hears: all tracks at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from liquid_mono3d_ros.bench.filter_banks import measurement_at
from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.liquid.advice import Adviser
from liquid_mono3d_ros.liquid.bank import birth
from liquid_mono3d_ros.liquid.belief import Belief
from liquid_mono3d_ros.liquid.design import (
    EXPERTS,
    GRAVITY,
    Design,
    FilterSettings,
    design_filter,
)
from liquid_mono3d_ros.liquid.guidance import step
from liquid_mono3d_ros.liquid.lifecycle import Witness, enter, grow_older, new_lives
from liquid_mono3d_ros.liquid.persistence import SIGNS, Judge, signs
from liquid_mono3d_ros.synth.births import Births


@dataclass(frozen=True)
class Watched:
    """What is known of N tracks at T updates.

    Attributes:
        heard: As ``persistence.signs`` returns it, (N, T, 12) float32.
        dt: Since the update before, 0 at birth, (N, T) s.
        seen: Whether there was a measurement, (N, T) bool.
        log_density: Of the measurement where the filter expected it, in 1/m³, (N, T); 0 without
            one and at birth.
        d2: Squared distance of the measurement from there, in sigmas, (N, T); 0 likewise.
        hidden: State of the filter's own network, (N, T, H); H = 0 without one.
        lasting: Which tracks are of objects, (N,) bool.
    """

    heard: Array
    dt: Array
    seen: Array
    log_density: Array
    d2: Array
    hidden: Array
    lasting: Array


def watch(births: Births, adviser: Adviser | None = None) -> Watched:
    """Filter every track as the node does.

    Args:
        births: N tracks, z up.
        adviser: Of ``filter: liquid``; None for the imm.
    """
    settings = FilterSettings(gravity=(0.0, 0.0, -GRAVITY))
    design = design_filter(settings, EXPERTS["imm" if adviser is None else "liquid"], adviser)
    flights, (n, frames) = births.flights, births.flights.t.shape
    dt = np.diff(flights.t, axis=1, prepend=flights.t[:, :1])
    density, d2 = np.zeros((n, frames)), np.zeros((n, frames))
    heard = np.empty((n, frames, len(SIGNS)), dtype=np.float32)
    hidden = np.empty((n, frames, design.units), dtype=np.float32)
    everyone = np.arange(n)
    belief = _born(design, births, everyone, 0)
    lives = new_lives(everyone.astype(np.uint64), _witness(births, everyone, 0))
    told = step(design, belief, None)
    for k in range(frames):
        rows = np.flatnonzero(flights.seen[:, k])
        if k:
            measurement = measurement_at(flights, rows, k)
            told, lives = step(design, belief, dt[:, k], measurement, rows), grow_older(lives)
            density[rows, k] = -told.losses[rows, 0]
            strain, witness = told.strain[rows], _witness(births, rows, k)
            d2[rows, k] = strain * design.gate[3]
            lives = enter(lives, rows, witness, strain > 1.0, strain)
            belief, lost = told.belief, rows[lives.rejected[rows] >= design.rules.rejections]
            if len(lost):
                belief = belief.put(lost, _born(design, births, lost, k))
                lives = enter(lives, lost, _witness(births, lost, k), np.zeros(len(lost), bool))
                told = step(design, belief, None)
        heard[:, k] = signs(lives, told.x, told.P, dt[:, k])
        hidden[:, k] = belief.hidden
    return Watched(heard, dt, flights.seen, density, d2, hidden, births.lasting)


def judged(judge: Judge, watched: Watched) -> Array:
    """Return the probability that each track lasts after each update, (N, T)."""
    n, frames = watched.dt.shape
    hidden, said = np.zeros((n, judge.units), dtype=np.float32), np.empty((n, frames))
    for k in range(frames):
        said[:, k], hidden = judge(watched.heard[:, k], hidden, watched.dt[:, k])
    return said


def _born(design: Design, births: Births, rows: Array, frame: int) -> Belief:
    measurement = measurement_at(births.flights, rows, frame)
    root = measurement.root if measurement.B.size else None
    speed, units = design.speed_sigma, design.units
    return birth(design.bank, measurement.z, measurement.R, speed, root, units=units)


def _witness(births: Births, rows: Array, frame: int) -> Witness:
    return Witness(0, np.zeros(len(rows), dtype=np.int64), births.cameras[rows, frame])
