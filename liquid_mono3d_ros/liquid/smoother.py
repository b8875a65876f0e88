"""Fixed-lag smoothing: what the newest measurements say of the state a few updates ago.

The Rauch–Tung–Striebel recursion over the moment-matched mixture: mean, covariance and the
covariance of consecutive states are those of the whole bank, the spread of the models' means
included. Exact for one model; for several, the best linear correction.

Source: Rauch, Tung & Striebel, Maximum likelihood estimates of linear dynamic systems, AIAA
Journal 3(8), 1965.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.liquid.bank import Belief, symmetric
from liquid_mono3d_ros.liquid.lifecycle import Lives
from liquid_mono3d_ros.liquid.motion import STATE
from liquid_mono3d_ros.liquid.rows import Rows


@dataclass(frozen=True)
class Link(Rows):
    """How the predicted state of N tracks hangs on their state one update before.

    Attributes:
        x: Predicted mean, (N, 9).
        P: Predicted covariance, (N, 9, 9).
        gain: What a correction of the prediction says of the state before, (N, 9, 9). Zero for a
            track that begins here.
    """

    x: Array
    P: Array
    gain: Array


@dataclass(frozen=True)
class Step:
    """One update of N tracks, kept until the lag has passed; rows in order of birth.

    Attributes:
        stamp: ns.
        lives: As they were.
        x: Mean, (N, 9).
        P: Covariance, (N, 9, 9).
        link: To the step before; without the tracks born here.
        begun: Which tracks were born or began anew here, (N,) bool.
    """

    stamp: int
    lives: Lives
    x: Array
    P: Array
    link: Link
    begun: Array


def link_states(mixed: Belief, predicted: Belief, cross: Array, x: Array, P: Array) -> Link:
    """Link two consecutive mixtures.

    Args:
        mixed: State before, as ``bank.mix`` returns it: each model's part of the whole.
        predicted: State after.
        cross: Each model's covariance of before with after, (N, M, 9, 9).
        x: Mean of ``predicted``, as ``bank.collapse`` returns it.
        P: Covariance of ``predicted``.
    """
    n, m = predicted.log_mu.shape
    mu = np.exp(predicted.log_mu)
    before = mixed.x - mu[:, None] @ mixed.x  # (N, M, 9)
    after = predicted.x - x[:, None]
    C = (mu[:, None] @ cross.reshape(n, m, STATE**2)).reshape(n, STATE, STATE)
    C += (before * mu[..., None]).swapaxes(-1, -2) @ after
    gain = np.linalg.solve(P, C.swapaxes(-1, -2)).swapaxes(-1, -2)
    return Link(x, P, np.ascontiguousarray(gain))


def begin_states(x: Array, P: Array) -> Link:
    """Link tracks to nothing: they begin here."""
    return Link(x, P, np.zeros_like(P))


def append(steps: tuple[Step, ...], newest: Step, lag: int) -> tuple[Step, ...]:
    """Return at most ``lag`` + 1 steps, the newest last; it takes the place of its own stamp.

    The past of a track that began anew is cut off; a newborn one has none.
    """
    if newest.begun.any():
        n = len(newest.link)
        link = newest.link.join(begin_states(newest.x[n:], newest.P[n:]))
        link = replace(link, gain=np.where(newest.begun[:, None, None], 0.0, link.gain))
        newest = replace(newest, link=link)
    if steps and steps[-1].stamp == newest.stamp:
        steps = steps[:-1]
    return (*steps, newest)[-lag - 1 :]


def smooth(steps: Sequence[Step]) -> tuple[Array, Array]:
    """Return the smoothed mean (N, 9) and covariance (N, 9, 9) at the oldest of the steps.

    Tracks born later stand behind the N of the oldest step and are left out.
    """
    n = len(steps[0].lives)
    x, P = steps[-1].x[:n], steps[-1].P[:n]
    for before, after in zip(steps[-2::-1], steps[:0:-1], strict=True):
        gain = after.link.gain[:n]
        x = before.x[:n] + (gain @ (x - after.link.x[:n])[..., None])[..., 0]
        P = before.P[:n] + gain @ (P - after.link.P[:n]) @ gain.swapaxes(-1, -2)
    return x, symmetric(P)


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
        link=step.link.take(rows),
        begun=step.begun[rows],
    )
