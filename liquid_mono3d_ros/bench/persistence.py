"""Which tracks last: the filter's judge beside counting, IPDA, a sequential test, and regressions.

The peers are tuned on births of their own, the judge was trained on others; nothing here was
opened before. At equal false-track rates the thresholds are read off the test births themselves,
for every method alike, and counting gets the best two of its rules for each rate, chosen there.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from liquid_mono3d_ros.bench.persistence_node import through_the_node
from liquid_mono3d_ros.bench.persistence_peers import (
    MOST,
    PEERS,
    Rule,
    count,
    fit_odds,
    mixed,
    recent,
    rules,
    tune,
)
from liquid_mono3d_ros.bench.persistence_runs import Watched, judged, watch
from liquid_mono3d_ros.bench.persistence_scores import (
    AGES,
    DRAWS,
    LEVELS,
    area,
    confirmed,
    cost_of,
    highest,
    interval,
    summary,
    threshold,
    waited,
)
from liquid_mono3d_ros.bench.report import Report, Target
from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.liquid.advice import Adviser
from liquid_mono3d_ros.liquid.persistence import SIGNS, WEIGHTS, Judge
from liquid_mono3d_ros.liquid.trajectory_filter import WEIGHTS as FILTER_WEIGHTS
from liquid_mono3d_ros.synth.births import CENTRE, KINDS, SHARES, Births, draw_births
from liquid_mono3d_ros.synth.conditions import Conditions

TUNING_SEED, TEST_SEED = 800, 900
"""Of the births on which peers and thresholds are tuned, and of those that are opened here."""
COUNTS = ("seen", "hits", "age", "missed", "share of hits", "time step", "cameras")
"""What a regression on counts hears."""
MAIN, COUNTING = "judge", "M of N"
OBJECTS, CLUTTER = SHARES[:2], SHARES[2:]
CONDITIONS: dict[str, tuple[Conditions, tuple[float, ...]]] = {
    "8 Hz": (replace(CENTRE, rate=8.0), SHARES),
    "120 Hz": (replace(CENTRE, rate=120.0), SHARES),
    "nothing dropped": (replace(CENTRE, dropout=0.0, bursts=0.0), SHARES),
    "half the images dropped": (replace(CENTRE, dropout=0.5), SHARES),
    "noise 3": (replace(CENTRE, noise=3.0), SHARES),
    "outliers 15 %": (replace(CENTRE, outliers=0.15), SHARES),
    "four of five are clutter": (CENTRE, (*OBJECTS, *(4 * share for share in CLUTTER))),
    "one of five is clutter": (CENTRE, (*(4 * share for share in OBJECTS), *CLUTTER)),
    "clutter is all reflections": (CENTRE, (*OBJECTS, 0, 0, 0, 0.5)),
    "clutter is all glints, objects hover": (
        replace(CENTRE, families=("hover",)),
        (*OBJECTS, 0, 0.5, 0, 0),
    ),
}
"""Name → recordings and shares; each changes one thing of the centre."""
SHIFTED_RATE = 0.05
"""False-track rate at which the conditions are compared."""


def measure(
    *, quick: bool = False, figure: str = "", tracks: int = 12000, judge: Judge | None = None
) -> Report:
    """Compare the judge with its peers.

    Args:
        quick: Few tracks.
        figure: Folder for the picture; none is drawn when empty.
        tracks: Of the test; two thirds as many to tune on.
        judge: By default that of the package.
    """
    judge = Judge.load(WEIGHTS) if judge is None else judge
    tracks = min(tracks, 1200) if quick else tracks
    births, other = draw_births(tracks, TEST_SEED), draw_births(2 * tracks // 3, TUNING_SEED)
    tuning, test = watch(other), watch(births)
    tuned = tune(tuning, cost_of(tuning.seen, tuning.lasting))
    scored = [_scores(judge, tuned, tuning, one) for one in (tuning, test)]
    if not quick:
        _add_network_state(scored, tuning, other, births)
    rows = [_drawn("tuning", other), _drawn("test", births)]
    rows += [{"peer": name, **_rounded(values)} for name, values in tuned.items()]
    rows += _kept(scored, tuning, test, births)
    equal, ratios = _at_equal_rates(scored[1], test, births)
    ages = _by_age(scored[1], test)
    rows += [*equal, *ratios, *ages]
    rows += _shifted(judge, tuned, tuning, tracks // 6)
    rows += through_the_node(births.take(slice(tracks // 20)))
    rows.append(_cost(judge, test))
    if figure:
        from liquid_mono3d_ros.bench.persistence_figure import draw_picture

        draw_picture(figure, equal, ages)
    return Report("persistence", rows, _targets(ratios))


def _scores(
    judge: Judge, tuned: Mapping[str, Mapping[str, float]], tuning: Watched, watched: Watched
) -> dict[str, Array]:
    """Return method → score of every update; regressions are fitted to the tuning births."""
    found = {MAIN: judged(judge, watched)}
    found |= {name: PEERS[name].score(watched, values) for name, values in tuned.items()}
    columns = {"logistic, counts": [list(SIGNS).index(name) for name in COUNTS]}
    columns["logistic, all the judge hears"] = list(range(len(SIGNS)))
    for name, chosen in columns.items():
        found[name] = _regression(tuning.heard[..., chosen], tuning, watched.heard[..., chosen])
    return found


def _regression(heard: Array, tuning: Watched, told: Array) -> Array:
    """Return the log odds by a regression fitted to the updates with a measurement."""
    truth = np.broadcast_to(tuning.lasting[:, None], tuning.seen.shape)[tuning.seen]
    w = fit_odds(heard[tuning.seen], truth)
    return np.asarray(told @ w[:-1] + w[-1])


def _add_network_state(
    scored: list[dict[str, Array]], tuning: Watched, other: Births, births: Births
) -> None:
    """Add a linear head on the state of the filter's own network beside what the judge hears."""
    try:
        adviser = Adviser.load(FILTER_WEIGHTS)
    except (OSError, ValueError) as error:
        print(f"No row for a head on the filter's network: {error}")
        return
    told = [watch(one, adviser) for one in (other, births)]
    both = [np.concatenate((one.heard, one.hidden), axis=2) for one in told]
    for scores, heard in zip(scored, both, strict=True):
        scores["logistic, filter's own state"] = _regression(both[0], tuning, heard)


