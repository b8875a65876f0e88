"""The filters that are not learned: what can be tuned in each, and how it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from liquid_mono3d_ros.bench.filter_banks import Rules, run_bank
from liquid_mono3d_ros.bench.filter_estimates import Estimates
from liquid_mono3d_ros.bench.filter_simple import run_one_euro, run_raw, run_savitzky_golay
from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.liquid.measurement import chi2_gate
from liquid_mono3d_ros.liquid.motion import MotionBank
from liquid_mono3d_ros.search import Parameters, Space
from liquid_mono3d_ros.synth.flight_table import Flights


@dataclass(frozen=True)
class Model:
    """One motion model of a bank: ``velocity``, ``acceleration`` or ``fall``.

    Attributes:
        kind: What it holds constant; ``fall`` is a constant velocity that gravity changes.
        noise: Lowest, highest and first value, m²/s³ (white acceleration) or m²/s⁵ (jerk).
        share: First value of the long-run share.
        gated: Whether surprising measurements weigh less in it.
    """

    kind: str
    noise: tuple[float, float, float]
    share: float = 1.0
    gated: bool = True


BANKS: dict[str, dict[str, Model]] = {
    "kf-cv": {"steady": Model("velocity", (0.01, 1e4, 10.0))},
    "kf-ca": {"turning": Model("acceleration", (0.1, 1e5, 100.0))},
    "imm2": {
        "steady": Model("velocity", (1e-3, 1e2, 0.03), 0.6),
        "turning": Model("acceleration", (1.0, 1e5, 100.0), 0.4),
    },
    "imm3": {
        "steady": Model("velocity", (1e-3, 1e2, 0.03), 0.6),
        "turning": Model("acceleration", (0.1, 1e4, 30.0), 0.3),
        "wide": Model("velocity", (1.0, 1e4, 100.0), 0.1),
    },
    "imm5": {
        "steady": Model("velocity", (1e-3, 10.0, 0.03), 0.4),
        "turning": Model("acceleration", (0.1, 1e3, 10.0), 0.2),
        "hard": Model("acceleration", (10.0, 1e5, 300.0), 0.2),
        "wide": Model("velocity", (1.0, 1e4, 100.0), 0.05, gated=False),
        "ballistic": Model("fall", (1e-4, 10.0, 0.01), 0.15),
    },
}
"""Bank → its models."""
VARIANTS: dict[str, Space] = {
    "": {},
    "adaptive": {"adapt": (5e-3, 0.5, 0.05), "cap": (1.5, 10.0, 4.0)},
    "student": {"student": (2.5, 50.0, 5.0)},
    "adaptive-student": {
        "adapt": (5e-3, 0.5, 0.05),
        "cap": (1.5, 10.0, 4.0),
        "student": (2.5, 50.0, 5.0),
    },
}
"""How a bank meets noise that is not as claimed."""
RESTART_AFTER = 5
"""Surprises in a row until a track begins anew, as in the running filter."""


@dataclass(frozen=True)
class Baseline:
    """A filter with parameters to search.

    Attributes:
        name: Of its rows.
        space: What is searched.
        run: Flights, parameters, gravity told → estimates; ``links`` asks for links.
    """

    name: str
    space: Space
    run: Callable[..., Estimates]


def _bank_space(models: Mapping[str, Model]) -> dict[str, tuple[float, float, float]]:
    space = {f"{name}_noise": model.noise for name, model in models.items()}
    space |= {"miss": (1e-6, 0.1, 1e-3), "speed_sigma": (0.5, 30.0, 4.0)}
    if any(model.kind == "acceleration" for model in models.values()):
        space["acceleration_sigma"] = (0.3, 50.0, 5.0)
    if len(models) > 1:
        space |= {f"{name}_share": (0.01, 1.0, model.share) for name, model in models.items()}
        space |= {"switch_rate": (0.02, 30.0, 1.0), "floor": (1e-6, 3e-2, 1e-3)}
    return space


def make_bank(models: Mapping[str, Model], values: Parameters) -> MotionBank:
    """Return the bank that the parameters describe; its shares are made to sum to 1."""
    kinds = [model.kind for model in models.values()]
    share = np.array([values.get(f"{name}_share", 1.0) for name in models])
    return MotionBank(
        accelerates=np.array([kind == "acceleration" for kind in kinds]),
        noise=np.array([values[f"{name}_noise"] for name in models]),
        share=share / share.sum(),
        switch_rate=values.get("switch_rate", 1.0),
        acceleration_sigma=values.get("acceleration_sigma", 5.0),
        floor=values.get("floor", 1e-3),
        falls=np.array([kind == "fall" for kind in kinds]),
        gated=np.array([model.gated for model in models.values()]),
    )


def make_rules(values: Parameters) -> Rules:
    """Return how the parameters let measurements in."""
    return Rules(
        gate=chi2_gate(1.0 - values["miss"], 3),
        speed_sigma=values["speed_sigma"],
        restart_after=RESTART_AFTER,
        student=values.get("student", 0.0),
        adapt=values.get("adapt", 0.0),
        cap=values.get("cap", 4.0),
    )


def told_gravity(flights: Flights, known: bool) -> Array:
    """Return what a filter is told of gravity, (N, 3) m/s²."""
    return flights.gravity if known else np.zeros_like(flights.gravity)


def _run_models(
    flights: Flights,
    values: Parameters,
    known: bool,
    *,
    models: Mapping[str, Model],
    links: bool = False,
) -> Estimates:
    bank, gravity = make_bank(models, values), told_gravity(flights, known)
    return run_bank(bank, make_rules(values), flights, gravity, links=links)


def _run_free(
    flights: Flights, values: Parameters, known: bool, *, run: Callable[..., Estimates]
) -> Estimates:
    return run(flights, **values)


def _baselines() -> dict[str, Baseline]:
    found = [
        Baseline("raw", {}, partial(_run_free, run=run_raw)),
        Baseline(
            "one-euro",
            {
                "cutoff": (0.1, 30.0, 1.0),
                "slope": (1e-3, 30.0, 0.5),
                "speed_cutoff": (0.1, 30.0, 1.0),
                "reach": (0.5, 100.0, 10.0),
            },
            partial(_run_free, run=run_one_euro),
        ),
        Baseline(
            "savitzky-golay",
            {"window": (0.05, 2.0, 0.4), "degree": (0.51, 3.49, 2.0), "gate": (1.5, 10.0, 3.5)},
            partial(_run_free, run=run_savitzky_golay),
        ),
    ]
    for bank, models in BANKS.items():
        for variant, more in VARIANTS.items():
            if variant and bank != "imm5":
                continue
            name = f"{bank}-{variant}" if variant else bank
            space = {**_bank_space(models), **more}
            found.append(Baseline(name, space, partial(_run_models, models=models)))
    return {one.name: one for one in found}


BASELINES = _baselines()
"""By name, in the order of the table."""
