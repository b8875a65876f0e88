"""A bank of Kalman filters that share their evidence: the interacting multiple model estimator.

Pure functions, belief in → belief out, for all tracks at once: N tracks × M models. With M = 1
it is the plain Kalman filter. ``mix`` → ``propagate`` → ``correct`` is one step; ``collapse`` says
what the bank believes as a whole. The models may belong to several experts, each a bank of its
own; ``hedge`` then says which of them to believe.

A slow error of the measurements (calibration, clock) is considered, not estimated: z = position
+ G b + noise with a bias b of unit covariance that fades over ``bias_time``, and every model
keeps its covariance with b. However often the same error is seen, it does not average out.

Source: Blom & Bar-Shalom, The interacting multiple model algorithm for systems with Markovian
switching coefficients, IEEE TAC 33(8), 1988; Schmidt, Application of state-space methods to
navigation problems, Advances in Control Systems 3, 1966 (the considered bias).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.liquid.belief import Belief, widen
from liquid_mono3d_ros.liquid.covariance import invert
from liquid_mono3d_ros.liquid.experts import SMALLEST, forgotten, share, weigh
from liquid_mono3d_ros.liquid.measurement import Measurement
from liquid_mono3d_ros.liquid.motion import (
    I3,
    STATE,
    MotionBank,
    fall,
    stay_or_switch,
    transition,
)

LOG_TWO_PI = float(np.log(2 * np.pi))


@dataclass(frozen=True)
class Innovation:
    """How far N measurements of D numbers fell from where each model expected them.

    Attributes:
        y: (N, M, D) m.
        S: Its covariance, (N, M, D, D) m².
        cross: Covariance of the state with it, (N, M, 9, D).
    """

    y: Array
    S: Array
    cross: Array

    @cached_property
    def inverse(self) -> tuple[Array, Array]:
        """Inverse of ``S``, and the logarithm of its determinant."""
        return invert(self.S)


def birth(
    bank: MotionBank,
    xyz: Array,
    covariance: Array,
    speed_sigma: float,
    root: Array | None = None,
    *,
    units: int = 0,
) -> Belief:
    """Begin tracks at measured positions, at rest ± ``speed_sigma``.

    Args:
        bank: M models.
        xyz: (N, 3) m.
        covariance: White, (N, 3, 3) m².
        speed_sigma: Standard deviation of each component of the velocity, m/s.
        root: Symmetric root of the slow covariance, (N, 3, 3) m; None for none.
        units: Length of the liquid cell's state.
    """
    n, m = len(xyz), len(bank)
    x = np.zeros((n, m, STATE))
    x[..., :3] = xyz[:, None]
    P = np.zeros((n, m, STATE, STATE))
    P[..., :3, :3] = covariance[:, None]
    P[..., 3:6, 3:6] = speed_sigma**2 * I3
    P[..., 6:, 6:] = bank.acceleration_sigma**2 * I3
    root = np.zeros((n, 0, 0)) if root is None else root
    C = np.zeros((n, m, STATE, root.shape[-1]))
    if root.size:  # position = z − G b − noise
        P[..., :3, :3] += (root @ root)[:, None]
        C[..., :3, :] = -root[:, None]
    return Belief(
        x,
        P,
        np.tile(np.log(bank.share), (n, 1)),
        C,
        root,
        np.tile(np.log(bank.prior), (n, 1)),
        np.zeros((n, units), dtype=np.float32),
    )


def mix(bank: MotionBank, belief: Belief, dt: Array | float) -> Belief:
    """Let each model start from what the others believe, as far as a switch within ``dt`` allows.

    The mean and covariance of each expert do not change; the experts' weights draw nearer.

    Args:
        bank: M models.
        belief: N tracks.
        dt: s, a number or (N,).
    """
    n, m = belief.log_mu.shape
    k = belief.C.shape[-1]
    chance = np.maximum(stay_or_switch(bank, dt), SMALLEST)
    log_joint = belief.log_mu[:, :, None] + np.log(chance)  # (N, from, to)
    log_mu = _log_sum_exp(log_joint, axis=1)  # (N, to)
    weight = np.exp(log_joint - log_mu[:, None]).swapaxes(1, 2)  # (N, to, from)
    x = weight @ belief.x
    offset = belief.x[:, None] - x[:, :, None]  # (N, to, from, 9)
    P = (weight @ belief.P.reshape(n, m, STATE**2)).reshape(n, m, STATE, STATE)
    P += (offset * weight[..., None]).swapaxes(-1, -2) @ offset
    C = (weight @ belief.C.reshape(n, m, STATE * k)).reshape(n, m, STATE, k) if k else belief.C
    log_w = belief.log_w
    if log_w.shape[1] > 1:
        log_w = share(log_w, forgotten(bank.hedge_rate, dt), bank.prior)
    return belief.but(x=x, P=P, log_mu=log_mu, C=C, log_w=log_w)


def propagate(
    bank: MotionBank,
    mixed: Belief,
    dt: Array | float,
    gravity: Array | None = None,
    *,
    log_q: Array | None = None,
) -> tuple[Belief, Array]:
    """Move every model ``dt`` seconds ahead.

    Args:
        bank: M models.
        mixed: N tracks.
        dt: s, a number or (N,).
        gravity: (N, 3) m/s², in place of the bank's.
        log_q: Logarithm of what each model's process noise is scaled by, (N, M).

    Returns:
        The belief, and each model's covariance of the state before with the state after,
        (N, M, 9, 9).
    """
    F, Q = transition(bank, dt)  # (M, 9, 9)
    if log_q is not None:
        Q = Q * np.exp(log_q)[..., None, None]
    x = (F @ mixed.x[..., None])[..., 0]
    if bank.falls.any():
        x[:, bank.falls] += fall(bank, dt, gravity)[..., None, :]
    after_before = F @ mixed.P
    P = after_before @ F.swapaxes(-1, -2) + Q
    C = mixed.C
    if mixed.knows_bias:
        fading = np.exp(-np.asarray(dt, dtype=float) / bank.bias_time)[..., None, None, None]
        C = F @ C * fading
    since, shift = mixed.since + dt, np.zeros_like(mixed.shift)
    moved = mixed.but(x=x, P=symmetric(P), C=C, since=since, shift=shift)
    return moved, after_before.swapaxes(-1, -2)


def collapse(belief: Belief, mu: Array | None = None) -> tuple[Array, Array]:
    """Return mean (N, 9) and covariance (N, 9, 9) of the mixture over all models.

    Args:
        belief: N tracks.
        mu: Probability of each model, (N, M): ``weights`` when there are several experts.
    """
    return moments(np.exp(belief.log_mu) if mu is None else mu, belief.x, belief.P)


def collapse_expert(bank: MotionBank, belief: Belief, expert: int) -> tuple[Array, Array]:
    """Return mean (N, 9) and covariance (N, 9, 9) of one expert's mixture over its models."""
    own = bank.spans[expert]
    return moments(np.exp(belief.log_mu[:, own]), belief.x[:, own], belief.P[:, own])


