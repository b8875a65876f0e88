"""Where the tracker cuts its crops: squares of whole pixels around a box that is almost right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.tracking.crops import MARGIN

CROP = 64
"""Side of a crop, px."""


@dataclass(frozen=True)
class Windows:
    """Where the tracker looks for a thing, in V frames.

    Attributes:
        corner: Top left pixel, (V, 2) px, whole numbers.
        side: (V,) px, whole numbers.
    """

    corner: Array
    side: Array

    @property
    def zoom(self) -> Array:
        """Pixels of the crop per pixel of the image, (V,)."""
        return CROP / self.side

    def place(self, uv: Array) -> Array:
        """Return where pixels (V, 2) of the image are in the crop, (V, 2)."""
        return (uv - self.corner + 0.5) * self.zoom[:, None] - 0.5


def draw_windows(uv: Array, extent: Array, rng: np.random.Generator) -> Windows:
    """Draw the windows of a tracker: off by a little, and by almost the same in the next frame.

    They are those of ``tracking.crops``: ``MARGIN`` times the longest side of the box.

    Args:
        uv: Middle of the thing's box, (V, 2) px.
        extent: Longest side of the box, (V,) px.
        rng: Source of everything drawn.
    """
    wander = _wander(rng, (len(uv), 3))
    centre = uv + (0.02 * extent[:, None] + 0.3) * wander[:, :2]
    longest = extent * (1.02 + 0.03 * wander[:, 2]) + 0.3
    side = np.maximum(1, np.rint(MARGIN * longest))
    corner = np.rint(centre - (side[:, None] - 1) / 2)
    return Windows(corner, side)


def _wander(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Return noise of one sigma, of which half of the variance is kept from row to row."""
    white = rng.normal(size=shape)
    for k in range(1, shape[0]):
        white[k] = 0.7 * white[k - 1] + np.sqrt(1 - 0.49) * white[k]
    return white
