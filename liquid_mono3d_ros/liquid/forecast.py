"""Where the tracks will be: the predicted path with its covariance."""

from __future__ import annotations

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.liquid.bank import Belief, symmetric
from liquid_mono3d_ros.liquid.motion import I3, MotionBank, stay_or_switch, transition


def forecast(bank: MotionBank, belief: Belief, after: Array) -> tuple[Array, Array]:
    """Predict positions at several times at once.

    The same numbers as ``mix``, ``propagate`` and ``collapse`` for each time, but only the
    position is worked out: the covariance is linear in the models' covariance blocks, so one
    matrix product serves all times.

    Args:
        bank: M models.
        belief: N tracks.
        after: K times after the belief, s.

    Returns:
        Positions (N, K, 3) m and their covariance (N, K, 3, 3) m².
    """
    n, m = belief.log_mu.shape
    k = len(after)
    F, Q = transition(bank, after)
    f_x, q_x = F[:, :, 0, ::3], Q[:, :, 0, 0]  # (K, M, 3), (K, M): the first axis says all
    joint = np.exp(belief.log_mu)[:, None, :, None] * stay_or_switch(bank, after)
    # (N, K, from, to)

    ends = f_x.reshape(k * m, 3) @ belief.x.reshape(n, m, 3, 3)  # (N, from, K·to, 3)
    ends = ends.reshape(n, m, k, m, 3).swapaxes(1, 2).reshape(n, k, m * m, 3)
    weight = joint.reshape(n, k, m * m)
    xyz = (weight[:, :, None] @ ends)[:, :, 0]  # (N, K, 3)
    offset = ends - xyz[:, :, None]
    spread = (offset * weight[..., None]).swapaxes(-1, -2) @ offset

    pairs = (f_x[..., :, None] * f_x[..., None, :]).reshape(k, m, 9)
    share = (joint @ pairs).reshape(n, k, m * 9)  # of each model's covariance blocks
    blocks = belief.P.reshape(n, m, 3, 3, 3, 3).transpose(0, 1, 2, 4, 3, 5).reshape(n, m * 9, 9)
    within = (share @ blocks).reshape(n, k, 3, 3)
    driven = (joint.sum(axis=2) * q_x).sum(axis=-1)  # (N, K)
    return xyz, symmetric(within + spread) + driven[..., None, None] * I3