def _drawn(name: str, births: Births) -> dict[str, Any]:
    counts = np.bincount(births.kind, minlength=len(KINDS)).tolist()
    share = max(births.lasting.mean(), 1 - births.lasting.mean())
    return {
        "births": name,
        **{f"{kind}s": n for kind, n in zip(KINDS, counts, strict=True)},
        "commoner_answer_percent": 100 * float(share),
        "sha256": births.digest(),
    }


def _kept(
    scored: list[dict[str, Array]], tuning: Watched, test: Watched, births: Births
) -> list[dict[str, Any]]:
    """Score every method with the threshold, or the rules, found on the tuning births."""
    rows = []
    for rate in LEVELS:
        for name in scored[0]:
            above = threshold(highest(scored[0][name], tuning.seen), tuning.lasting, rate)
            at = confirmed(highest(scored[1][name], test.seen), above)
            rows.append(_row("threshold kept", rate, name, at, births))
        careful, bold, chance = _counting(tuning, rate)
        at = _tossed(test, careful, bold, chance)
        row = _row("threshold kept", rate, COUNTING, at, births)
        rows.append({**row, "rules": _words(careful, bold, chance)})
    return [{**row, "rules": row.get("rules", "")} for row in rows]


def _at_equal_rates(
    scores: Mapping[str, Array], test: Watched, births: Births
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Score every method at the same share of clutter confirmed, and compare the judge."""
    rows, ratios = [], []
    best = {name: highest(score, test.seen) for name, score in scores.items()}
    for rate in LEVELS:
        at = {COUNTING: _tossed(test, *_counting(test, rate))}
        reached = float(np.isfinite(at[COUNTING][~test.lasting]).mean())
        for name in scores:
            above = threshold(best[name], test.lasting, reached)
            at[name] = confirmed(best[name], above)
        rows += [_row("equal rate", rate, name, found, births) for name, found in at.items()]
        for name in (peer for peer in at if peer != MAIN):
            theirs = at[COUNTING] if name == COUNTING else best[name]
            ratio = partial(_wait_ratio, best[MAIN], theirs, test.lasting, rate)
            value = ratio(np.arange(len(test.lasting)))
            low, high = interval(ratio, len(test.lasting), DRAWS // 5)
            medians = [float(np.median(at[one][test.lasting])) for one in (MAIN, name)]
            ratios.append(
                {
                    "false_tracks_percent": 100 * rate,
                    "judge_over": name,
                    "mean_wait_ratio": round(value, 3),
                    "low_95": round(low, 3),
                    "high_95": round(high, 3),
                    "median_wait_ratio": round(medians[0] / medians[1], 3),
                }
            )
    return rows, ratios


def _wait_ratio(best: Array, theirs: Array, lasting: Array, rate: float, rows: Array) -> float:
    """Return the judge's mean wait over a peer's, both at the same false-track rate.

    Args:
        best: Highest scores of the judge so far, (N, T).
        theirs: The same of a peer; or the updates in which counting confirms, (N,), whose rate
            is then that of both.
        lasting: Which tracks are of objects, (N,) bool.
        rate: False-track rate.
        rows: Tracks that count, as often as they are named, (K,).
    """
    mine, lasting, theirs = best[rows], lasting[rows], theirs[rows]
    if theirs.ndim == 1:
        rate = float(np.isfinite(theirs[~lasting]).mean())
    else:
        theirs = confirmed(theirs, threshold(theirs, lasting, rate))
    ours = confirmed(mine, threshold(mine, lasting, rate))
    means = [waited(at[lasting], best.shape[1]).mean() for at in (ours, theirs)]
    return float(means[0] / means[1])


def _counting(watched: Watched, rate: float) -> tuple[Rule, Rule, float]:
    frames = watched.seen.shape[1]
    found = {rule: count(watched.seen, rule) for rule in rules()}
    return mixed(found, watched.lasting, rate, lambda at: float(waited(at, frames).mean()))


def _tossed(watched: Watched, careful: Rule, bold: Rule, chance: float) -> Array:
    """Return what confirms each track when a coin picks its rule."""
    coin = np.random.default_rng(0).random(len(watched.lasting)) < chance
    return np.where(coin, count(watched.seen, careful), count(watched.seen, bold))


def _words(careful: Rule, bold: Rule, chance: float) -> str:
    def say(rule: Rule) -> str:
        return f"{rule[0]} of {'the last' if rule[2] else 'the first'} {rule[1]}"

    return say(careful) if chance == 1 else f"{say(careful)} ({chance:.2f}), else {say(bold)}"


def _row(table: str, rate: float, name: str, at: Array, births: Births) -> dict[str, Any]:
    found = summary(at, births.flights.t, births.lasting)
    return {"table": table, "false_tracks_percent": 100 * rate, "method": name, **_rounded(found)}


def _by_age(scores: Mapping[str, Array], test: Watched) -> list[dict[str, Any]]:
    """Return how well the answers of one age part objects from clutter."""
    counted = {f"hits of the last {MOST}": recent(test.seen, MOST).astype(float)}
    rows = []
    for name, score in {**scores, **counted}.items():
        areas = [round(area(score[:, age - 1], test.lasting), 4) for age in AGES]
        row: dict[str, Any] = {"method": name, "auc_after_1_to_15_updates": areas}
        for age in (3, 5, 10):

            def value(rows: Array, at: Array = score[:, age - 1]) -> float:
                return area(at[rows], test.lasting[rows])

            low, high = interval(value, len(test.lasting), DRAWS)
            row[f"auc_after_{age}_low_95"], row[f"auc_after_{age}_high_95"] = low, high
        rows.append(row)
    said = scores[MAIN]
    right = [100 * float(((said[:, k - 1] > 0.5) == test.lasting).mean()) for k in AGES]
    share = 100 * float(max(test.lasting.mean(), 1 - test.lasting.mean()))
    rounded = [round(value, 1) for value in right]
    return [
        *rows,
        {"judge_right_after_1_to_15_percent": rounded, "commoner_answer_percent": share},
    ]


def _shifted(
    judge: Judge, tuned: Mapping[str, Mapping[str, float]], tuning: Watched, tracks: int
) -> list[dict[str, Any]]:
    """Compare judge and peers where the world is another one, at an equal false-track rate."""
    rows = []
    kept = threshold(highest(judged(judge, tuning), tuning.seen), tuning.lasting, SHIFTED_RATE)
    for number, (name, (conditions, shares)) in enumerate(CONDITIONS.items(), start=1):
        births = draw_births(tracks, TEST_SEED + number, conditions, shares)
        one = watch(births)
        frames, lasting = one.seen.shape[1], one.lasting
        scores = {MAIN: judged(judge, one)}
        scores |= {peer: PEERS[peer].score(one, values) for peer, values in tuned.items()}
        at = {COUNTING: _tossed(one, *_counting(one, SHIFTED_RATE))}
        rate = float(np.isfinite(at[COUNTING][~lasting]).mean())
        for method, score in scores.items():
            best = highest(score, one.seen)
            at[method] = confirmed(best, threshold(best, lasting, rate))
        waits = {method: waited(found[lasting], frames).mean() for method, found in at.items()}
        held = confirmed(highest(scores[MAIN], one.seen), kept)
        rows.append(
            {
                "condition": name,
                "false_tracks_percent": 100 * rate,
                **{f"{method} mean_frames": float(wait) for method, wait in waits.items()},
                "judge_over_best_peer": float(
                    waits[MAIN] / min(wait for method, wait in waits.items() if method != MAIN)
                ),
                "auc_after_5": area(scores[MAIN][:, 4], lasting),
                "false_percent_threshold_kept": summary(held, births.flights.t, lasting)[
                    "false_percent"
                ],
            }
        )
    return [_rounded(row) for row in rows]


def _cost(judge: Judge, watched: Watched) -> dict[str, Any]:
    """Time one call of the judge's network, for one track and for 64."""
    row: dict[str, Any] = {"step": "network alone"}
    for n in (1, 64):
        heard, dt = watched.heard[:n, 5], watched.dt[:n, 5]
        hidden, spent = np.zeros((n, judge.units), dtype=np.float32), []
        for _ in range(300):
            begun = time.process_time_ns()
            for _ in range(10):
                judge(heard, hidden, dt)
            spent.append((time.process_time_ns() - begun) / 10)
        row[f"{n}_tracks_us"] = round(float(np.median(spent)) / 1e3, 1)
    return row


def _targets(ratios: list[dict[str, Any]]) -> list[Target]:
    """Return the claim at every level: against the best rule of counting, and the best peer."""
    targets = []
    for rate in LEVELS:
        mine = [row for row in ratios if row["false_tracks_percent"] == 100 * rate]
        of = {row["judge_over"]: row["mean_wait_ratio"] for row in mine}
        classical = max(of[name] for name in (COUNTING, *PEERS))
        end = f"at {100 * rate:g} % false tracks, ratio"
        targets += [
            Target(f"mean wait over M of N {end}", of[COUNTING], 0.7),
            Target(f"mean wait over the best of M of N, IPDA, SPRT {end}", classical, 0.7),
        ]
    return targets


def _rounded(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: float(f"{value:.4g}") if isinstance(value, float) else value
        for key, value in row.items()
    }
