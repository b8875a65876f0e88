"""The numbers of the filter bank that foretell recorded measurements best."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from liquid_mono3d_ros.liquid.design import FilterSettings, design_filter
from liquid_mono3d_ros.search import Parameters, Space, search
from liquid_mono3d_ros.synth.flight_table import Flights
from liquid_mono3d_ros.train.measured_conditions import predictive_loss

NOISES = ("steady_noise", "turning_noise", "hard_noise", "abrupt_noise", "falling_noise")
MODELS = tuple(name.removesuffix("_noise") for name in NOISES)
FACTORS = {
    **dict.fromkeys(NOISES, 100.0),
    "acceleration_sigma": 10.0,
    "switch_rate": 10.0,
    "probability_floor": 10.0,
    "initial_speed": 5.0,
}
"""Setting → how many times less or more than the first value is searched."""
MISS = (1e-4, 0.05)
"""Chance that a right measurement does not pass the gate."""
SHARE = (0.01, 1.0)
MOST = 60
"""Stretches that one evaluation looks at."""


def tune_bank(
    flights: Flights,
    first: FilterSettings,
    *,
    evaluations: int,
    tell: Callable[[str], None] = print,
) -> FilterSettings:
    """Return the settings with which the imm foretells the measurements best.

    Args:
        flights: Stretches of recorded tracks; ``MOST`` of them, drawn, are looked at.
        first: Where the search begins.
        evaluations: How many settings are tried.
        tell: Is told where the search begins and ends.
    """
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(flights))[:MOST]
    some = flights.take(np.sort(rows))

    def evaluate(values: Parameters) -> float:
        design = design_filter(settings_of(values, first), ("imm",))
        return float(np.nanmean(predictive_loss(design, some)))

    begun = float(np.nanmean(predictive_loss(design_filter(first, ("imm",)), some)))
    values, reached = search(space(first), evaluate, evaluations=evaluations)
    tell(f"bank: {begun:.3f} → {reached:.3f} nats a measurement on the fitted part")
    return settings_of(values, first) if reached < begun else first


def space(first: FilterSettings) -> Space:
    """Return what is searched: parameter → lowest, highest and first value."""
    found: dict[str, tuple[float, float, float]] = {}
    bounds = {leaf.name: leaf.bounds for leaf in FilterSettings.leaves()}
    for name, factor in FACTORS.items():
        value, limits = float(getattr(first, name)), bounds[name] or (0.0, np.inf)
        found[name] = max(value / factor, limits[0]), min(value * factor, limits[1]), value
    miss = 1.0 - first.gate_probability
    found["miss"] = *MISS, float(np.clip(miss, *MISS))
    for name, share in zip(MODELS, first.share, strict=True):
        found[f"{name}_share"] = *SHARE, float(np.clip(share, *SHARE))
    return found


def settings_of(values: Parameters, first: FilterSettings) -> FilterSettings:
    """Return the settings that parameters stand for, four digits each."""
    share = np.array([values[f"{name}_share"] for name in MODELS])
    given: dict[str, Any] = {name: _round(values[name]) for name in FACTORS}
    given["gate_probability"] = 1.0 - _round(values["miss"])
    given["share"] = tuple(max(_round(part), 1e-3) for part in share / share.sum())
    return replace(first, **given)


def bank_numbers(settings: FilterSettings) -> Mapping[str, Any]:
    """Return what weights note of the bank that they were trained over."""
    names = (*FACTORS, "gate_probability", "gate_abrupt", "bias_time")
    numbers = {name: getattr(settings, name) for name in names}
    return {**numbers, "share": list(settings.share)}


def _round(value: float) -> float:
    return float(f"{value:.4g}")
