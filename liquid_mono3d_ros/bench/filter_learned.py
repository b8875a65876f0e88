"""The filters with a network over simulated flights, by the code that runs in the node."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from liquid_mono3d_ros.bench.filter_banks import measurement_at
from liquid_mono3d_ros.bench.filter_estimates import Estimates, Learned, Regret
from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.liquid.advice import Adviser
from liquid_mono3d_ros.liquid.bank import birth, mix, propagate
from liquid_mono3d_ros.liquid.belief import Belief, widen
from liquid_mono3d_ros.liquid.design import EXPERTS, GRAVITY, Design, FilterSettings, design_filter
from liquid_mono3d_ros.liquid.experts import RegretRecord, forgotten, weigh
from liquid_mono3d_ros.liquid.guidance import (
    enter_measurement,
    judge,
    led_by,
    output,
)
from liquid_mono3d_ros.liquid.measurement import Measurement
from liquid_mono3d_ros.liquid.trajectory_filter import WEIGHTS
from liquid_mono3d_ros.synth.flight_table import Flights


def learned_filters(folder: Path = WEIGHTS.parent) -> list[Learned]:
    """Return what each file of weights makes: the filter of the node, and its network alone."""
    found = []
    for path in sorted(folder.glob("liquid_filter*.safetensors")):
        adviser = Adviser.load(path)
        card = json.loads(adviser.notes["card"])
        size = sum(w.size for w in adviser.step.weights.values()) + adviser.heads.size
        for name, experts in (("liquid", EXPERTS["liquid"]), ("network", ("liquid",))):
            run = partial(run_experts, adviser, experts)
            found.append(
                Learned(
                    name, f"{round(size, -4) // 1000}k", card["arm"], int(card["model"]), size, run
                )
            )
    return found


def run_experts(
    adviser: Adviser, experts: tuple[str, ...], flights: Flights, known: bool
) -> Estimates:
    """Filter every flight, its world turned so that gravity pulls down.

    Args:
        adviser: Leads the liquid expert.
        experts: Names of them.
        flights: N tracks, T frames.
        known: Whether the filter is told gravity.
    """
    down = (0.0, 0.0, -GRAVITY if known else 0.0)
    return run_design(design_filter(FilterSettings(gravity=down), experts, adviser), flights)


def run_design(design: Design, flights: Flights) -> Estimates:
    """Filter every flight as the node would, its world turned so that gravity pulls down."""
    experts = design.experts
    turn = _upright(flights.gravity)
    there = flights.turned(turn)
    n, frames = flights.t.shape
    x, P = np.empty((n, frames, 9)), np.empty((n, frames, 9, 9))
    log_density = np.full((n, frames), np.nan)
    regret = [RegretRecord.begin((n,), len(experts), float(design.bank.prior.min()))]
    first = flights.seen.argmax(axis=1)
    newborn = _born(design, measurement_at(there, np.arange(n), first))
    belief, rejected = newborn, np.zeros(n, dtype=int)
    for k in range(frames):
        rows = np.flatnonzero((first < k) & flights.seen[:, k])
        if k:
            dt = flights.t[:, k] - flights.t[:, k - 1]
            belief = _ahead(design, belief, dt)
            belief = belief.put(first >= k, newborn.take(first >= k))
        if len(rows):
            measurement = measurement_at(there, rows, k)
            before = belief.take(rows)
            before = widen(before) if measurement.B.size else before
            losses = judge(design, before, measurement).loss
            _, mixture = weigh(before.log_w, losses)
            log_density[rows, k] = -mixture
            given = forgotten(design.bank.hedge_rate, before.since)
            entry = _entered(regret[-1], rows, losses, mixture, given)
            regret.append(entry)
            after, d2 = enter_measurement(design, before, measurement)
            belief = belief.put(rows, after)
            rejected[rows] = np.where(d2 > 1, rejected[rows] + 1, 0)
            lost = rejected[rows] >= design.rules.rejections
            if lost.any():
                belief = belief.put(rows[lost], _born(design, measurement.take(lost)))
                rejected[rows[lost]] = 0
        else:
            regret.append(regret[-1])
        x[:, k], P[:, k], _ = output(design, belief)
    return _turned_back(x, P, turn, log_density, regret[1:])


def _ahead(design: Design, belief: Belief, dt: Array) -> Belief:
    mixed = mix(design.bank, belief, dt)
    led = led_by(design, belief.log_q)
    return propagate(design.bank, mixed, dt, log_q=led)[0]


def _entered(
    record: RegretRecord, rows: Array, losses: Array, mixture: Array, given: Array
) -> RegretRecord:
    """Return the record with the measurements of some tracks."""
    mine = RegretRecord(
        record.losses[rows], record.mixture[rows], record.bound[rows], record.least
    )
    after = mine.add(losses, mixture, given)
    parts = {name: getattr(record, name).copy() for name in ("losses", "mixture", "bound")}
    for name, part in parts.items():
        part[rows] = getattr(after, name)
    return replace(record, **parts)


def _turned_back(
    x: Array, P: Array, turn: Array, log_density: Array, regret: list[RegretRecord]
) -> Estimates:
    whole = np.zeros((len(turn), 6, 6))
    whole[:, :3, :3] = whole[:, 3:, 3:] = turn
    covariance = whole.swapaxes(1, 2)[:, None] @ P[..., :6, :6] @ whole[:, None]
    curves = Regret(
        np.stack([one.losses for one in regret], axis=1),
        np.stack([one.mixture for one in regret], axis=1),
        np.stack([one.bound for one in regret], axis=1),
    )
    return Estimates(x[..., :3] @ turn, x[..., 3:6] @ turn, covariance, log_density, regret=curves)


def _upright(gravity: Array) -> Array:
    """Return rotations (N, 3, 3) that turn gravity (N, 3) to −z."""
    z = -gravity / np.linalg.norm(gravity, axis=1, keepdims=True)
    helper = np.where(np.abs(z[:, :1]) < 0.9, [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
    x = np.cross(helper, z)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return np.stack([x, np.cross(z, x), z], axis=1)


def _born(design: Design, measurement: Measurement) -> Belief:
    root = measurement.root if measurement.B.size else None
    z, R = measurement.z, measurement.R
    return birth(design.bank, z, R, design.speed_sigma, root, units=design.units)
