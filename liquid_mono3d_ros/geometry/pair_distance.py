"""How far the tracks of two cameras are from being one object, averaged over time."""

from __future__ import annotations

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.geometry.epipolar import epipolar_distance
from liquid_mono3d_ros.geometry.view import View


class PairDistance:
    """Remembers the mean distance of each pair of tracks of two cameras.

    The mean runs over the frames in which both tracks were fresh, all of them until there are
    ``frames``; then it forgets at that rate.

    Attributes:
        mean: Of the Mahalanobis distance squared, and of the distance in px, (2, N, M).
        count: Over how many frames, at most ``frames``, (N, M).
    """

    def __init__(self, frames: int, ceiling_px: float) -> None:
        self._frames = frames
        self._ceiling = np.array([100.0, ceiling_px])[:, None, None]  # one bad frame: not forever
        self._names: tuple[list[int], list[int]] = ([], [])
        self.mean = np.zeros((2, 0, 0))
        self.count = np.zeros((0, 0))

    @property
    def mahalanobis2(self) -> Array:
        """Mean Mahalanobis distance squared, (N, M)."""
        return np.asarray(self.mean[0])

    @property
    def px(self) -> Array:
        """Mean distance, (N, M) px."""
        return np.asarray(self.mean[1])

    def measure(self, a: View, b: View, *, calibration_sigma: float, min_parallax: float) -> None:
        """Take in one frame of both cameras."""
        distance = epipolar_distance(
            a, b, calibration_sigma=calibration_sigma, min_parallax=min_parallax
        )
        self.update(a, b, *distance)

    def update(self, a: View, b: View, mahalanobis2: Array, px: Array) -> None:
        """Take in the distances (N, M) of one frame."""
        names = (list(a.rows), list(b.rows))
        if names != self._names:
            self._follow(names)
        fresh = a.fresh[:, None] & b.fresh
        self.count += fresh & (self.count < self._frames)
        weight = fresh / np.maximum(self.count, 1.0)
        self.mean += (np.minimum(np.array([mahalanobis2, px]), self._ceiling) - self.mean) * weight

    def _follow(self, names: tuple[list[int], list[int]]) -> None:
        """Keep what is known of the tracks that go on, in their new rows."""
        mean = np.zeros((2, len(names[0]), len(names[1])))
        count = np.zeros(mean.shape[1:])
        old, new = zip(*(_common(self._names[k], names[k]) for k in (0, 1)), strict=True)
        mean[:, new[0][:, None], new[1]] = self.mean[:, old[0][:, None], old[1]]
        count[new[0][:, None], new[1]] = self.count[old[0][:, None], old[1]]
        self._names, self.mean, self.count = names, mean, count


def _common(before: list[int], now: list[int]) -> tuple[Array, Array]:
    """Return the old and the new rows of the names known before."""
    rows = {name: row for row, name in enumerate(before)}
    pairs = [(rows[name], row) for row, name in enumerate(now) if name in rows]
    both = np.array(pairs, dtype=int).reshape(-1, 2)
    return both[:, 0], both[:, 1]
