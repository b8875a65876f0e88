"""What a bank of filters believes of its tracks."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.liquid.motion import STATE
from liquid_mono3d_ros.liquid.rows import Chosen, Rows


def _unsaid() -> Array:
    return np.zeros(0)


@dataclass(frozen=True)
class Belief(Rows):
    """What the bank believes of N tracks; what is left out is as at birth.

    Attributes:
        x: (N, M, 9): m, m/s, m/s².
        P: Covariance of ``x``, (N, M, 9, 9).
        log_mu: Logarithm of each model's probability within its expert, (N, M).
        C: Covariance of ``x`` with the bias of unit covariance, (N, M, 9, 3); (N, M, 9, 0) as
            long as no measurement had a slow error.
        root: Symmetric root of the slow error's covariance in the newest measurement that had
            one, (N, 3, 3) m; (N, 0, 0) as long as none had.
        log_w: Logarithm of each expert's weight, (N, E).
        hidden: State of the liquid cell, (N, H) float32; (N, 0) without one.
        memory: Last innovation and leaky mean of them, as the network keeps them, (N, 6) m.
        log_q: Logarithm of what the network scales the process noise by, (N,).
        log_r: Logarithm of what it scaled the last measurement's noise by, (N,).
        log_scale: Logarithm of what it scales the output's covariance by, (N, 2).
        shift: How far it moves the output of its expert, (N, 6) m and m/s; zero once time goes on.
        tilt: What it adds to the logarithms of its models' probabilities in the output alone,
            (N, 5); it stays till the next measurement.
        lead: ``shift`` as it was last advised, (N, 6).
        tau: Mean time constant of its cell when it last ran, (N,) s; NaN while nobody asks.
        since: Time since it last ran, (N,) s.
    """

    x: Array
    P: Array
    log_mu: Array
    C: Array = field(default_factory=_unsaid)
    root: Array = field(default_factory=_unsaid)
    log_w: Array = field(default_factory=_unsaid)
    hidden: Array = field(default_factory=_unsaid)
    memory: Array = field(default_factory=_unsaid)
    log_q: Array = field(default_factory=_unsaid)
    log_r: Array = field(default_factory=_unsaid)
    log_scale: Array = field(default_factory=_unsaid)
    shift: Array = field(default_factory=_unsaid)
    tilt: Array = field(default_factory=_unsaid)
    lead: Array = field(default_factory=_unsaid)
    tau: Array = field(default_factory=_unsaid)
    since: Array = field(default_factory=_unsaid)

    def __post_init__(self) -> None:
        if self.memory.ndim == 2:
            return
        n, m = self.log_mu.shape
        unsaid = {
            "C": np.zeros((n, m, STATE, 0)),
            "root": np.zeros((n, 0, 0)),
            "log_w": np.zeros((n, 1)),
            "hidden": np.zeros((n, 0), dtype=np.float32),
            "memory": np.zeros((n, 6)),
            "log_q": np.zeros(n),
            "log_r": np.zeros(n),
            "log_scale": np.zeros((n, 2)),
            "shift": np.zeros((n, 6)),
            "tilt": np.zeros((n, 5)),
            "lead": np.zeros((n, 6)),
            "tau": np.full(n, np.nan),
            "since": np.zeros(n),
        }
        for name, value in unsaid.items():
            if getattr(self, name).shape == (0,):
                object.__setattr__(self, name, value)

    @property
    def knows_bias(self) -> bool:
        """Whether a measurement had a slow error."""
        return bool(self.C.shape[-1])

    def join(self, other: Belief) -> Belief:
        """Return these rows followed by the rows of ``other``."""
        if self.knows_bias != other.knows_bias:
            return super(Belief, widen(self)).join(widen(other))
        return super().join(other)

    def put(self, rows: Chosen, other: Belief) -> Belief:
        """Return these rows with the chosen ones replaced by those of ``other``."""
        if self.knows_bias != other.knows_bias:
            return super(Belief, widen(self)).put(rows, widen(other))
        return super().put(rows, other)


def widen(belief: Belief) -> Belief:
    """Make room for a bias, so far uncorrelated."""
    if belief.knows_bias:
        return belief
    n = len(belief)
    return replace(belief, C=np.zeros((*belief.x.shape, 3)), root=np.zeros((n, 3, 3)))