def collapse_bias(belief: Belief, mu: Array | None = None) -> Array:
    """Return the covariance of the mixture's state with the bias, (N, 9, 3); (N, 9, 0) without.

    Args:
        belief: N tracks.
        mu: As for ``collapse``.
    """
    n, m, _, k = belief.C.shape
    share = np.exp(belief.log_mu) if mu is None else mu
    mean: Array = share[:, None] @ belief.C.reshape(n, m, STATE * k)
    return mean.reshape(n, STATE, k)


def weights(bank: MotionBank, belief: Belief) -> Array:
    """Return the probability of each model, over all experts, (N, M)."""
    if belief.log_w.shape[1] == 1:
        return np.exp(belief.log_mu)
    log_w = belief.log_w[:, : len(bank.owned)]
    if bank.guests:
        log_w = log_w.copy()
        log_w[:, 0] = np.logaddexp.reduce(belief.log_w[:, [0, *range(-bank.guests, 0)]], axis=1)
    whole: Array = np.exp(belief.log_mu + log_w[:, bank.expert])
    return whole


def moments(mu: Array, x: Array, P: Array) -> tuple[Array, Array]:
    """Return mean (N, 9) and covariance (N, 9, 9) of mixtures.

    Args:
        mu: Probability of each part, (N, K).
        x: Means, (N, K, 9).
        P: Covariances, (N, K, 9, 9).
    """
    n, k = mu.shape
    mean = (mu[:, None] @ x)[:, 0]
    offset = x - mean[:, None]  # (N, K, 9)
    whole = (mu[:, None] @ P.reshape(n, k, STATE**2)).reshape(n, STATE, STATE)
    whole += (offset * mu[..., None]).swapaxes(-1, -2) @ offset
    return mean, symmetric(whole)


