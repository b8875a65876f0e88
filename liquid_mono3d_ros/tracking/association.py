"""Which detection belongs to which track: gated likelihoods and one assignment for all."""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import linear_sum_assignment

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.tracking.motion import Motion

Pairs = tuple[Array, Array, Array]
"""Track (K,), detection (K,) and cost (K,) of the pairs that are possible."""


def pair_up(motion: Motion, uv: Array, sigma_px: Array, *, gate_probability: float) -> Pairs:
    """Return the pairs inside the χ² gate of either kind of motion.

    A pair costs −2 log of the density of the detection under the track, both kinds weighed by
    their odds. The determinant in it keeps a track that has become uncertain from taking the
    detection of one that is sure.

    Args:
        motion: N tracks at the stamp of the image.
        uv: Detections, (M, 2) px.
        sigma_px: One standard deviation of ``uv``, (M,) px.
        gate_probability: Share of true pairs inside the gate.
    """
    gate = -2 * math.log1p(-gate_probability)  # χ² of two degrees of freedom
    rows, columns = _near(motion, uv[:, 0], gate, float(sigma_px.max(initial=0)))
    seen, variance = uv.T.take(columns, axis=1), sigma_px[columns] ** 2
    steady, inside_steady = _density(motion, 0, rows, seen, variance, gate)
    other, inside_other = _density(motion, 1, rows, seen, variance, gate)
    inside = inside_steady | inside_other
    mixture = steady + motion.odds[rows] * (other - steady)
    return rows[inside], columns[inside], -2 * np.log(mixture[inside])


def _density(
    motion: Motion, kind: int, rows: Array, uv: Array, variance: Array, gate: float
) -> tuple[Array, Array]:
    """Return the density of detections (2, K) under their track, px⁻², and who is in the gate.

    Only one of both kinds is asked.
    """
    S = motion.p[0, kind].take(rows) + variance  # (K,)
    du = uv[0] - motion.x[0, kind].take(rows)
    dv = uv[1] - motion.x[1, kind].take(rows)
    distance2 = (du * du + dv * dv) / S
    return np.exp(-0.5 * distance2) / (2 * math.pi * S), distance2 <= gate


def _near(motion: Motion, u: Array, gate: float, sigma_px: float) -> tuple[Array, Array]:
    """Return every pair whose columns ``u`` (M,) px allow a place in a gate, and a few more."""
    centre = motion.x[0]  # (2, N)
    reach = 1.001 * np.sqrt(gate * (motion.p[0] + sigma_px**2))
    order = np.argsort(u)
    first = np.searchsorted(u[order], np.minimum(*(centre - reach)))
    number = np.searchsorted(u[order], np.maximum(*(centre + reach))) - first
    rows = np.repeat(np.arange(len(first)), number)
    start = first - np.cumsum(number) + number
    return rows, order[np.arange(len(rows)) + start[rows]]


def miss_cost(detection_probability: Array, new_density: float) -> Array:
    """Return the cost above which a pair explains less than a miss and a new thing do, (N,).

    Pairing has probability ``detection_probability`` times the density of ``pair_up``; not pairing
    has ``1 - detection_probability`` times ``new_density``.

    Args:
        detection_probability: That the thing of each track is detected in the image, (N,).
        new_density: New things and false detections in an image, per px².

    Source: Blackman & Popoli, Design and Analysis of Modern Tracking Systems, section 6.2.
    """
    odds = detection_probability / (1 - detection_probability)
    return np.asarray(2 * np.log(odds / new_density))


def assign(pairs: Pairs, limit: Array) -> tuple[Array, Array]:
    """Choose pairs so that the sum of costs, its ``limit`` for each track left out, is least.

    A pair that costs more than the limit of its track is never chosen, and one that competes with
    no other is chosen as it is; only the rest is assigned.

    Args:
        pairs: Those that are possible; one not among them is forbidden.
        limit: Cost of leaving out each track, (N,).

    Returns:
        Track and detection of each pair chosen, (K,) and (K,).

    Example:
        >>> tracks, seen = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
        >>> cost = np.array([1.0, 2.0, 1.5, 9.0])
        >>> rows, columns = assign((tracks, seen, cost), limit=np.full(2, 5.0))
        >>> columns.tolist()
        [1, 0]
    """
    rows, columns, cost = pairs
    gain = limit[rows] - cost  # of choosing the pair
    useful = gain > 0
    rows, columns, gain = rows[useful], columns[useful], gain[useful]
    alone = (np.bincount(rows)[rows] == 1) & (np.bincount(columns)[columns] == 1)
    contested = ~alone
    if not contested.any():
        return rows, columns
    won_rows, won_columns = _assign_dense(rows[contested], columns[contested], gain[contested])
    return (
        np.concatenate([rows[alone], won_rows]),
        np.concatenate([columns[alone], won_columns]),
    )


def _assign_dense(rows: Array, columns: Array, gain: Array) -> tuple[Array, Array]:
    """Choose the pairs of the largest total gain."""
    own_rows, i = _compact(rows)
    own_columns, j = _compact(columns)
    table = np.zeros((len(own_rows), len(own_columns)))
    table[i, j] = gain
    i, j = linear_sum_assignment(table, maximize=True)
    kept = table[i, j] > 0
    return own_rows[i[kept]], own_columns[j[kept]]


def _compact(labels: Array) -> tuple[Array, Array]:
    """Return the labels that occur, ascending, and where each one given is among them."""
    occurs = np.bincount(labels) > 0
    return np.flatnonzero(occurs), (np.cumsum(occurs) - 1)[labels]
