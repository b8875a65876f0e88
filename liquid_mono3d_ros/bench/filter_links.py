"""Smoothing of simulated flights: what later frames say of a frame, all of them or a few."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from liquid_mono3d_ros.bench.filter_estimates import Estimates, Links
from liquid_mono3d_ros.checks import Array, complain


def begin_links(x: Array, P: Array) -> Links:
    """Return empty links around the arrays that the filtered states will be written to."""
    zeros, empty = np.zeros_like, np.empty_like
    return Links(x, P, empty(x), empty(P), empty(P), zeros(P), zeros(P))


def smoothed(estimates: Estimates) -> Estimates:
    """Return the states by all measurements, later ones too: the Rauch–Tung–Striebel smoother.

    Raises:
        ValueError: If the estimates have no links.
    """
    links = _links(estimates)
    x, P = links.x.copy(), links.P.copy()
    seems, spread = x[:, -1], links.apparent[:, -1]
    for k in range(x.shape[1] - 2, -1, -1):
        moved = (seems - links.x_predicted[:, k + 1])[..., None]
        less = spread - links.apparent_predicted[:, k + 1]
        gain, reader = links.gain[:, k + 1], links.reader[:, k + 1]
        seems = x[:, k] + (gain @ moved)[..., 0]
        spread = links.apparent[:, k] + gain @ less @ gain.swapaxes(-1, -2)
        x[:, k] += (reader @ moved)[..., 0]
        P[:, k] += reader @ less @ reader.swapaxes(-1, -2)
    covariance = (P + P.swapaxes(-1, -2))[..., :6, :6] / 2
    return replace(
        estimates,
        xyz=x[..., :3],
        velocity=x[..., 3:6],
        covariance=covariance,
        log_density=np.full_like(estimates.log_density, np.nan),
    )


def lagged(estimates: Estimates, lag: int) -> Array:
    """Return positions by the measurements up to k frames later, k = 0 … lag, (lag + 1, N, T, 3).

    Frames that have fewer after them use those there are.

    Raises:
        ValueError: If the estimates have no links.
    """
    links = _links(estimates)
    correction = links.x - links.x_predicted  # (N, T, 9)
    x = links.x.copy()
    found = [x[..., :3].copy()]
    product, frames = links.reader[:, 1:], x.shape[1]
    for k in range(1, lag + 1):
        if k < frames:
            if k > 1:
                product = product[:, : frames - k] @ links.gain[:, k:]
            x[:, : frames - k] += (product @ correction[:, k:, :, None])[..., 0]
        found.append(x[..., :3].copy())
    return np.array(found)


def _links(estimates: Estimates) -> Links:
    if estimates.links is None:
        cure = "Run the filter with links."
        raise ValueError(complain("estimates", "with links", "none", cure))
    return estimates.links
