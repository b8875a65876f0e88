"""Fixed-lag smoothing: what the newest measurements say of the state a few updates ago.

The Rauch–Tung–Striebel recursion over the moment-matched mixture: mean, covariance and the
covariance of consecutive states are those of the whole bank, the spread of the models' means
included. Exact for one model; for several, the best linear correction.

Where measurements have a slow error b, they follow the apparent path, position + b. The recursion
runs over the apparent path, whose own errors are white; the true state is read from it at the end.

Source: Rauch, Tung & Striebel, Maximum likelihood estimates of linear dynamic systems, AIAA
Journal 3(8), 1965.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.liquid.bank import collapse_bias, symmetric
from liquid_mono3d_ros.liquid.belief import Belief
from liquid_mono3d_ros.liquid.lifecycle import Lives
from liquid_mono3d_ros.liquid.motion import STATE
from liquid_mono3d_ros.liquid.rows import Rows

SMALLEST_FADING = 1e-30
"""Of a slow error that has changed altogether."""
SMALLEST_VARIANCE = 1e-30
LOWEST = -1e-9
"""Smallest eigenvalue that rounding may leave a matrix of correlations."""


@dataclass(frozen=True)
class Link(Rows):
    """How the predicted state of N tracks hangs on their state one update before.

    Attributes:
        x: Predicted mean, (N, 9).
        P: Predicted covariance of the apparent state, (N, 9, 9).
        gain: What a correction of the prediction says of the apparent state before, (N, 9, 9).
            Zero for a track that begins here.
        reader: What it says of the true state before, (N, 9, 9).
    """

    x: Array
    P: Array
    gain: Array
    reader: Array


@dataclass(frozen=True)
class Step:
    """One update of N tracks, kept until the lag has passed; rows in order of birth.

    Attributes:
        stamp: ns.
        lives: As they were.
        x: Mean, (N, 9).
        P: Covariance, (N, 9, 9).
        apparent: Covariance of the apparent state, (N, 9, 9).
        link: To the step before; without the tracks born here.
        begun: Which tracks were born or began anew here, (N,) bool.
        stretch: What the standard deviations are scaled by once they are told, (N, 9).
    """

    stamp: int
    lives: Lives
    x: Array
    P: Array
    apparent: Array
    link: Link
    begun: Array
    stretch: Array


def link_states(
    mixed: Belief,
    predicted: Belief,
    cross: Array,
    x: Array,
    P: Array,
    mu: Array | None = None,
    fading: Array | float = 1.0,
) -> Link:
    """Link two consecutive mixtures.

    Args:
        mixed: State before, as ``bank.mix`` returns it: each model's part of the whole.
        predicted: State after.
        cross: Each model's covariance of before with after, (N, M, 9, 9).
        x: Mean of ``predicted``, as ``bank.collapse`` returns it.
        P: Covariance of ``predicted``.
        mu: Probability of each model, (N, M): ``bank.weights`` when there are several experts.
        fading: Part of the slow error that has stayed; a number, or (N, 1, 1).
    """
    C, biases = cross_moments(mixed, predicted, cross, x, mu)
    return link_moments(x, P, C, biases, predicted, fading)


def cross_moments(
    mixed: Belief, predicted: Belief, cross: Array, x: Array, mu: Array | None = None
) -> tuple[Array, tuple[Array, Array]]:
    """Return the covariance of the state before with the state after, and those with the bias.

    Args:
        mixed: As for ``link_states``.
        predicted: State after.
        cross: Each model's covariance of before with after, (N, M, 9, 9).
        x: Mean of ``predicted``.
        mu: Probability of each model, (N, M).

    Returns:
        (N, 9, 9); covariances of the states before and after with the bias, each (N, 9, 3), or
        (N, 9, 0).
    """
    n, m = predicted.log_mu.shape
    mu = np.exp(predicted.log_mu) if mu is None else mu
    before = mixed.x - mu[:, None] @ mixed.x  # (N, M, 9)
    after = predicted.x - x[:, None]
    C = (mu[:, None] @ cross.reshape(n, m, STATE**2)).reshape(n, STATE, STATE)
    C += (before * mu[..., None]).swapaxes(-1, -2) @ after
    return C, (collapse_bias(mixed, mu), collapse_bias(predicted, mu))


def link_moments(
    x: Array,
    P: Array,
    C: Array,
    bias: tuple[Array, Array],
    predicted: Belief,
    fading: Array | float = 1.0,
) -> Link:
    """Link two consecutive states.

    Args:
        x: Mean of the state after, (N, 9).
        P: Its covariance, (N, 9, 9).
        C: Covariance of the state before with it, (N, 9, 9).
        bias: Covariance of the states before and after with the bias, each (N, 9, 3), or
            (N, 9, 0).
        predicted: The belief after.
        fading: Part of the slow error that has stayed.
    """
    if not predicted.knows_bias:
        gain = _regress(C, P)
        return Link(x, P, gain, gain)
    slow, (bias_before, bias_after) = _slow(predicted), bias
    fading = np.maximum(fading, SMALLEST_FADING)
    later = fading * slow @ slow.swapaxes(-1, -2)
    read = C + fading * bias_before @ slow.swapaxes(-1, -2)
    C = read + slow @ bias_after.swapaxes(-1, -2) / fading + later
    P = _apparent(P, bias_after, slow)
    return Link(x, P, _regress(C, P), _regress(read, P))


def apparent(P: Array, belief: Belief, seen: Belief, mu: Array | None = None) -> Array:
    """Return the covariance of the apparent state, (N, 9, 9).

    Args:
        P: Of the true state, (N, 9, 9).
        belief: N tracks.
        seen: The same; its slow error is taken.
        mu: Probability of each model, (N, M): ``bank.weights`` when there are several experts.
    """
    if not belief.knows_bias:
        return P
    return _apparent(P, collapse_bias(belief, mu), _slow(seen))


def _apparent(P: Array, bias: Array, slow: Array) -> Array:
    mutual = (bias + slow / 2) @ slow.swapaxes(-1, -2)
    whole: Array = P + mutual + mutual.swapaxes(-1, -2)
    return whole


def _slow(belief: Belief) -> Array:
    """Return how the bias of unit covariance enters the apparent state, (N, 9, 3)."""
    slow = np.zeros((len(belief), STATE, 3))
    slow[:, :3] = belief.root
    return slow


def _regress(C: Array, P: Array) -> Array:
    gain = np.linalg.solve(P, C.swapaxes(-1, -2)).swapaxes(-1, -2)
    return np.ascontiguousarray(gain)


def begin_states(x: Array, P: Array) -> Link:
    """Link tracks to nothing: they begin here."""
    return Link(x, P, np.zeros_like(P), np.zeros_like(P))


def append(steps: tuple[Step, ...], newest: Step, lag: int) -> tuple[Step, ...]:
    """Return at most ``lag`` + 1 steps, the newest last; it takes the place of its own stamp.

    The past of a track that began anew is cut off; a newborn one has none.
    """
    if newest.begun.any():
        n = len(newest.link)
        link = newest.link.join(begin_states(newest.x[n:], newest.apparent[n:]))
        begun = newest.begun[:, None, None]
        gain, reader = (np.where(begun, 0.0, part) for part in (link.gain, link.reader))
        link = replace(link, gain=gain, reader=reader)
        newest = replace(newest, link=link)
    if steps and steps[-1].stamp == newest.stamp:
        steps = steps[:-1]
    return (*steps, newest)[-lag - 1 :]


def smooth(steps: Sequence[Step]) -> tuple[Array, Array]:
    """Return the smoothed mean (N, 9) and covariance (N, 9, 9) at the oldest of the steps.

    Tracks born later stand behind the N of the oldest step and are left out.
    """
    n = len(steps[0].lives)
    x, P = steps[-1].x[:n], steps[-1].apparent[:n]
    for before, after in zip(steps[-2::-1], steps[:0:-1], strict=True):
        last = before is steps[0]
        gain = (after.link.reader if last else after.link.gain)[:n]
        x = before.x[:n] + (gain @ (x - after.link.x[:n])[..., None])[..., 0]
        own = before.P if last else before.apparent
        P = own[:n] + gain @ (P - after.link.P[:n]) @ gain.swapaxes(-1, -2)
    x, P = _sound(x, symmetric(P), steps[0])
    stretch = steps[0].stretch
    return x, P * stretch[:, :, None] * stretch[:, None]


def _sound(x: Array, P: Array, step: Step) -> tuple[Array, Array]:
    """Return the step's own state where rounding left no covariance: a last resort."""
    try:
        np.linalg.cholesky(P)
    except np.linalg.LinAlgError:
        scale = np.sqrt(np.maximum(np.diagonal(P, axis1=1, axis2=2), SMALLEST_VARIANCE))
        lowest = np.linalg.eigvalsh(P / scale[:, :, None] / scale[:, None])[:, 0]
        wrong = lowest < LOWEST
        x, P = x.copy(), P.copy()
        x[wrong], P[wrong] = step.x[wrong], step.P[wrong]
    return x, P


def without(step: Step, kept: Array) -> Step:
    """Return the step without the tracks that have ended since.

    Args:
        step: N tracks.
        kept: Mask over the tracks of today, of which the first N are those of the step.
    """
    rows = kept[: len(step.lives)]
    return replace(
        step,
        lives=step.lives.take(rows),
        x=step.x[rows],
        P=step.P[rows],
        apparent=step.apparent[rows],
        link=step.link.take(rows),
        begun=step.begun[rows],
        stretch=step.stretch[rows],
    )
