"""Every baseline tuned by the one search: so many evaluations on the same training flights."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from liquid_mono3d_ros.bench.filter_baselines import BASELINES
from liquid_mono3d_ros.bench.filter_estimates import Estimates, is_scored
from liquid_mono3d_ros.bench.filter_scores import negative_log_density
from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.search import EVALUATIONS, Parameters, search
from liquid_mono3d_ros.synth.flight_table import Flights

NLL_WEIGHT = 0.05
"""Of a nat a position in the objective beside the logarithm of the RMSE: 0.2 nats are 1 %."""
TUNED = Path(__file__).with_name("filter_tuned.json")


def objective(estimates: Estimates, flights: Flights) -> float:
    """Return what the search makes small: log RMSE, and a little of the mean NLL of the truth.

    The tracks with a systematic error and those without are judged apart, each by its number: the
    error cannot be filtered away, and would hide everything else. Filters that state no covariance
    are judged by
    the RMSE alone.
    """
    slow: Array = np.asarray(flights.B.any(axis=(1, 2, 3)))
    parts = [rows for rows in (slow, ~slow) if rows.any()]
    return float(sum(rows.mean() * _objective(estimates, flights, rows) for rows in parts))


def _objective(estimates: Estimates, flights: Flights, rows: Array) -> float:
    scored = is_scored(flights) & rows[:, None]
    away = (estimates.xyz - flights.xyz)[scored]
    if not np.isfinite(away).all():
        return float("inf")
    value = float(np.log(np.sqrt(np.mean((away**2).sum(axis=1)))))
    P = estimates.covariance[scored][:, :3, :3]
    if np.isnan(P).all():
        return value
    return value + NLL_WEIGHT * float(np.mean(negative_log_density(away, P)))


def tune(
    flights: Flights, names: Sequence[str] = tuple(BASELINES), *, evaluations: int = EVALUATIONS
) -> dict[str, dict[str, float]]:
    """Search the parameters of the named baselines on training flights, gravity told.

    Args:
        flights: To train on.
        names: Of ``BASELINES``.
        evaluations: Of each.
    """
    found = {}
    for name in names:
        baseline = BASELINES[name]

        def evaluate(values: Parameters, run: Callable[..., Estimates] = baseline.run) -> float:
            return objective(run(flights, values, True), flights)

        found[name], _ = search(baseline.space, evaluate, evaluations=evaluations)
    return found


def read_tuned(path: Path = TUNED) -> dict[str, dict[str, float]]:
    """Read baseline → parameters.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    content: dict[str, dict[str, float]] = json.loads(path.read_text(encoding="utf-8"))
    return content


def write_tuned(tuned: Mapping[str, Parameters], path: Path = TUNED) -> None:
    """Write baseline → parameters, four digits each."""
    rounded = {
        name: {key: float(f"{value:.4g}") for key, value in values.items()}
        for name, values in tuned.items()
    }
    path.write_text(json.dumps(rounded, indent=1) + "\n", encoding="utf-8")
