"""All filters on the same flights: who is the bar, and by how much each is better or worse."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from liquid_mono3d_ros.bench.filter_baselines import BASELINES
from liquid_mono3d_ros.bench.filter_estimates import Estimates, Learned, Run
from liquid_mono3d_ros.bench.filter_links import smoothed
from liquid_mono3d_ros.bench.filter_oracle import knows, run_oracle
from liquid_mono3d_ros.bench.filter_scores import Errors, errors, ratio, score
from liquid_mono3d_ros.search import Parameters
from liquid_mono3d_ros.synth.flight_table import Flights

CLASSICAL, BEYOND, LEARNED = "classical", "beyond", "learned"
"""Kinds of filters; those beyond know the future or the motion."""
DIGITS = 5
"""Of the numbers in rows."""


@dataclass(frozen=True)
class Entrant:
    """A filter, once for each seed of its training.

    Attributes:
        label: Of its rows.
        kind: ``classical``, ``beyond`` or ``learned``.
        runs: One or more.
        parameters: Numbers that training could move; 0 when not learned.
        can_run: Whether it can run on flights, gravity told or not.
    """

    label: str
    kind: str
    runs: tuple[Run, ...]
    parameters: int = 0
    can_run: Callable[[Flights, bool], bool] = lambda flights, known: True


@dataclass(frozen=True)
class Outcome:
    """What an entrant reached.

    Attributes:
        entrant: Whose.
        errors: Of each seed.
        scores: Metrics, means over the seeds.
        over_bound: Largest regret less its bound, of all seeds, nats; NaN without experts.
    """

    entrant: Entrant
    errors: tuple[Errors, ...]
    scores: Mapping[str, float]
    over_bound: float


@dataclass(frozen=True)
class Contest:
    """All outcomes under one condition.

    Attributes:
        condition: Its name.
        gravity: Whether gravity was told.
        outcomes: By label.
    """

    condition: str
    gravity: bool
    outcomes: Mapping[str, Outcome]

    @property
    def bar(self) -> str:
        """Label of the classical filter with the least RMSE here."""
        rmse = {
            label: one.scores["rmse_mm"]
            for label, one in self.outcomes.items()
            if one.entrant.kind == CLASSICAL
        }
        return min(rmse, key=lambda label: rmse[label])

    def ratio(self, ours: str, theirs: str) -> tuple[float, float, float]:
        """Return the ratio of the RMSE of two entrants, and its 95 % interval."""
        return ratio(self.outcomes[ours].errors, self.outcomes[theirs].errors)

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of the table."""
        told = {"condition": self.condition, "gravity": "told" if self.gravity else "not told"}
        return [
            {
                **told,
                "filter": label,
                "parameters": one.entrant.parameters,
                "seeds": len(one.errors),
                **{key: rounded(value) for key, value in one.scores.items()},
                "regret_over_bound_nats": rounded(one.over_bound),
            }
            for label, one in self.outcomes.items()
        ]


def compete(condition: str, flights: Flights, known: bool, entrants: Sequence[Entrant]) -> Contest:
    """Run every entrant that can run."""
    able = [one for one in entrants if one.can_run(flights, known)]
    return Contest(condition, known, {one.label: _outcome(one, flights, known) for one in able})


def _outcome(entrant: Entrant, flights: Flights, known: bool) -> Outcome:
    found, each, over = [], [], [np.nan]
    for run in entrant.runs:
        estimates = run(flights, known)
        found.append(errors(estimates, flights))
        each.append(score(estimates, flights))
        if estimates.regret is not None:
            over.append(float((estimates.regret.excess - estimates.regret.bound).max()))
    scores = {key: float(np.mean([one[key] for one in each])) for key in each[0]}
    return Outcome(entrant, tuple(found), scores, float(np.fmax.reduce(over)))


def entrants(tuned: Mapping[str, Parameters], learned: Sequence[Learned] = ()) -> list[Entrant]:
    """Return every filter: the tuned baselines, what is beyond a filter, and the learned ones.

    Args:
        tuned: Baseline, or oracle's filter, → parameters.
        learned: Filters of several seeds, which are gathered.
    """
    found = [
        Entrant(name, CLASSICAL, (partial(_run_baseline, name, tuned[name]),))
        for name in BASELINES
        if name in tuned
    ]
    bank = "imm5"
    if bank in tuned:
        runs = (partial(_run_smoother, bank, tuned[bank]),)
        found.append(Entrant(f"{bank} smoother (offline)", BEYOND, runs))
    oracle = {name: values for name, values in tuned.items() if name.startswith("oracle-")}
    if oracle:

        def can_run(flights: Flights, known: bool) -> bool:
            return known and knows(oracle, flights)

        runs = (partial(_run_oracle, oracle),)
        found.append(Entrant("oracle: motion told", BEYOND, runs, can_run=can_run))
    labels = dict.fromkeys(label_of(one) for one in learned)
    for label in labels:
        own = [one for one in learned if label_of(one) == label]
        runs_learned = tuple(one.run for one in own)
        found.append(Entrant(label, LEARNED, runs_learned, own[0].parameters))
    return found


def label_of(one: Learned) -> str:
    """Return the name of its rows, the same for all seeds."""
    return f"{one.name}-{one.size} {one.weights}"


def compared(contest: Contest, pairs: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return a row for each pair of labels: RMSE of the first over that of the second."""
    rows = []
    for ours, theirs in pairs:
        middle, low, high = contest.ratio(ours, theirs)
        rows.append(
            {
                "condition": contest.condition,
                "gravity": "told" if contest.gravity else "not told",
                "filter": ours,
                "against": theirs,
                "rmse_ratio": rounded(middle),
                "low_95": rounded(low),
                "high_95": rounded(high),
            }
        )
    return rows


def rounded(value: float) -> float:
    """Return a number with as many digits as a row keeps."""
    return float(f"{value:.{DIGITS}g}")


def _run_baseline(name: str, values: Parameters, flights: Flights, known: bool) -> Estimates:
    return BASELINES[name].run(flights, values, known)


def _run_smoother(name: str, values: Parameters, flights: Flights, known: bool) -> Estimates:
    return smoothed(BASELINES[name].run(flights, values, known, links=True))


def _run_oracle(tuned: Mapping[str, Parameters], flights: Flights, known: bool) -> Estimates:
    return run_oracle(tuned, flights)
