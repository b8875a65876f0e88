"""Sparse robust least squares: Levenberg–Marquardt on states that need not be vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from scipy import sparse
from scipy.sparse import linalg

from liquid_mono3d_ros.checks import Array

State = TypeVar("State")


@dataclass(frozen=True)
class Equations:
    """Whitened residuals, measured minus predicted or of either sign, and their slopes.

    Attributes:
        residual: (M,).
        jacobian: d residual / d step, sparse (M, P).
        group: Which residuals are weighed together, (M,) int from 0 on.
        scale: Per group, in sigmas: residuals far above it count only by their logarithm (Cauchy);
            infinite for plain squares.
    """

    residual: Array
    jacobian: Any
    group: Array
    scale: Array


@dataclass(frozen=True)
class Solution(Generic[State]):
    """Where the cost is least.

    Attributes:
        state: That gives it.
        weight: Of each group there, 0 to 1.
        information: Inverse of the covariance of a step, sparse (P, P).
        iterations: That it took.
        converged: Whether the last step was small; else the iterations ran out.
    """

    state: State
    weight: Array
    information: Any
    iterations: int
    converged: bool

    def covariance(self, parameters: Array) -> Array:
        """Return the covariance of some parameters, given by index (n,), all others free."""
        columns = np.zeros((self.information.shape[0], len(parameters)))
        columns[parameters, np.arange(len(parameters))] = 1.0
        return np.asarray(linalg.splu(self.information).solve(columns)[parameters])


def minimise(
    state: State,
    linearise: Callable[[State], Equations],
    move: Callable[[State, Array], State],
    *,
    iterations: int = 100,
    tolerance: float = 1e-10,
) -> Solution[State]:
    """Return where the sum of robust costs is least, near the start.

    Source: Triggs et al., Bundle adjustment: a modern synthesis, 2000, sections 4.3 and 6.1.

    Args:
        state: Start.
        linearise: Gives the equations at a state.
        move: Takes a state and a step (P,) to the next state.
        iterations: At most.
        tolerance: A step that gains a smaller part of the cost ends it.
    """
    equations = linearise(state)
    cost, damping, done = _cost(equations), 1e-4, 0
    converged = False
    while done < iterations and not converged:
        information, gradient, _ = _normal(equations)
        for _ in range(12):  # towards shorter steps, until one helps
            damped = information + sparse.diags(damping * information.diagonal())
            trial = move(state, linalg.splu(sparse.csc_matrix(damped)).solve(-gradient))
            trial_equations = linearise(trial)
            trial_cost = _cost(trial_equations)
            if trial_cost <= cost:
                break
            damping = min(damping * 8, 1e12)
        else:
            converged = True  # nothing helps: rounding
            break
        converged = cost - trial_cost <= tolerance * cost
        state, equations, cost = trial, trial_equations, trial_cost
        damping, done = max(damping / 8, 1e-12), done + 1
    information, _, weight = _normal(equations)
    return Solution(state, weight, information, done, converged)


def _squared(equations: Equations) -> Array:
    return np.bincount(equations.group, equations.residual**2, minlength=len(equations.scale))


def _cost(equations: Equations) -> float:
    squared, scale2 = _squared(equations), np.square(equations.scale)
    plain = np.isinf(scale2)
    bounded = np.where(plain, 1.0, scale2)
    cost = np.where(plain, squared, bounded * np.log1p(squared / bounded)).sum()
    return float(cost) if np.isfinite(cost) else np.inf


def _normal(equations: Equations) -> tuple[Any, Array, Array]:
    """Return JᵀWJ, JᵀWr and the weight of each group."""
    weight = 1.0 / (1.0 + _squared(equations) / np.square(equations.scale))
    root = np.sqrt(weight[equations.group])
    J = sparse.diags(root) @ equations.jacobian
    return sparse.csc_matrix(J.T @ J), J.T @ (root * equations.residual), weight


def stack(blocks: list[tuple[Array, Array, Array]], shape: tuple[int, int]) -> Any:
    """Return a sparse matrix of blocks: rows (m,), columns (n,) and values (m, n) of each."""
    rows = [np.repeat(rows, len(columns)) for rows, columns, _ in blocks]
    columns = [np.tile(columns, len(rows)) for rows, columns, _ in blocks]
    values = [block.ravel() for _, _, block in blocks]
    if not blocks:
        return sparse.csr_matrix(shape)
    joined = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return sparse.csr_matrix(joined, shape=shape)
