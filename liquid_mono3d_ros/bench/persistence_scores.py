"""How soon and how rightly tracks are confirmed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from liquid_mono3d_ros.checks import Array

LEVELS = (0.001, 0.01, 0.05, 0.10)
"""False-track rates: shares of the clutter's tracks that are ever confirmed."""
AGES = tuple(range(1, 16))
"""Updates after which the answers are compared."""
DRAWS = 500
"""Of the bootstrap over tracks."""


def highest(score: Array, seen: Array) -> Array:
    """Return the highest score at a measurement up to each update, (N, T)."""
    return np.asarray(np.maximum.accumulate(np.where(seen, score, -np.inf), axis=1))


def threshold(best: Array, lasting: Array, rate: float) -> float:
    """Return what the scores must exceed so that clutter is confirmed at most at a rate.

    Args:
        best: As ``highest`` returns it, (N, T).
        lasting: Which tracks are of objects, (N,) bool.
        rate: Share of the others.
    """
    ends = np.sort(best[~lasting, -1])[::-1]
    return float(ends[min(int(rate * len(ends)), len(ends) - 1)])


def confirmed(best: Array, above: float) -> Array:
    """Return the update that confirms each track, from 1 on, (N,); inf for none."""
    later = (best <= above).sum(axis=1)
    return np.where(later < best.shape[1], later + 1.0, np.inf)


def waited(at: Array, frames: int) -> Array:
    """Return updates until confirmation, one never confirmed counting as all of them."""
    return np.minimum(at, frames)


def cost_of(seen: Array, lasting: Array) -> Callable[[Array], float]:
    """Return what the search makes small: the mean log of the mean wait at all the levels."""

    def cost(score: Array) -> float:
        best = highest(score, seen)
        waits = [
            waited(confirmed(best, threshold(best, lasting, rate))[lasting], seen.shape[1]).mean()
            for rate in LEVELS
        ]
        return float(np.mean(np.log(waits)))

    return cost


def summary(at: Array, t: Array, lasting: Array) -> dict[str, float]:
    """Return what is printed of confirmations.

    Args:
        at: Update that confirms each track, from 1 on; inf for none, (N,).
        t: From birth, (N, T) s.
        lasting: Which tracks are of objects, (N,) bool.
    """
    frames = t.shape[1]
    mine, known = at[lasting], np.isfinite(at[lasting])
    index = np.where(known, mine, frames).astype(int) - 1
    since = np.take_along_axis(t[lasting] - t[lasting, :1], index[:, None], axis=1)[:, 0]
    return {
        "false_percent": 100 * float(np.isfinite(at[~lasting]).mean()),
        "missed_percent": 100 * float(1 - known.mean()),
        "median_frames": float(np.median(mine)),
        "mean_frames": float(waited(mine, frames).mean()),
        "median_ms": 1e3 * float(np.median(np.where(known, since, np.inf))),
        "mean_ms": 1e3 * float(since.mean()),
    }


def area(score: Array, lasting: Array) -> float:
    """Return the area under the curve of true over false alarms; ties count half."""
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    rank = (ends - (counts - 1) / 2)[place.reshape(-1)]
    n, m = int(lasting.sum()), int((~lasting).sum())
    return float((rank[lasting].sum() - n * (n + 1) / 2) / (n * m))


def interval(value: Callable[[Array], float], n: int, draws: int = DRAWS) -> tuple[float, float]:
    """Return the 95 % interval of a value of N tracks, drawn anew.

    Args:
        value: Of the rows that it is given, (N,) indices.
        n: Tracks.
        draws: So many.
    """
    rng = np.random.default_rng(0)
    found = [value(rng.integers(n, size=n)) for _ in range(draws)]
    low, high = np.quantile(found, (0.025, 0.975))
    return float(low), float(high)