def innovate(predicted: Belief, measurement: Measurement) -> Innovation:
    """Compare N measurements with what every model expects."""
    R = measurement.R[:, None]
    if measurement.is_position:
        cross, y = predicted.P[..., :3], measurement.z[:, None] - predicted.x[..., :3]
        S = cross[..., :3, :] + R
    else:
        H = measurement.H[:, None]  # (N, 1, D, 3)
        cross = predicted.P[..., :3] @ H.swapaxes(-1, -2)  # (N, M, 9, D)
        y = measurement.z[:, None] - (H @ predicted.x[..., :3, None])[..., 0]  # (N, M, D)
        S = H @ cross[..., :3, :] + R
    if not measurement.B.size:
        return Innovation(y, S, cross)
    G = measurement.root[:, None]  # (N, 1, 3, 3)
    shared = widen(predicted).C @ G  # (N, M, 9, 3)
    return Innovation(y, S + _slow(shared, G), cross + shared)


def surprise(x: Array, P: Array, measurement: Measurement, C: Array | None = None) -> Array:
    """Return the squared Mahalanobis distance (N,) of measurements from predicted states.

    Args:
        x: (N, 9), as ``collapse`` returns it.
        P: (N, 9, 9).
        measurement: N measurements.
        C: Covariance with the bias, (N, 9, 3); None or (N, 9, 0) where it has none.
    """
    H = measurement.H
    S = H @ P[:, :3, :3] @ H.swapaxes(-1, -2) + measurement.R
    if measurement.B.size:
        G = measurement.root
        S = S + _slow(np.zeros((len(x), STATE, 3)) if C is None or not C.size else C @ G, G)
    y = measurement.z - (H @ x[:, :3, None])[..., 0]
    return _squared_length(invert(S)[0], y)


def log_densities(
    innovation: Innovation, measurement: Measurement, log_r: Array | None = None
) -> Array:
    """Return the log density of N measurements by every model, (N, M).

    Args:
        innovation: Of the measurements.
        measurement: The same ones.
        log_r: Logarithm of what each model scales the white noise by, (N, M).
    """
    y, (S_inverse, log_det) = innovation.y, innovation.inverse
    if log_r is not None:
        S_inverse, log_det = invert(_inflated(innovation.S, measurement, log_r))
    log_det = log_det + y.shape[-1] * LOG_TWO_PI
    log_density: Array = -(_squared_length(S_inverse, y) + log_det) / 2
    return log_density


def hedge(
    bank: MotionBank,
    predicted: Belief,
    innovation: Innovation,
    measurement: Measurement,
    log_r: Array | None = None,
) -> tuple[Belief, Array, Array]:
    """Weigh the experts by how well each foretold the measurements, before these are used.

    Returns:
        The belief, the loss of each expert (N, E) and of the mixture (N,): minus log densities.
    """
    joint = predicted.log_mu + log_densities(innovation, measurement, log_r)  # (N, M)
    losses = -np.stack([_log_sum_exp(joint[:, own], axis=1) for own in bank.spans], axis=1)
    log_w, loss = weigh(predicted.log_w, losses)
    return predicted.but(log_w=log_w), losses, loss


