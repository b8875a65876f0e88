"""Who learnt better: liquid models against the best of the others, seed by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

LIQUID = ("fixed", "adaptive", "diagonal", "ltc", "cfc", "wired")
"""Cells of ``Liquid``; the last an adaptive one with the synapses of an ``AutoNCP``."""
BASELINES = ("gru", "gru-d", "lstm")


def compare(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return each liquid model against the best baseline of its task, seed by seed.

    The best is chosen by these very scores, in favour of the baselines. The interval is
    Student's, of 95 %, of the mean difference; one that holds 0 decides nothing.

    Args:
        rows: As ``measure`` makes them; those of one seed cannot be compared.
    """
    found = []
    for row in rows:
        peers = [
            other
            for other in rows
            if other["model"] in BASELINES
            and (other["task"], other["missing_percent"]) == (row["task"], row["missing_percent"])
        ]
        if row["model"] not in LIQUID or not peers or len(row["each_seed"]) < 2:
            continue
        best = min(peers, key=lambda other: other["mean"])
        apart = np.subtract(row["each_seed"], best["each_seed"])
        half = stats.t.ppf(0.975, len(apart) - 1) * apart.std(ddof=1) / len(apart) ** 0.5
        found.append(
            {
                **{key: row[key] for key in ("task", "missing_percent", "model")},
                "best_baseline": best["model"],
                "difference": float(apart.mean()),
                "interval_95_plus_minus": float(half),
                "verdict": _verdict(float(apart.mean()), float(half)),
            }
        )
    return found


def _verdict(difference: float, half: float) -> str:
    if abs(difference) <= half:
        return "undecided"
    return "better" if difference < 0 else "worse"
