"""Classical ways to tell which tracks last: counting, existence probability, sequential test.

Each returns a score for every update of every track; a track is confirmed at the first measurement
whose score is above a threshold. The parameters of all are searched on the same births.

Source: Musicki, Evans & Stankovic, Integrated probabilistic data association, IEEE TAC 39(6),
1994; Blackman & Popoli, Design and Analysis of Modern Tracking Systems, 1999, section 6.2 (the
track score, a sequential probability ratio test after Wald).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from liquid_mono3d_ros.bench.persistence_runs import Watched
from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.search import Parameters, Space, search

MOST = 8
"""Largest N of M out of N."""
FAR = -60.0
"""No measurement is less likely than so, as a logarithm."""


@dataclass(frozen=True)
class Peer:
    """A way to score tracks.

    Attributes:
        space: Parameter → lowest, highest, first value; all positive, searched as logarithms.
        score: What is seen, and parameters → score of each update, (N, T).
    """

    space: Space
    score: Callable[[Watched, Parameters], Array]


def existence(watched: Watched, values: Parameters, *, by_density: bool = False) -> Array:
    """Return the log odds that the object exists, after each update (IPDA with one measurement).

    Args:
        watched: N tracks.
        values: ``vanish``, chance that an object ends between two updates; ``miss``, that it is
            not measured; ``density`` of false measurements: so many in the volume of one sigma,
            or in a m³; ``prior`` odds at birth.
        by_density: Whether false measurements are as dense in every m³, else in every gate (the
            nonparametric kind).
    """
    miss = values["miss"]
    fell = _fell(watched, by_density) - np.log(values["density"])
    factor = np.where(watched.seen, np.logaddexp(np.log(miss), np.log1p(-miss) + fell), 0.0)
    factor = np.where(watched.seen, factor, np.log(miss))
    found = np.empty(watched.seen.shape)
    found[:, 0] = np.log(values["prior"])
    stay = np.log1p(-values["vanish"])
    for k in range(1, watched.seen.shape[1]):
        log_p = stay - np.logaddexp(0.0, -found[:, k - 1])
        found[:, k] = factor[:, k] + log_p - np.log(-np.expm1(log_p))
    return found


def _fell(watched: Watched, by_density: bool) -> Array:
    """Return the log likelihood of where each measurement fell, of an object, (N, T)."""
    return np.maximum(watched.log_density if by_density else -watched.d2 / 2, FAR)


def track_score(watched: Watched, values: Parameters) -> Array:
    """Return the log likelihood ratio of object to clutter, which never falls below a floor.

    Args:
        watched: N tracks.
        values: ``miss`` of objects, ``still``: chance that clutter is seen again; ``density`` of
            false measurements in the volume of one sigma; ``weight`` of where the measurement
            fell, 1 in the book; ``floor``, how far below zero the score may fall.
    """
    miss, still, weight = values["miss"], values["still"], values["weight"]
    ratio = _fell(watched, by_density=False) - np.log(values["density"])
    hit = np.log((1 - miss) / still) + weight * ratio
    change = np.where(watched.seen, hit, np.log(miss / (1 - still)))
    score, found = np.zeros(len(change)), np.zeros(change.shape)
    for k in range(1, change.shape[1]):
        score = np.maximum(score + change[:, k], -values["floor"])
        found[:, k] = score
    return found


_EXISTENCE = {
    "vanish": (1e-6, 0.5, 0.05),
    "miss": (0.01, 0.6, 0.15),
    "density": (1e-3, 1e3, 0.3),
    "prior": (1e-6, 10.0, 1.0),
}
PEERS = {
    "ipda": Peer(_EXISTENCE, existence),
    "ipda, clutter by m³": Peer(
        {**_EXISTENCE, "density": (1e-3, 1e6, 1.0)}, partial(existence, by_density=True)
    ),
    "sprt": Peer(
        {
            "miss": (0.01, 0.6, 0.15),
            "still": (0.1, 0.95, 0.5),
            "density": (1e-3, 1e3, 0.3),
            "weight": (1e-3, 2.0, 1.0),
            "floor": (0.01, 20.0, 2.0),
        },
        track_score,
    ),
}
"""Name → peer with parameters on a continuous scale."""


def tune(
    watched: Watched, cost: Callable[[Array], float], names: Sequence[str] = tuple(PEERS)
) -> dict[str, dict[str, float]]:
    """Return peer → the parameters whose scores cost least, 200 evaluations each."""
    found = {}
    for name in names:
        score = PEERS[name].score

        def evaluate(
            values: Parameters, score: Callable[[Watched, Parameters], Array] = score
        ) -> float:
            return cost(score(watched, values))

        found[name], _ = search(PEERS[name].space, evaluate)
    return found


Rule = tuple[int, int, bool]
"""M, N, and whether the N updates slide; else a track that failed begins anew."""


def rules() -> list[Rule]:
    """Return every M out of N, of both kinds."""
    return [
        (m, n, sliding)
        for n in range(1, MOST + 1)
        for m in range(1, n + 1)
        for sliding in (True, False)
    ]


def count(seen: Array, rule: Rule) -> Array:
    """Return the update that confirms each track, from 1 on, (N,); inf for none."""
    m, n, sliding = rule
    tracks, frames = seen.shape
    if sliding:
        confirms = seen & (recent(seen, n) >= m)
        return np.where(confirms.any(axis=1), confirms.argmax(axis=1) + 1.0, np.inf)
    found = np.full(tracks, np.inf)
    age, hits = np.zeros(tracks, dtype=int), np.zeros(tracks, dtype=int)
    for k in range(frames):
        here = seen[:, k]
        hits = np.where(age > 0, hits, 0) + here
        age = np.where((age > 0) | here, age + 1, 0)
        enough = hits >= m
        found[enough & here & np.isinf(found)] = k + 1.0
        age[~enough & (age >= n)] = 0
    return found


def recent(seen: Array, n: int) -> Array:
    """Return how many of the last n updates had a measurement, (N, T)."""
    total = np.cumsum(np.pad(seen, ((0, 0), (n, 0))), axis=1)
    return np.asarray(total[:, n:] - total[:, :-n])


def mixed(
    confirmed: Mapping[Rule, Array], lasting: Array, rate: float, cost: Callable[[Array], float]
) -> tuple[Rule, Rule, float]:
    """Return the two rules, and the chance of the first, that cost least at a false-track rate.

    A coin for each track picks between them, so that counting reaches every rate.

    Args:
        confirmed: Rule → update that confirms each track, (N,).
        lasting: Which tracks are of objects, (N,) bool.
        rate: Share of the other tracks that may be confirmed.
        cost: Of the updates that confirm the lasting ones.
    """
    points = [
        (float(np.isfinite(at[~lasting]).mean()), cost(at[lasting]), rule)
        for rule, at in confirmed.items()
    ]
    best: tuple[float, Rule, Rule, float] | None = None
    for low, dear, careful in points:
        for high, cheap, bold in points:
            if not low <= rate <= high:
                continue
            chance = 1.0 if high == low else (high - rate) / (high - low)
            total = chance * dear + (1 - chance) * cheap
            if best is None or total < best[0]:
                best = total, careful, bold, chance
    if best is None:  # the most careful rule is not careful enough, or the boldest is too careful
        nearest = min(points, key=lambda point: (abs(point[0] - rate), point[1]))[2]
        return nearest, nearest, 1.0
    return best[1:]


def fit_odds(heard: Array, truth: Array, steps: int = 25) -> Array:
    """Return the weights of a logistic regression, its last number the bias, by Newton's method.

    Args:
        heard: (K, D).
        truth: (K,) bool.
        steps: At most.
    """
    X = np.concatenate((heard, np.ones((len(heard), 1))), axis=1).astype(float)
    w, ridge = np.zeros(X.shape[1]), 1e-4 * len(X) * np.eye(X.shape[1])
    for _ in range(steps):
        p = 1 / (1 + np.exp(-np.clip(X @ w, -30, 30)))
        gradient = X.T @ (p - truth) + ridge @ w * 1e-2
        move = np.linalg.solve((X * (p * (1 - p))[:, None]).T @ X + ridge * 1e-2, gradient)
        w = w - move
        if np.abs(move).max() < 1e-8:
            break
    return np.asarray(w)
