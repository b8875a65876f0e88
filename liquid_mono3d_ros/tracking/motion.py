"""How the tracks of one camera move: each steadily, or in a manoeuvre, with the odds of the two.

One process noise cannot serve both: what follows a bouncing ball loses a walker behind a pillar to
the next one in sight. So two Kalman filters run per track, one for each kind of motion, and the
detections say which to believe: the interacting multiple model filter. It departs from the book
in two ways. Filters mix after a detection, not before every prediction: unseen, the sure
prediction of a steady thing is not smeared by the guess that it may have turned. And the spread
between the two is shared out evenly over u and v, so that one covariance serves both axes.

Source: Bar-Shalom, Li, Kirubarajan, Estimation with Applications to Tracking and Navigation,
section 11.6.6.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import expit

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.tracking import kalman


@dataclass(frozen=True)
class Motion:
    """States of N tracks, two kinds each: steady first, manoeuvre second.

    Attributes:
        x: State of each filter, (4, 2, N) px, px/s.
        p: Its covariance as in ``kalman``, (3, 2, N).
        odds: Probability of a manoeuvre, (N,).
    """

    x: Array
    p: Array
    odds: Array

    def rows(self, index: Array) -> Motion:
        """Return the tracks at the indices."""
        return Motion(*(part.take(index, axis=-1) for part in (self.x, self.p, self.odds)))

    def replaced(self, index: Array, other: Motion) -> Motion:
        """Return the tracks with those at the indices exchanged."""
        x, p, odds = self.x.copy(), self.p.copy(), self.odds.copy()
        x[:, :, index], p[:, :, index], odds[index] = other.x, other.p, other.odds
        return Motion(x, p, odds)

    def joined(self, other: Motion) -> Motion:
        """Return the tracks of both."""
        pairs = ((self.x, other.x), (self.p, other.p), (self.odds, other.odds))
        return Motion(*(np.concatenate(pair, axis=-1) for pair in pairs))

    @cached_property
    def mean(self) -> Array:
        """Expected state, (4, N) px, px/s."""
        return _between(self.x, self.odds)

    @cached_property
    def variance(self) -> Array:
        """Covariance of the expected state as in ``kalman``, (3, N)."""
        unsure = self.odds * (1 - self.odds)
        return np.asarray(_between(self.p, self.odds) + unsure * _spread(self.x))


def start(uv: Array, sigma_px: Array, speed: float, odds: float) -> Motion:
    """Begin at pixels, both kinds alike.

    Args:
        uv: (2, N) px.
        sigma_px: One standard deviation of ``uv``, (N,) px.
        speed: One standard deviation of each component of the unknown velocity, px/s.
        odds: Probability of a manoeuvre.
    """
    x, p = kalman.start(uv, sigma_px, speed)
    both = np.repeat(x[:, None], 2, axis=1), np.repeat(p[:, None], 2, axis=1)
    return Motion(*both, np.full(len(sigma_px), odds))


def predict(motion: Motion, dt: float, noise: tuple[float, float]) -> Motion:
    """Move every track on by ``dt`` s; ``noise`` is that of each kind, px/s per √s."""
    x, p = kalman.predict(motion.x, motion.p, dt, np.array(noise)[:, None])
    return Motion(x, p, motion.odds)


def update(motion: Motion, uv: Array, sigma_px: Array, begins: float, ends: float) -> Motion:
    """Take one detection into each track, weigh the two kinds by it, and mix them.

    Args:
        motion: N tracks.
        uv: (2, N) px.
        sigma_px: One standard deviation of ``uv``, (N,) px.
        begins: Chance that a manoeuvre begins from one detection to the next.
        ends: Chance that it ends.
    """
    x, p, fit = kalman.update(motion.x, motion.p, uv[:, None], sigma_px)
    odds = expit(np.log(motion.odds / (1 - motion.odds)) + fit[1] - fit[0])  # Bayes
    mixed_odds = odds * (1 - ends) + (1 - odds) * begins
    share = np.empty_like(fit)  # (2, N): of each kind, what comes from the other
    share[0] = odds * ends / (1 - mixed_odds)
    share[1] = (1 - odds) * begins / mixed_odds
    mixed_x = x + share * (x[:, ::-1] - x)
    mixed_p = p + share * (p[:, ::-1] - p + (1 - share) * _spread(x)[:, None])
    return Motion(mixed_x, mixed_p, mixed_odds)


def _between(values: Array, odds: Array) -> Array:
    """Return the mean of both kinds, (D, N), of values (D, 2, N)."""
    return np.asarray(values[:, 0] + odds * (values[:, 1] - values[:, 0]))


def _spread(x: Array) -> Array:
    """Return the square of the difference of both kinds, mean over u and v, as ``p``, (3, N)."""
    u, v, du, dv = x[:, 1] - x[:, 0]
    spread = np.empty((3, len(u)))
    spread[0] = u * u + v * v
    spread[1] = u * du + v * dv
    spread[2] = du * du + dv * dv
    return spread / 2
