"""Inverses of many symmetric 3 × 3 matrices at once; their axis comes last."""

from __future__ import annotations

import numpy as np

from liquid_mono3d_ros.checks import Array


def solve_or_far(A: Array, b: Array) -> Array:
    """Return ``A⁻¹ b``, (3, N); where A is singular, a point far along what it does not see."""
    cofactors, det = _cofactors(A)
    singular = ~(det > 1e-14 * (A[0, 0] + A[1, 1] + A[2, 2]) ** 3)
    x = np.einsum("ijn,jn->in", cofactors, b) / np.where(singular, 1.0, det)
    if singular.any():
        longest = np.einsum("iin->in", cofactors).argmax(axis=0)
        unseen = cofactors[:, longest, np.arange(len(longest))]
        length = np.sqrt(np.einsum("in,in->n", unseen, unseen))
        x = np.where(singular, 1e9 * unseen / np.where(length > 0, length, 1.0), x)
    return np.asarray(x)


def inverse(A: Array) -> Array:
    """Return the inverses of symmetric matrices (3, 3, N); huge but finite where singular."""
    size = A[0, 0] + A[1, 1] + A[2, 2]
    cofactors, det = _cofactors(A / size)
    return np.asarray(cofactors / (np.maximum(det, 1e-30) * size))


def _cofactors(A: Array) -> tuple[Array, Array]:
    """Return the cofactors of symmetric matrices (3, 3, N) and their determinants (N,)."""
    a, b, c, d, e, f = A[0, 0], A[0, 1], A[0, 2], A[1, 1], A[1, 2], A[2, 2]
    cofactors = np.empty(A.shape)
    cofactors[0, 0] = d * f - e * e
    cofactors[0, 1] = cofactors[1, 0] = c * e - b * f
    cofactors[0, 2] = cofactors[2, 0] = b * e - c * d
    cofactors[1, 1] = a * f - c * c
    cofactors[1, 2] = cofactors[2, 1] = b * c - a * e
    cofactors[2, 2] = a * d - b * b
    return cofactors, a * cofactors[0, 0] + b * cofactors[0, 1] + c * cofactors[0, 2]


def away_from_zero(value: Array, least: float = 1e-12) -> Array:
    """Return the values, those nearer to zero than ``least`` replaced by it."""
    return np.where(np.abs(value) < least, least, value)
