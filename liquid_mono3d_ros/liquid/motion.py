"""How objects move: motion models as data, their exact transition over any time step.

All models share one state of nine numbers, (x y z, vx vy vz, ax ay az), so that a bank of them can
be mixed. Every matrix is a 3×3 one over (position, velocity, acceleration) times the identity over
the axes: motion knows no preferred direction.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from liquid_mono3d_ros.checks import Array

STATE = 9
"""Length of the state: position, velocity, acceleration."""

I3 = np.eye(3)
I9 = np.eye(STATE)


def _unsaid() -> Array:
    return np.zeros(0)


@dataclass(frozen=True)
class MotionBank:
    """M motion models and how objects change between them.

    The models may be split among experts, whole estimators that share nothing but the
    measurements: an object changes between the models of one expert only.

    A model that does not accelerate (constant velocity) is driven by white acceleration and holds
    its acceleration at the prior, zero ± ``acceleration_sigma``: whoever switches to an
    accelerating model starts from there, not from a false certainty of zero. A model that
    accelerates (constant acceleration) is driven by white jerk. A model that falls has constant
    velocity but for gravity.

    Source: Bar-Shalom, Li & Kirubarajan, Estimation with Applications to Tracking and Navigation,
    sections 6.2.2 (white acceleration) and 6.2.3 (white jerk).

    Attributes:
        accelerates: (M,) bool.
        noise: Power spectral density of the white acceleration, m²/s³, or of the white jerk,
            m²/s⁵, (M,).
        share: Long-run probability of each model, (M,), sum 1 within each expert.
        switch_rate: How often an object draws a new model from ``share``, 1/s.
        acceleration_sigma: m/s².
        floor: Lowest probability of a model within its expert; keeps every model ready.
        falls: (M,) bool; empty for none.
        gated: Whether an outlier weighs less in the model, (M,) bool; empty for all.
        expert: Number of the expert each model belongs to, ascending from 0, (M,); empty for one.
        gravity: Acceleration of falling objects, (3,) m/s²; zero while it is not known.
        bias_time: Time constant of the slow error of measurements, s.
        hedge_rate: How often the experts' weights are drawn towards ``prior``, 1/s.
        prior: Weight of each expert at first, (E,), sum 1; empty for equal ones.
        guests: How many experts, the last ones, have no models of their own and read those of
            the first.
    """

    accelerates: Array
    noise: Array
    share: Array
    switch_rate: float
    acceleration_sigma: float
    floor: float
    falls: Array = field(default_factory=_unsaid)
    gated: Array = field(default_factory=_unsaid)
    expert: Array = field(default_factory=_unsaid)
    gravity: Array = field(default_factory=lambda: np.zeros(3))
    bias_time: float = 5.0
    hedge_rate: float = 0.1
    prior: Array = field(default_factory=_unsaid)
    guests: int = 0

    def __post_init__(self) -> None:
        m = len(self)
        unsaid = {
            "falls": np.zeros(m, bool),
            "gated": np.ones(m, bool),
            "expert": np.zeros(m, int),
        }
        for name, value in unsaid.items():
            if not len(getattr(self, name)):
                object.__setattr__(self, name, value)
        if not len(self.prior):
            experts = int(self.expert[-1]) + 1 + self.guests
            object.__setattr__(self, "prior", np.full(experts, 1 / experts))

    def __len__(self) -> int:
        return len(self.noise)

    @cached_property
    def owned(self) -> tuple[slice, ...]:
        """The models of each expert that has some."""
        first = np.searchsorted(self.expert, np.arange(self.expert[-1] + 2))
        return tuple(map(slice, first[:-1].tolist(), first[1:].tolist()))

    @cached_property
    def spans(self) -> tuple[slice, ...]:
        """The models that each expert reads."""
        return self.owned + self.owned[:1] * self.guests

    @cached_property
    def gates_all(self) -> bool:
        """Whether every model is gated."""
        return bool(self.gated.all())

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
    def drawn(self) -> Array:
        """Long-run probability to go from each model to each, (M, M), from × to."""
        return np.where(self.expert[:, None] == self.expert, self.share, 0.0)

    @cached_property
    def surplus(self) -> Array:
        """What staying adds to it, (M, M), from × to."""
        return np.eye(len(self)) - self.drawn


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
        Shape (..., M, M), from × to; rows sum to 1. Zero between experts.
    """
    stay = np.exp(-bank.switch_rate * np.asarray(dt))[..., None, None]
    switched: Array = stay * bank.surplus + bank.drawn
    return switched  # (..., M, M)


def fall(bank: MotionBank, dt: Array | float, gravity: Array | None = None) -> Array:
    """Return what gravity adds to the state of a falling object: (..., 9).

    Args:
        bank: M models.
        dt: s, shape (...).
        gravity: (..., 3) m/s², in place of the bank's.
    """
    g = bank.gravity if gravity is None else gravity
    t = np.asarray(dt, dtype=float)[..., None]
    return np.concatenate((t**2 / 2 * g, t * g, np.zeros_like(t * g)), axis=-1)


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
