"""A mixture of experts whose regret is bounded, whatever the data.

Each expert foretells every measurement as a density; its loss is minus the logarithm of that
density where the measurement fell. Weights follow Bayes' rule and, before each step, give a fixed
share away, so that an expert who was wrong for long is soon believed again. The mixture's
loss exceeds that of any sequence of experts by no more than ``regret_bound``: this needs no
assumption on the data and no bound of the losses, for the loss of a mixture of densities is exact.

Source: Herbster & Warmuth, Tracking the best expert, Machine Learning 32, 1998; Cesa-Bianchi &
Lugosi, Prediction, Learning, and Games, section 5.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from liquid_mono3d_ros.checks import Array

SMALLEST = 1e-300
"""Stands for zero where a logarithm is taken."""


def share(log_w: Array, given: Array | float, prior: Array | None = None) -> Array:
    """Let each expert give a part of its weight to all, itself included.

    Args:
        log_w: Logarithm of the weights, (..., E).
        given: The part, 0 to 1, (...).
        prior: In which parts, (E,), sum 1; equal ones by default.
    """
    each = 1 / log_w.shape[-1] if prior is None else prior
    part = np.asarray(given, dtype=float)[..., None]
    kept = log_w + np.log(np.maximum(1 - part, SMALLEST))
    added = np.log(np.maximum(part, SMALLEST) * each)
    shared: Array = np.logaddexp(kept, added)
    return shared


def weigh(log_w: Array, losses: Array) -> tuple[Array, Array]:
    """Return the weights (..., E) after a measurement, and the mixture's own loss (...).

    Args:
        log_w: Logarithm of the weights before, (..., E).
        losses: Minus the log density of the measurement by each expert, (..., E).
    """
    joint = log_w - losses
    top = joint.max(axis=-1, keepdims=True)
    total = top + np.log(np.exp(joint - top).sum(axis=-1, keepdims=True))
    return joint - total, -total[..., 0]


def forgotten(rate: float, dt: Array | float) -> Array:
    """Return the part of its weight that each expert gives away in ``dt`` seconds."""
    part: Array = -np.expm1(-rate * np.asarray(dt, dtype=float))
    return part


def regret_bound(
    num_experts: int, steps: int, switches: int, given: float, least: float | None = None
) -> float:
    """Return the most by which the mixture's loss can exceed that of a sequence of experts.

    ``-log p`` names the first expert, p its prior; each step in which the sequence stays costs
    ``-log(1 - given + given p)``, each in which it switches ``-log(given p)``.

    Args:
        num_experts: E.
        steps: Measurements; the weights are shared before each but the first.
        switches: How often the sequence changes its expert.
        given: Part of the weights that is shared at each step.
        least: Smallest prior of an expert; 1 / E by default.

    Example:
        >>> round(regret_bound(3, 100, 0, 0.0), 3)  # log 3
        1.099
    """
    p = 1 / num_experts if least is None else least
    bound = -math.log(p) - (steps - 1 - switches) * math.log1p(-given * (1 - p))
    if switches:
        bound += switches * -math.log(given * p) if given else math.inf
    return bound


@dataclass(frozen=True)
class RegretRecord:
    """What a mixture of E experts has lost so far, beside the experts; state in, state out.

    Attributes:
        losses: Cumulative loss of each expert, (..., E).
        mixture: Cumulative loss of the mixture, (...).
        bound: Largest regret against the best single expert, (...).
        least: Smallest prior of an expert.
    """

    losses: Array
    mixture: Array
    bound: Array
    least: float

    @classmethod
    def begin(
        cls, shape: tuple[int, ...], num_experts: int, least: float | None = None
    ) -> RegretRecord:
        """Return the record before the first measurement of each of ``shape`` mixtures."""
        least = 1 / num_experts if least is None else least
        start = np.full(shape, -math.log(least))
        return cls(np.zeros((*shape, num_experts)), np.zeros(shape), start, least)

    @property
    def regret(self) -> Array:
        """Loss of the mixture beyond that of the best single expert, (...)."""
        best: Array = self.losses.min(axis=-1)
        return self.mixture - best

    def add(self, losses: Array, mixture: Array, given: Array | float) -> RegretRecord:
        """Enter one measurement.

        Args:
            losses: Of each expert, (..., E).
            mixture: As ``weigh`` returns it, (...).
            given: Part of the weights shared since the measurement before, (...).
        """
        kept = 1 - np.asarray(given) * (1 - self.least)
        return RegretRecord(
            self.losses + losses, self.mixture + mixture, self.bound - np.log(kept), self.least
        )
