"""A bank of Kalman filters that share their evidence: the interacting multiple model estimator.

Pure functions, belief in → belief out, for all tracks at once: N tracks × M models. With M = 1
it is the plain Kalman filter. ``mix`` → ``propagate`` → ``correct`` is one step; ``collapse`` says
what the bank believes as a whole.

Source: Blom & Bar-Shalom, The interacting multiple model algorithm for systems with Markovian
switching coefficients, IEEE TAC 33(8), 1988.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.liquid.measurement import Measurement
from liquid_mono3d_ros.liquid.motion import (
    I3,
    I9,
    STATE,
    MotionBank,
    stay_or_switch,
    transition,
)
from liquid_mono3d_ros.liquid.rows import Rows

LOG_TWO_PI = float(np.log(2 * np.pi))


@dataclass(frozen=True)
class Belief(Rows):
    """What the bank believes of N tracks.

    Attributes:
        x: (N, M, 9): m, m/s, m/s².
        P: Covariance of ``x``, (N, M, 9, 9).
        log_mu: Logarithm of each model's probability, (N, M).
    """

    x: Array
    P: Array
    log_mu: Array


def birth(bank: MotionBank, xyz: Array, covariance: Array, speed_sigma: float) -> Belief:
    """Begin tracks at measured positions, at rest ± ``speed_sigma``.

    Args:
        bank: M models.
        xyz: (N, 3) m.
        covariance: (N, 3, 3) m².
        speed_sigma: Standard deviation of each component of the velocity, m/s.
    """
    n, m = len(xyz), len(bank)
    x = np.zeros((n, m, STATE))
    x[..., :3] = xyz[:, None]
    P = np.zeros((n, m, STATE, STATE))
    P[..., :3, :3] = covariance[:, None]
    P[..., 3:6, 3:6] = speed_sigma**2 * I3
    P[..., 6:, 6:] = bank.acceleration_sigma**2 * I3
    return Belief(x, P, np.tile(np.log(bank.share), (n, 1)))


def mix(bank: MotionBank, belief: Belief, dt: float) -> Belief:
    """Let each model start from what the others believe, as far as a switch within ``dt`` allows.

    The mean and covariance of the whole (``collapse``) do not change.
    """
    n, m = belief.log_mu.shape
    log_joint = belief.log_mu[:, :, None] + np.log(stay_or_switch(bank, dt))  # (N, from, to)
    log_mu = _log_sum_exp(log_joint, axis=1)  # (N, to)
    weight = np.exp(log_joint - log_mu[:, None]).swapaxes(1, 2)  # (N, to, from)
    x = weight @ belief.x
    offset = belief.x[:, None] - x[:, :, None]  # (N, to, from, 9)
    P = (weight @ belief.P.reshape(n, m, STATE**2)).reshape(n, m, STATE, STATE)
    P += (offset * weight[..., None]).swapaxes(-1, -2) @ offset
    return Belief(x, P, log_mu)


def propagate(bank: MotionBank, mixed: Belief, dt: float) -> tuple[Belief, Array]:
    """Move every model ``dt`` seconds ahead.

    Returns:
        The belief, and each model's covariance of the state before with the state after,
        (N, M, 9, 9).
    """
    F, Q = transition(bank, dt)  # (M, 9, 9)
    x = (F @ mixed.x[..., None])[..., 0]
    after_before = F @ mixed.P
    P = after_before @ F.swapaxes(-1, -2) + Q
    return Belief(x, symmetric(P), mixed.log_mu), after_before.swapaxes(-1, -2)


def collapse(belief: Belief) -> tuple[Array, Array]:
    """Return mean (N, 9) and covariance (N, 9, 9) of the mixture over the models."""
    n, m = belief.log_mu.shape
    mu = np.exp(belief.log_mu)
    x = (mu[:, None] @ belief.x)[:, 0]
    offset = belief.x - x[:, None]  # (N, M, 9)
    P = (mu[:, None] @ belief.P.reshape(n, m, STATE**2)).reshape(n, STATE, STATE)
    P += (offset * mu[..., None]).swapaxes(-1, -2) @ offset
    return x, symmetric(P)


def surprise(x: Array, P: Array, measurement: Measurement) -> Array:
    """Return the squared Mahalanobis distance (N,) of measurements from predicted states.

    Args:
        x: (N, 9), as ``collapse`` returns it.
        P: (N, 9, 9).
        measurement: N measurements.
    """
    H = measurement.H
    S = H @ P[:, :3, :3] @ H.swapaxes(-1, -2) + measurement.R
    y = measurement.z - (H @ x[:, :3, None])[..., 0]
    return _squared_length(np.linalg.inv(S), y)


def correct(
    bank: MotionBank, predicted: Belief, measurement: Measurement, distrust: Array
) -> Belief:
    """Update every model, and the models' probabilities, with one measurement a track.

    A measurement is distrusted by inflating its innovation covariance, ``distrust * S``: the gain
    shrinks by the same factor and no outlier moves a track far. 1 is the Kalman filter.

    Args:
        bank: M models.
        predicted: N tracks.
        measurement: N measurements.
        distrust: At least 1, (N,).
    """
    H, R = measurement.H[:, None], measurement.R[:, None]  # (N, 1, D, 3), (N, 1, D, D)
    x, P, s = predicted.x, predicted.P, distrust[:, None]  # (N, 1)
    PHt = P[..., :3] @ H.swapaxes(-1, -2)  # (N, M, 9, D)
    S = H @ PHt[..., :3, :] + R
    y = measurement.z[:, None] - (H @ x[..., :3, None])[..., 0]  # (N, M, D)
    S_inverse = np.linalg.inv(S)
    K = PHt @ S_inverse / s[..., None, None]
    R = R + (s[..., None, None] - 1.0) * S
    I_KH = np.empty_like(P)
    I_KH[:] = I9
    I_KH[..., :3] -= K @ H
    P = I_KH @ P @ I_KH.swapaxes(-1, -2) + K @ R @ K.swapaxes(-1, -2)  # Joseph: stays positive
    x = x + (K @ y[..., None])[..., 0]
    log_det = np.linalg.slogdet(S)[1] + y.shape[-1] * (np.log(s) + LOG_TWO_PI)
    log_likelihood = -(_squared_length(S_inverse, y) / s + log_det) / 2  # (N, M)
    return Belief(x, P, _probabilities(predicted.log_mu + log_likelihood, bank.floor))


def symmetric(P: Array) -> Array:
    """Return the symmetric part of matrices on the last two axes."""
    return (P + P.swapaxes(-1, -2)) / 2


def _probabilities(log_weight: Array, floor: float) -> Array:
    """Normalise log weights (N, M) and lift each probability to at least about ``floor``."""
    log_mu: Array = log_weight - _log_sum_exp(log_weight, axis=-1)[:, None]
    log_mu = np.maximum(log_mu, np.log(floor))
    log_mu -= _log_sum_exp(log_mu, axis=-1)[:, None]
    return log_mu


def _log_sum_exp(a: Array, axis: int) -> Array:
    top = a.max(axis=axis, keepdims=True)
    total: Array = np.log(np.exp(a - top).sum(axis=axis)) + top.squeeze(axis)
    return total


def _squared_length(S_inverse: Array, y: Array) -> Array:
    """Return yᵀ S⁻¹ y over the last axes."""
    length: Array = ((S_inverse @ y[..., None])[..., 0] * y).sum(axis=-1)
    return length
