"""What a filter says of simulated flights, in the one form in which all filters are scored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.synth.flight_table import Flights


@dataclass(frozen=True)
class Links:
    """Filtered and predicted states of N tracks at T frames, and how each hangs on the last.

    Smoothing is about the apparent path, the true one plus the slow error: a filter that considers
    the error without estimating it smooths the apparent path as any Kalman filter does its own.

    Attributes:
        x: Filtered mean, (N, T, 9).
        P: Its covariance, (N, T, 9, 9).
        x_predicted: Mean before the measurement of the frame, (N, T, 9).
        apparent: Covariance of the apparent state, (N, T, 9, 9).
        apparent_predicted: The same before the measurement of the frame, (N, T, 9, 9).
        gain: What a correction of the apparent prediction says of the apparent state of the
            frame before, (N, T, 9, 9); zero where a track begins.
        reader: What it says of the true state of the frame before, (N, T, 9, 9).
    """

    x: Array
    P: Array
    x_predicted: Array
    apparent: Array
    apparent_predicted: Array
    gain: Array
    reader: Array


@dataclass(frozen=True)
class Regret:
    """What a mixture of experts lost against them, in nats, added up from the start.

    Attributes:
        loss: Of each expert, (N, T, E).
        mixture: Of the mixture, (N, T).
        bound: How far the mixture may at most lie above the best expert, (N, T).
    """

    loss: Array
    mixture: Array
    bound: Array

    @property
    def excess(self) -> Array:
        """How far the mixture lies above the expert that is best so far, (N, T)."""
        return np.asarray(self.mixture - self.loss.min(axis=2))


@dataclass(frozen=True)
class Estimates:
    """States of N tracks at T frames, each from the measurements up to its frame.

    What a filter does not say is NaN. Frames before a track's second measurement are not scored.

    Attributes:
        xyz: (N, T, 3) m.
        velocity: (N, T, 3) m/s.
        covariance: Of position and velocity, (N, T, 6, 6).
        log_density: Of each measurement before it is used, (N, T); NaN where there is none.
        links: To smooth with; None when they were not asked for.
        regret: Of a mixture of experts.
    """

    xyz: Array
    velocity: Array
    covariance: Array
    log_density: Array
    links: Links | None = None
    regret: Regret | None = None


Run = Callable[[Flights, bool], Estimates]
"""Flights, and whether the filter is told gravity → estimates."""


@dataclass(frozen=True)
class Learned:
    """One trained filter.

    Attributes:
        name: ``liquid`` for the filter of the node, ``network`` for its network alone.
        size: Of the network, as ``30k``.
        weights: ``strict`` or ``shipped``.
        seed: Of its training.
        parameters: Numbers that training could move.
        run: The filter.
    """

    name: str
    size: str
    weights: str
    seed: int
    parameters: int
    run: Run


def is_scored(flights: Flights) -> Array:
    """Say which frames are scored: from each track's second measurement on, (N, T) bool."""
    return np.asarray(flights.seen.cumsum(axis=1) >= 2)


def unstated(flights: Flights) -> tuple[Array, Array]:
    """Return the covariance and the density of filters that state none: NaN."""
    n, frames = flights.t.shape
    return np.full((n, frames, 6, 6), np.nan), np.full((n, frames), np.nan)
