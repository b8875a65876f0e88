"""Small covariances: their inverse and determinant, however flat they are."""

from __future__ import annotations

import numpy as np

from liquid_mono3d_ros.checks import Array

FLATTEST = 1e-15
"""Smallest pivot of a covariance, in parts of its variance."""


def invert(S: Array) -> tuple[Array, Array]:
    """Return the inverse and the log determinant of covariances (..., D, D).

    For D = 3 by L D Lᵀ, whose pivots stay positive however flat the matrix is.
    """
    if S.shape[-1] != 3:
        return np.linalg.inv(S), np.linalg.slogdet(S)[1]
    a, b, c = S[..., 0, 0], S[..., 0, 1], S[..., 0, 2]
    p, q = b / a, c / a
    d, e = np.maximum(S[..., 1, 1] - p * b, FLATTEST * S[..., 1, 1]), S[..., 1, 2] - p * c
    r = e / d
    f = np.maximum(S[..., 2, 2] - q * c - r * e, FLATTEST * S[..., 2, 2])
    u, k = p * r - q, 1 / f
    inverse = np.empty(S.shape)
    inverse[..., 2, 2] = k
    inverse[..., 1, 2] = inverse[..., 2, 1] = -r * k
    inverse[..., 0, 2] = inverse[..., 2, 0] = uk = u * k
    inverse[..., 0, 1] = inverse[..., 1, 0] = -p / d - uk * r
    inverse[..., 1, 1] = 1 / d + r * r * k
    inverse[..., 0, 0] = 1 / a + p * p / d + u * uk
    return inverse, np.log(a) + np.log(d) + np.log(f)
