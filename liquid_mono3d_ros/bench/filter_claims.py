"""What the learned filter is to show, as targets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from liquid_mono3d_ros.bench.filter_conditions import HELD_OUT
from liquid_mono3d_ros.bench.filter_contest import CLASSICAL, Contest, label_of
from liquid_mono3d_ros.bench.filter_estimates import Learned
from liquid_mono3d_ros.bench.report import Target

Contests = Mapping[tuple[str, bool], Contest]
"""Name of the condition, gravity told → contest."""

MAIN = "liquid-30k strict"
"""The filter that the claims are about."""
CALIBRATION = ("centre", "calibration 0.1°", "calibration 0.3°")
"""Conditions under which the 95 % ellipsoid must hold what it says."""


def claims(contests: Contests, best_in_training: str, learned: Sequence[Learned]) -> list[Target]:
    """Return the targets of the conditions that were run; none without the main network.

    Args:
        contests: All that were run.
        best_in_training: Label of the single classical filter that is best on the training data.
        learned: All trained filters.
    """
    if MAIN not in {label_of(one) for one in learned}:
        return []
    targets = []
    for (name, known), most in {
        ("centre", True): 0.88,
        ("centre", False): 0.90,
        ("noise 2", True): 0.88,
    }.items():
        if contest := contests.get((name, known)):
            middle, _, high = contest.ratio(MAIN, contest.bar)
            where = f"{slug(name)}{'' if known else '_without_gravity'}"
            targets += [
                Target(f"{where}_rmse_over_bar", middle, most),
                Target(f"{where}_rmse_over_bar_upper_95", high, 1.0),
            ]
    targets += _likelihood(contests)
    for name in HELD_OUT:
        if contest := contests.get((f"held out: {name}", True)):
            middle, _, _ = contest.ratio(MAIN, best_in_training)
            targets.append(Target(f"{name}_rmse_over_best_in_training", middle, 1.05))
    excess = [c.outcomes[MAIN].over_bound for c in contests.values()]
    known_excess = [value for value in excess if not math.isnan(value)]
    if known_excess:
        targets.append(Target("regret_over_its_bound_nats", max(known_excess), 0.0))
    for name in CALIBRATION:
        if contest := contests.get((name, True)):
            inside = contest.outcomes[MAIN].scores["inside_95_percent"]
            targets.append(Target(f"{slug(name)}_coverage_off_95_percent", abs(inside - 95), 2.0))
    return targets


def slug(name: str) -> str:
    """Return a condition's name as part of a metric's.

    Example:
        >>> slug("calibration 0.3°")
        'calibration_0_3_deg'
    """
    name = name.replace("°", " deg").replace("%", "percent")
    return "_".join("".join(c if c.isalnum() else " " for c in name).split()).lower()


def _likelihood(contests: Contests) -> list[Target]:
    """At noise that nobody told: a mean NLL below that of every classical filter."""
    contest = contests.get(("noise 2", True))
    if contest is None:
        return []
    targets = []
    for metric in ("nll", "predictive_nll"):
        theirs = [
            one.scores[metric]
            for one in contest.outcomes.values()
            if one.entrant.kind == CLASSICAL and not math.isnan(one.scores[metric])
        ]
        ours = contest.outcomes[MAIN].scores[metric]
        targets.append(Target(f"noise_2_{metric}_over_best_nats", ours - min(theirs), 0.0))
    return targets
