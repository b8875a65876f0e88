"""Where the tracks will be: the predicted path with its covariance."""

from __future__ import annotations

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.liquid.bank import symmetric, weights
from liquid_mono3d_ros.liquid.belief import Belief
from liquid_mono3d_ros.liquid.motion import I3, MotionBank, fall, stay_or_switch, transition


def forecast(
    bank: MotionBank, belief: Belief, after: Array, log_q: Array | None = None
) -> tuple[Array, Array]:
    """Predict positions at several times at once.

    The same numbers as ``mix``, ``propagate`` and ``collapse`` for each time, but only the
    position is worked out: the covariance is linear in the models' covariance blocks, so one
    matrix product serves all times.

    Args:
        bank: M models.
        belief: N tracks.
        after: K times after the belief, s.
        log_q: Logarithm of what each model's process noise is scaled by, (N, M).

    Returns:
        Positions (N, K, 3) m and their covariance (N, K, 3, 3) m².
    """
    n, m = belief.log_mu.shape
    k = len(after)
    F, Q = transition(bank, after)
    f_x, q_x = F[:, :, 0, ::3], Q[:, :, 0, 0]  # (K, M, 3), (K, M): the first axis says all
    joint = weights(bank, belief)[:, None, :, None] * stay_or_switch(bank, after)
    # (N, K, from, to)

    ends = f_x.reshape(k * m, 3) @ belief.x.reshape(n, m, 3, 3)  # (N, from, K·to, 3)
    ends = ends.reshape(n, m, k, m, 3).swapaxes(1, 2)  # (N, K, from, to, 3)
    if bank.falls.any():
        ends = ends + bank.falls[:, None] * fall(bank, after)[:, None, None, :3]
    ends = ends.reshape(n, k, m * m, 3)
    weight = joint.reshape(n, k, m * m)
    xyz = (weight[:, :, None] @ ends)[:, :, 0]  # (N, K, 3)
    offset = ends - xyz[:, :, None]
    spread = (offset * weight[..., None]).swapaxes(-1, -2) @ offset

    pairs = (f_x[..., :, None] * f_x[..., None, :]).reshape(k, m, 9)
    share = (joint @ pairs).reshape(n, k, m * 9)  # of each model's covariance blocks
    blocks = belief.P.reshape(n, m, 3, 3, 3, 3).transpose(0, 1, 2, 4, 3, 5).reshape(n, m * 9, 9)
    within = (share @ blocks).reshape(n, k, 3, 3)
    entered = joint.sum(axis=2)  # (N, K, to)
    if log_q is not None:
        entered = entered * np.exp(log_q)[:, None]
    driven = (entered * q_x).sum(axis=-1)  # (N, K)
    return xyz, symmetric(within + spread) + driven[..., None, None] * I3
