"""Which detection belongs to which track: gated likelihoods and one assignment for all."""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import linear_sum_assignment

from liquid_mono3d_ros.checks import Array


def likelihood_cost(
    predicted: Array, covariance: Array, uv: Array, sigma_px: Array, *, gate_probability: float
) -> Array:
    """Return −2 log of the density of each detection under each track.

    The log determinant keeps a track that has become uncertain from taking the detection of one
    that is sure. Detections outside the χ² gate cost infinity.

    Args:
        predicted: Pixel of each track, (N, 2) px.
        covariance: Of ``predicted``, (N, 2, 2) px².
        uv: Detections, (M, 2) px.
        sigma_px: One standard deviation of ``uv``, (M,) px.
        gate_probability: Share of true pairs inside the gate.

    Returns:
        (N, M), −2 log px⁻².
    """
    variance = sigma_px**2
    s_uu = covariance[:, 0, 0, None] + variance  # (N, M): S = [[s_uu, s_uv], [s_uv, s_vv]]
    s_vv = covariance[:, 1, 1, None] + variance
    s_uv = covariance[:, 0, 1, None]
    determinant = s_uu * s_vv - s_uv**2
    du = uv[:, 0] - predicted[:, 0, None]  # (N, M)
    dv = uv[:, 1] - predicted[:, 1, None]
    distance = (s_vv * du**2 - 2 * s_uv * du * dv + s_uu * dv**2) / determinant
    gate = -2 * math.log1p(-gate_probability)  # χ² of two degrees of freedom
    inside = distance <= gate
    cost = np.full(distance.shape, np.inf)
    cost[inside] = distance[inside] + np.log(4 * math.pi**2 * determinant[inside])
    return cost


def miss_cost(detection_probability: float, new_density: float) -> float:
    """Return the cost above which a pair explains less than a miss and a new thing do.

    Pairing has probability ``detection_probability`` times the density of ``likelihood_cost``;
    not pairing has ``1 - detection_probability`` times ``new_density``.

    Args:
        detection_probability: That a thing is detected in an image in which it is.
        new_density: New things and false detections in an image, per px².

    Source: Blackman & Popoli, Design and Analysis of Modern Tracking Systems, section 6.2.
    """
    odds = detection_probability / (1 - detection_probability)
    return 2 * math.log(odds) - 2 * math.log(new_density)


def assign(cost: Array, limit: float) -> tuple[Array, Array]:
    """Pair rows with columns so that the sum of costs, ``limit`` for each unpaired, is least.

    Costs above the limit are cut to it before the assignment and such pairs are dropped after
    it, which is exact: dropping a pair costs the limit, whichever pair it is.

    Args:
        cost: (N, M); infinite where a pair is forbidden.
        limit: Cost of leaving a pair out.

    Returns:
        Row and column of each pair, (K,) and (K,).

    Example:
        >>> rows, columns = assign(np.array([[1.0, 2.0], [1.5, 9.0]]), limit=5.0)
        >>> columns.tolist()
        [1, 0]
    """
    rows, columns = linear_sum_assignment(np.minimum(cost, limit))
    kept = cost[rows, columns] < limit
    return rows[kept], columns[kept]
