"""The one search that tunes every baseline: so many evaluations on the same training flights."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from liquid_mono3d_ros.bench.filter_baselines import BASELINES, Parameters, Space
from liquid_mono3d_ros.bench.filter_estimates import Estimates, is_scored
from liquid_mono3d_ros.bench.filter_scores import negative_log_density
from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.synth.flight_table import Flights

EVALUATIONS = 200
RANDOM_SHARE = 0.25
"""Of the evaluations drawn from the whole space; the rest steps from the best so far."""
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


def search(
    space: Space,
    evaluate: Callable[[Parameters], float],
    *,
    evaluations: int = EVALUATIONS,
    seed: int = 0,
) -> tuple[dict[str, float], float]:
    """Return the best parameters found, and their value.

    First values, then a quarter of the evaluations log-uniform over the space, then steps from
    the best: a normal step, on the logarithmic scale, in a random half of the parameters. The
    step grows by half with each success and shrinks so that one success in five keeps it.

    Source: Rechenberg, Evolutionsstrategie, 1973: the (1+1) strategy with the 1/5 rule.

    Args:
        space: Parameter → lowest, highest, first value.
        evaluate: What is made small.
        evaluations: So many.
        seed: Of what is drawn.
    """
    names, rng = list(space), np.random.default_rng(seed)
    if not names:
        return {}, evaluate({})
    low, high, first = np.log([space[name] for name in names]).T
    best, value = first, evaluate(_named(names, first))
    step = 0.1 * (high - low)
    for k in range(1, evaluations):
        if k <= RANDOM_SHARE * evaluations:
            trial = rng.uniform(low, high)
        else:
            moved = rng.random(len(names)) < 0.5
            moved[rng.integers(len(names))] = True
            trial = np.clip(best + moved * step * rng.normal(size=len(names)), low, high)
        reached = evaluate(_named(names, trial))
        if reached < value:
            best, value = trial, reached
            step = np.minimum(step * 1.5, 0.3 * (high - low))
        elif k > RANDOM_SHARE * evaluations:
            step = np.maximum(step * 1.5**-0.25, 0.005 * (high - low))
    return _named(names, best), value


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


def _named(names: Sequence[str], logs: Array) -> dict[str, float]:
    return {name: float(value) for name, value in zip(names, np.exp(logs), strict=True)}
