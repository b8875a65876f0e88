"""Filters of 3D tracks on simulated flights: the table, the comparisons, the claims.

Every filter that is not learned was tuned by the same search on the same training flights; the
numbers are kept beside this module. The bar is the best of them under the very condition that is
compared, in their favour. Smoother and oracle know more than a filter can, and are no bar.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from liquid_mono3d_ros.bench.filter_baselines import BASELINES
from liquid_mono3d_ros.bench.filter_claims import MAIN, Contests, claims
from liquid_mono3d_ros.bench.filter_conditions import (
    CONDITIONS,
    QUICK,
    WITHOUT_GRAVITY,
    drawn_flights,
    family_flights,
    gap_flights,
    training_flights,
)
from liquid_mono3d_ros.bench.filter_contest import (
    CLASSICAL,
    LEARNED,
    Entrant,
    compared,
    compete,
    entrants,
    label_of,
    rounded,
)
from liquid_mono3d_ros.bench.filter_estimates import Estimates, Learned, is_scored
from liquid_mono3d_ros.bench.filter_learned import learned_filters
from liquid_mono3d_ros.bench.filter_links import lagged
from liquid_mono3d_ros.bench.filter_oracle import tune_oracle
from liquid_mono3d_ros.bench.filter_scores import errors
from liquid_mono3d_ros.bench.filter_search import read_tuned, tune, write_tuned
from liquid_mono3d_ros.bench.report import Report
from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.search import Parameters
from liquid_mono3d_ros.synth.flight_table import Flights
from liquid_mono3d_ros.synth.recordings import haar

LAGS = 15
"""Longest fixed lag, frames."""
BANK = "imm5"
"""The classical filter that is shown with a lag, and turned."""


def measure(
    *,
    quick: bool = False,
    search: bool = False,
    figure: str = "",
    tracks: int = 300,
    learned: Sequence[Learned] | None = None,
) -> Report:
    """Score every filter under every condition.

    Args:
        quick: Few conditions and tracks.
        search: Tune the baselines again first, and keep what is found beside this module.
        figure: Folder for the pictures; none are drawn when empty.
        tracks: Of each condition; of the centre twice as many.
        learned: Trained filters; by default those of the package.
    """
    learned = learned_filters() if learned is None else learned
    if search:
        write_tuned(_searched())
    tuned = read_tuned()
    names = QUICK if quick else tuple(CONDITIONS)
    tracks = min(tracks, 40) if quick else tracks
    contests = _contests(names, tracks, entrants(tuned, learned))
    rows = [row for contest in contests.values() for row in contest.rows()]
    best = _best_in_training(tuned)
    compared_rows = _compared(contests, learned, best)
    flights = drawn_flights("centre", tracks)
    shown = _shown(entrants(tuned, learned))
    estimates = {one.label: _with_links(one, flights, tuned) for one in shown}
    rows += [*compared_rows, *_gaps(entrants(tuned, learned), tracks)]
    rows += [*_lags(estimates, flights), *_turned(shown, flights)]
    if figure:
        from liquid_mono3d_ros.bench.filter_figures import draw_all

        draw_all(figure, rows, estimates, flights)
    return Report("filter", rows, claims(contests, best, learned))


def _searched() -> dict[str, dict[str, float]]:
    flights = training_flights()
    return {**tune(flights), **tune_oracle(family_flights())}


def _contests(names: Sequence[str], tracks: int, competing: Sequence[Entrant]) -> Contests:
    contests = {}
    for name in names:
        flights = drawn_flights(name, 2 * tracks if name == "centre" else tracks)
        for known in (True, False) if name in WITHOUT_GRAVITY else (True,):
            contests[name, known] = compete(name, flights, known, competing)
    return contests


def _best_in_training(tuned: Mapping[str, Parameters]) -> str:
    """Return the classical filter with the least RMSE on the training flights."""
    flights = training_flights()
    rmse = {
        name: errors(BASELINES[name].run(flights, tuned[name], True), flights).rmse
        for name in BASELINES
        if name in tuned
    }
    return min(rmse, key=lambda name: rmse[name])


def _compared(
    contests: Contests, learned: Sequence[Learned], best_in_training: str
) -> list[dict[str, Any]]:
    """Compare each learned filter with the bar, and the bank with simpler filters."""
    labels = {label_of(one): one for one in learned}
    rows = []
    for contest in contests.values():
        pairs = [(label, contest.bar) for label in labels]
        pairs += [(label, best_in_training) for label in labels if label == MAIN]
        if BANK in contest.outcomes:
            simple = [name for name in ("kf-cv", "imm3") if name in contest.outcomes]
            pairs += [(BANK, name) for name in simple]
        rows += compared(contest, list(dict.fromkeys(pairs)))
    return rows


def _shown(competing: Sequence[Entrant]) -> list[Entrant]:
    """Return those of the figures: the bank, and the filter that the claims are about."""
    return [one for one in competing if one.label in (BANK, MAIN)]


def _with_links(one: Entrant, flights: Flights, tuned: Mapping[str, Parameters]) -> Estimates:
    if one.kind == CLASSICAL:
        return BASELINES[one.label].run(flights, tuned[one.label], True, links=True)
    return one.runs[0](flights, True)


def _gaps(competing: Sequence[Entrant], tracks: int) -> list[dict[str, Any]]:
    """Return the RMSE of each filter when it has seen nothing for some time."""
    gap = gap_flights(tracks)
    rows = []
    for one in competing:
        if one.kind not in (CLASSICAL, LEARNED):
            continue
        away = np.linalg.norm(one.runs[0](gap.flights, True).xyz - gap.flights.xyz, axis=2)
        found = {
            f"rmse_after_{age:g}_s_mm": rounded(1e3 * float(np.sqrt(np.mean(_at(away, k) ** 2))))
            for age, k in gap.frames.items()
        }
        rows.append({"filter": one.label, "seeds": 1, **found})
    return rows


def _at(a: Array, frame: Array) -> Array:
    return np.asarray(np.take_along_axis(a, frame[:, None], axis=1)[:, 0])


def _lags(estimates: Mapping[str, Estimates], flights: Flights) -> list[dict[str, Any]]:
    """Return the RMSE when the answer may wait for k more frames."""
    scored = is_scored(flights)
    scored[:, flights.t.shape[1] - LAGS :] = False  # as many frames follow for every lag
    rows = []
    for label, found in estimates.items():
        if found.links is None:
            continue
        away = lagged(found, LAGS) - flights.xyz  # (K, N, T, 3)
        rmse = np.sqrt((away[:, scored] ** 2).sum(axis=2).mean(axis=1))
        each = [rounded(1e3 * float(value)) for value in rmse]
        rows.append({"filter": label, "rmse_by_lag_mm": each})
    return rows


def _turned(shown: Sequence[Entrant], flights: Flights) -> list[dict[str, Any]]:
    """Turn the world: with gravity, the outputs must turn; without telling it, RMSE must stay."""
    turn = haar(len(flights), np.random.default_rng(5))
    moved = flights.turned(turn)
    rows = []
    for one in shown:
        run = one.runs[0]
        apart = run(moved, True).xyz - np.einsum("nij,ntj->nti", turn, run(flights, True).xyz)
        scored = is_scored(flights)
        before, after = (errors(run(f, False), f).rmse for f in (flights, moved))
        rows.append(
            {
                "filter": one.label,
                "turned_outputs_differ_m": rounded(float(np.abs(apart[scored]).max())),
                "rmse_turned_over_unturned": float(f"{after / before:.7f}"),
            }
        )
    return rows
