"""Numbers that make something small, found without derivatives: the one search that tunes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from liquid_mono3d_ros.checks import Array

Parameters = Mapping[str, float]
Space = Mapping[str, tuple[float, float, float]]
"""Parameter → lowest, highest and first value; searched on a logarithmic scale."""

EVALUATIONS = 200
RANDOM_SHARE = 0.25
"""Of the evaluations drawn from the whole space; the rest steps from the best so far."""


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


def _named(names: Sequence[str], logs: Array) -> dict[str, float]:
    return {name: float(value) for name, value in zip(names, np.exp(logs), strict=True)}
