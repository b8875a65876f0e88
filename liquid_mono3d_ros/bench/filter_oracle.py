"""Filters that know more than a filter can: the true motion family, or the future."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from liquid_mono3d_ros.bench.filter_banks import run_bank
from liquid_mono3d_ros.bench.filter_baselines import (
    Model,
    make_bank,
    make_rules,
    told_gravity,
)
from liquid_mono3d_ros.bench.filter_estimates import Estimates
from liquid_mono3d_ros.bench.filter_search import objective
from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.search import Parameters, search
from liquid_mono3d_ros.synth.flight_table import Flights
from liquid_mono3d_ros.synth.motions import FAMILIES

KINDS = {"velocity": (1e-4, 1e4, 0.1), "acceleration": (1e-2, 1e6, 30.0), "fall": (1e-4, 1e4, 0.1)}
"""Model → range of its noise; the oracle has the one that suits the family best."""
FAMILY_EVALUATIONS = 30
"""Of each model on the tracks of each family."""


def tune_oracle(
    flights: Flights, *, evaluations: int = FAMILY_EVALUATIONS
) -> dict[str, dict[str, float]]:
    """Search the best single Kalman filter for each family present.

    Returns:
        ``oracle-FAMILY-KIND`` → parameters, one kind for each family.
    """
    found = {}
    for index in np.unique(flights.family).tolist():
        own = flights.take(flights.family == index)
        tried = {}
        for kind, noise in KINDS.items():
            space = {
                "only_noise": noise,
                "miss": (1e-6, 0.1, 1e-3),
                "speed_sigma": (0.5, 30.0, 4.0),
                "acceleration_sigma": (0.3, 50.0, 5.0),
            }
            run = partial(_judge, own, kind)
            tried[kind] = search(space, run, evaluations=evaluations)
        best = min(tried, key=lambda kind: tried[kind][1])
        found[f"oracle-{FAMILIES[index]}-{best}"] = tried[best][0]
    return found


def run_oracle(tuned: Mapping[str, Parameters], flights: Flights) -> Estimates:
    """Filter each flight by the Kalman filter tuned for its family; gravity is told.

    Families without one are NaN.
    """
    n, frames = flights.t.shape
    xyz, velocity = np.full((2, n, frames, 3), np.nan)
    covariance, log_density = np.full((n, frames, 6, 6), np.nan), np.full((n, frames), np.nan)
    for name, values in tuned.items():
        _, family, kind = name.split("-")
        rows = flights.family == FAMILIES.index(family)
        if rows.any():
            own = _run(flights.take(rows), kind, values)
            xyz[rows], velocity[rows] = own.xyz, own.velocity
            covariance[rows], log_density[rows] = own.covariance, own.log_density
    return Estimates(xyz, velocity, covariance, log_density)


def knows(tuned: Mapping[str, Parameters], flights: Flights) -> bool:
    """Say whether there is a filter for every family present."""
    families = {FAMILIES.index(name.split("-")[1]) for name in tuned}
    present: Array = np.unique(flights.family)
    return set(present.tolist()) <= families


def _judge(flights: Flights, kind: str, values: Parameters) -> float:
    return objective(_run(flights, kind, values), flights)


def _run(flights: Flights, kind: str, values: Parameters) -> Estimates:
    bank = make_bank({"only": Model(kind, KINDS[kind])}, values)
    return run_bank(bank, make_rules(values), flights, told_gravity(flights, True))
