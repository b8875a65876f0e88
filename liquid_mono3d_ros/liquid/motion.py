"""How objects move: motion models as data, their exact transition over any time step.

All models share one state of nine numbers, (x y z, vx vy vz, ax ay az), so that a bank of them can
be mixed. Every matrix is a 3×3 one over (position, velocity, acceleration) times the identity over
the axes: motion knows no preferred direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from liquid_mono3d_ros.checks import Array

STATE = 9
"""Length of the state: position, velocity, acceleration."""

I3 = np.eye(3)
I9 = np.eye(STATE)


@dataclass(frozen=True)
class MotionBank:
    """M motion models and how objects change between them.

    A model that does not accelerate (constant velocity) is driven by white acceleration and holds
    its acceleration at the prior, zero ± ``acceleration_sigma``: whoever switches to an
    accelerating model starts from there, not from a false certainty of zero. A model that
    accelerates (constant acceleration) is driven by white jerk.

    Source: Bar-Shalom, Li & Kirubarajan, Estimation with Applications to Tracking and Navigation,
    sections 6.2.2 (white acceleration) and 6.2.3 (white jerk).

    Attributes:
        accelerates: (M,) bool.
        noise: Power spectral density of the white acceleration, m²/s³, or of the white jerk,
            m²/s⁵, (M,).
        share: Long-run probability of each model, (M,), sum 1.
        switch_rate: How often an object draws a new model from ``share``, 1/s.
        acceleration_sigma: m/s².
        floor: Lowest probability of a model; keeps every model ready.
    """

    accelerates: Array
    noise: Array
    share: Array
    switch_rate: float
    acceleration_sigma: float
    floor: float

    def __len__(self) -> int:
        return len(self.noise)

    @cached_property
    def polynomials(self) -> Array:
        """Coefficients of transition and process noise, by power of dt, (6, M · 2 · 9 · 9)."""
        held = self.acceleration_sigma**2
        both = [
            (_ACCELERATION, q * _WHITE_JERK)
            if accelerates
            else (_VELOCITY, q * _WHITE_ACCELERATION + held * _HELD)
            for accelerates, q in zip(self.accelerates, self.noise, strict=True)
        ]
        blocks = np.array(both)  # (M, 2, 6, 3, 3)
        over_axes = blocks[..., :, None, :, None] * I3[:, None, :]  # (M, 2, 6, 3, 3, 3, 3)
        return np.moveaxis(over_axes, 2, 0).reshape(6, -1)

    @cached_property
    def surplus(self) -> Array:
        """What staying adds to the long-run share of each model, (M, M), from × to."""
        return np.eye(len(self)) - self.share


def transition(bank: MotionBank, dt: Array | float) -> tuple[Array, Array]:
    """Return F and Q, exact over any time step.

    Args:
        bank: M models.
        dt: s, shape (...).

    Returns:
        Each of shape (..., M, 9, 9).
    """
    powers = np.asarray(dt, dtype=float)[..., None] ** _POWERS  # (..., 6)
    F_Q = (powers @ bank.polynomials).reshape(*powers.shape[:-1], len(bank), 2, STATE, STATE)
    return F_Q[..., 0, :, :], F_Q[..., 1, :, :]


def stay_or_switch(bank: MotionBank, dt: Array | float) -> Array:
    """Return the probability to go from each model to each in ``dt`` seconds.

    A Markov chain in continuous time, so that ten steps of 0.01 s mix as much as one of 0.1 s.

    Args:
        bank: M models.
        dt: s, shape (...).

    Returns:
        Shape (..., M, M), from × to; rows sum to 1.
    """
    stay = np.exp(-bank.switch_rate * np.asarray(dt))[..., None, None]
    switched: Array = stay * bank.surplus + bank.share
    return switched  # (..., M, M)


_POWERS = np.arange(6.0)


def _polynomial(**terms: list[list[float]]) -> Array:
    """Return the 3×3 coefficients of dt⁰ … dt⁵, (6, 3, 3), from those that are not zero."""
    return np.array([terms.get(f"t{power}", np.zeros((3, 3))) for power in range(6)])


_VELOCITY = _polynomial(
    t0=[[1, 0, 0], [0, 1, 0], [0, 0, 0]],
    t1=[[0, 1, 0], [0, 0, 0], [0, 0, 0]],
)
_ACCELERATION = _polynomial(
    t0=[[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    t1=[[0, 1, 0], [0, 0, 1], [0, 0, 0]],
    t2=[[0, 0, 1 / 2], [0, 0, 0], [0, 0, 0]],
)
_WHITE_ACCELERATION = _polynomial(
    t1=[[0, 0, 0], [0, 1, 0], [0, 0, 0]],
    t2=[[0, 1 / 2, 0], [1 / 2, 0, 0], [0, 0, 0]],
    t3=[[1 / 3, 0, 0], [0, 0, 0], [0, 0, 0]],
)
_WHITE_JERK = _polynomial(
    t1=[[0, 0, 0], [0, 0, 0], [0, 0, 1]],
    t2=[[0, 0, 0], [0, 0, 1 / 2], [0, 1 / 2, 0]],
    t3=[[0, 0, 1 / 6], [0, 1 / 3, 0], [1 / 6, 0, 0]],
    t4=[[0, 1 / 8, 0], [1 / 8, 0, 0], [0, 0, 0]],
    t5=[[1 / 20, 0, 0], [0, 0, 0], [0, 0, 0]],
)
_HELD = _polynomial(t0=[[0, 0, 0], [0, 0, 0], [0, 0, 1]])
