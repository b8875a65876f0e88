"""How far estimates lie from the truth, and how honest their covariance is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from liquid_mono3d_ros.bench.filter_estimates import Estimates, is_scored
from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.synth.flight_table import Flights

CHI2_50, CHI2_95 = 2.36597, 7.81473
"""Chi² of three degrees of freedom that 50 % and 95 % stay below."""
LOST, LOST_SIGMAS = 1.0, 10.0
"""A track is lost that ends farther from the truth than both, m and standard deviations."""
AT_THE_END = 3
"""Frames, all of which must lie so far."""
STILL = 0.5
"""A true acceleration below it, m/s², is no measure for that of an estimate."""
DRAWS = 2000
"""Of the bootstrap."""


@dataclass(frozen=True)
class Errors:
    """Squared errors of N tracks, added up over their scored frames; what the bootstrap draws.

    Attributes:
        squared: m², (N,).
        num: Scored frames, (N,).
    """

    squared: Array
    num: Array

    @property
    def rmse(self) -> float:
        """Of all frames of all tracks together, m."""
        return float(np.sqrt(self.squared.sum() / self.num.sum()))


def errors(estimates: Estimates, flights: Flights) -> Errors:
    """Add up the squared errors of each track; one that is not finite counts as 1 km."""
    scored = is_scored(flights)
    squared = ((estimates.xyz - flights.xyz) ** 2).sum(axis=2)
    squared = np.where(np.isfinite(squared), squared, 1e6)
    return Errors((squared * scored).sum(axis=1), scored.sum(axis=1))


def ratio(
    ours: Sequence[Errors], theirs: Sequence[Errors], *, draws: int = DRAWS
) -> tuple[float, float, float]:
    """Return the ratio of two RMSE and its 95 % interval, by the paired bootstrap over tracks.

    Args:
        ours: One for each seed of the training, all on the same tracks; each draw draws seeds too.
        theirs: Likewise; a filter without seeds gives one.
        draws: So many.
    """
    rng, n = np.random.default_rng(0), len(ours[0].num)
    chosen = rng.multinomial(n, np.full(n, 1 / n), size=draws)  # (draws, N) times drawn

    def drawn(of: Sequence[Errors]) -> Array:
        squared = chosen @ np.array([e.squared for e in of]).T  # (draws, seeds)
        seeds = rng.integers(len(of), size=(draws, len(of)))
        each = np.sqrt(squared / (chosen @ of[0].num)[:, None])
        return np.asarray(np.take_along_axis(each, seeds, axis=1).mean(axis=1))

    quotient = drawn(ours) / drawn(theirs)
    middle = np.mean([e.rmse for e in ours]) / np.mean([e.rmse for e in theirs])
    low, high = np.quantile(quotient, (0.025, 0.975))
    return float(middle), float(low), float(high)


def is_lost(estimates: Estimates, flights: Flights) -> Array:
    """Say which tracks end away from the truth or hold a number that is not finite, (N,) bool."""
    away = np.linalg.norm(estimates.xyz - flights.xyz, axis=2)
    limit = np.maximum(LOST, LOST_SIGMAS * noise_sigma(flights))
    far = np.nan_to_num(away[:, -AT_THE_END:], nan=np.inf).min(axis=1) > limit
    return np.asarray(far | (~np.isfinite(away) & is_scored(flights)).any(axis=1))


def noise_sigma(flights: Flights) -> Array:
    """Return the claimed standard deviation of a measurement's component, (N,) m."""
    variance = np.trace(flights.R + flights.B, axis1=2, axis2=3) / 3.0
    return np.asarray(
        np.sqrt((variance * flights.seen).sum(axis=1) / np.maximum(flights.seen.sum(axis=1), 1))
    )