def correct(
    bank: MotionBank,
    predicted: Belief,
    measurement: Measurement,
    distrust: Array,
    *,
    innovation: Innovation | None = None,
    log_r: Array | None = None,
    delta: Array | None = None,
) -> Belief:
    """Update every model, and the models' probabilities, with one measurement a track.

    A measurement is distrusted by inflating its innovation covariance, ``distrust * S``: the gain
    shrinks by the same factor and no outlier moves a track far. 1 is the Kalman filter. Models
    that are not gated trust everything.

    Args:
        bank: M models.
        predicted: N tracks.
        measurement: N measurements.
        distrust: At least 1, (N,) or (N, M).
        innovation: Of the measurements, if it is known already.
        log_r: Logarithm of what each model scales the white noise by, (N, M).
        delta: Added to the logarithm of each model's probability, (N, M).
    """
    if measurement.B.size:
        predicted = widen(predicted)
    found = innovate(predicted, measurement) if innovation is None else innovation
    H, R = measurement.H[:, None], measurement.R[:, None]  # (N, 1, D, 3), (N, 1, D, D)
    s = distrust[:, None] if distrust.ndim == 1 else distrust  # (N, 1) or (N, M)
    if not bank.gates_all:
        s = np.where(bank.gated, s, 1.0)
    S, y, (S_inverse, log_det) = found.S, found.y, found.inverse
    if log_r is not None:
        S, R = _inflated(S, measurement, log_r), R * np.exp(log_r)[..., None, None]
        S_inverse, log_det = invert(S)
    K = found.cross @ S_inverse / s[..., None, None]
    noise = R + (s[..., None, None] - 1.0) * S
    C, root, has_bias = predicted.C, predicted.root, measurement.B.size > 0
    if has_bias:
        root = measurement.root
        G = root[:, None]  # (N, 1, 3, 3)
        noise = noise + G @ G
    # Joseph, (I − K H) P (I − K H)ᵀ + K noise Kᵀ: an inexact gain harms in second order only.
    if measurement.is_position:
        left = predicted.P - K @ predicted.P[..., :3, :]
        left_H = left[..., :3]
    else:
        left = predicted.P - K @ (H @ predicted.P[..., :3, :])
        left_H = left[..., :3] @ H.swapaxes(-1, -2)
    P = left - (left_H - K @ noise) @ K.swapaxes(-1, -2)
    if predicted.knows_bias:
        C = C - K @ (H @ C[..., :3, :])
    if has_bias:
        KG = K @ G
        shared = C @ KG.swapaxes(-1, -2)
        P = P - (shared + shared.swapaxes(-1, -2))
        C = C - KG
    x = predicted.x + (K @ y[..., None])[..., 0]
    log_det = log_det + y.shape[-1] * (np.log(s) + LOG_TWO_PI)
    log_mu = predicted.log_mu - (_squared_length(S_inverse, y) / s + log_det) / 2  # (N, M)
    if delta is not None:
        log_mu = log_mu + delta
    return predicted.but(x=x, P=P, C=C, root=root, log_mu=_probabilities(bank, log_mu))


def symmetric(P: Array) -> Array:
    """Return the symmetric part of matrices on the last two axes."""
    return (P + P.swapaxes(-1, -2)) / 2


def _slow(shared: Array, G: Array) -> Array:
    """Return what a slow error adds to the innovation covariance (..., 3, 3).

    Args:
        shared: Covariance of the state with it, (..., 9, 3).
        G: Symmetric root of its own, (..., 3, 3).
    """
    mutual = shared[..., :3, :]
    added: Array = mutual + mutual.swapaxes(-1, -2) + G @ G
    return added


def _inflated(S: Array, measurement: Measurement, log_r: Array | None) -> Array:
    """Return innovation covariances with the white noise scaled by exp(log_r)."""
    if log_r is None:
        return S
    inflated: Array = S + np.expm1(log_r)[..., None, None] * measurement.R[:, None]
    return inflated


def _probabilities(bank: MotionBank, log_weight: Array) -> Array:
    """Normalise log weights (N, M) within each expert, each at least about the floor."""
    parts = []
    for own in bank.owned:
        log_mu: Array = log_weight[:, own]
        log_mu = log_mu - _log_sum_exp(log_mu, axis=-1)[:, None]
        log_mu = np.maximum(log_mu, np.log(bank.floor))
        log_mu -= _log_sum_exp(log_mu, axis=-1)[:, None]
        parts.append(log_mu)
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def _log_sum_exp(a: Array, axis: int) -> Array:
    top = a.max(axis=axis, keepdims=True)
    total: Array = np.log(np.exp(a - top).sum(axis=axis)) + top.squeeze(axis)
    return total


def _squared_length(S_inverse: Array, y: Array) -> Array:
    """Return yᵀ S⁻¹ y over the last axes."""
    length: Array = ((S_inverse @ y[..., None])[..., 0] * y).sum(axis=-1)
    return length