def score(estimates: Estimates, flights: Flights) -> dict[str, float]:
    """Return the metrics of a table row.

    Lag is the delay that fits the errors best, ``away = −lag · velocity``, of the tracks that are
    not lost. Jitter is the RMS second difference of the error, the acceleration ratio that of the
    estimate over that of the truth, where it is more than ``STILL``; medians over the tracks not
    lost. NLL is of the true position under the stated Gaussian; ``predictive_nll`` of right
    measurements before they are used.
    """
    scored, lost = is_scored(flights), is_lost(estimates, flights)
    away = (estimates.xyz - flights.xyz)[scored]
    distance = np.linalg.norm(away, axis=1)
    faster = (estimates.velocity - flights.velocity)[scored]
    right = flights.seen & ~flights.outlier & np.isfinite(estimates.log_density)
    density = estimates.log_density[right]
    return {
        "lost_percent": 100 * float(lost.mean()),
        "rmse_mm": 1e3 * float(np.sqrt(np.mean(distance**2))),
        "median_mm": 1e3 * float(np.median(distance)),
        "p95_mm": 1e3 * float(np.percentile(distance, 95)),
        "velocity_rmse_mm_per_s": 1e3 * float(np.sqrt(np.mean((faster**2).sum(axis=1)))),
        **_honesty(away, estimates.covariance[scored][:, :3, :3]),
        "predictive_nll": -float(density.mean()) if len(density) else float("nan"),
        **_smoothness(estimates, flights, scored & ~lost[:, None]),
    }


def negative_log_density(away: Array, P: Array) -> Array:
    """Return −log N(away; 0, P) of each of K, nats.

    Args:
        away: (K, 3).
        P: (K, 3, 3).
    """
    return np.asarray(
        (_squared_length(away, P) + np.linalg.slogdet(P)[1] + 3 * np.log(2 * np.pi)) / 2
    )


def _honesty(away: Array, P: Array) -> dict[str, float]:
    if np.isnan(P).any():
        return dict.fromkeys(("nll", "anees", "inside_50_percent", "inside_95_percent"), np.nan)
    d2 = _squared_length(away, P)
    return {
        "nll": float(negative_log_density(away, P).mean()),
        "anees": float(d2.mean() / 3.0),
        "inside_50_percent": 100 * float((d2 < CHI2_50).mean()),
        "inside_95_percent": 100 * float((d2 < CHI2_95).mean()),
    }


def _smoothness(estimates: Estimates, flights: Flights, used: Array) -> dict[str, float]:
    away = (estimates.xyz - flights.xyz)[used]
    velocity = flights.velocity[used]
    lag = -(away * velocity).sum() / max((velocity**2).sum(), 1e-12)
    inner = used[:, 2:] & used[:, :-2]
    bent = _second_difference(flights.t, estimates.xyz)
    true = _second_difference(flights.t, flights.xyz)
    shaken, stated, turned = (_rms(a, inner) for a in (bent - true, bent, true))
    moving = turned > STILL
    return {
        "lag_ms": 1e3 * float(lag),
        "jitter_m_per_s2": _median(shaken),
        "acceleration_ratio": _median(stated[moving] / turned[moving]),
    }


def _rms(a: Array, used: Array) -> Array:
    """Return the RMS length of the used vectors of each track that has any."""
    kept = used.any(axis=1)
    squared = ((a**2).sum(axis=2) * used)[kept].sum(axis=1)
    return np.asarray(np.sqrt(squared / used[kept].sum(axis=1)))


def _median(a: Array) -> float:
    return float(np.median(a)) if len(a) else float("nan")


def _second_difference(t: Array, xyz: Array) -> Array:
    """Return the second derivative of the parabola through each three frames, (N, T − 2, 3)."""
    dt = np.diff(t)[..., None]
    slope = np.diff(xyz, axis=1) / dt
    return np.asarray(2 * np.diff(slope, axis=1) / (dt[:, 1:] + dt[:, :-1]))


def _squared_length(away: Array, P: Array) -> Array:
    return np.asarray((np.linalg.solve(P, away[..., None])[..., 0] * away).sum(axis=-1))
