"""What is behind the things: textures of several families, other ones for test."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from liquid_mono3d_ros.checks import Array

SIDE = 160
"""Of a texture, px."""


def _blotches(rng: np.random.Generator) -> Array:
    """Clouds of three sizes."""
    field = np.zeros((SIDE, SIDE), np.float32)
    for cells, contrast in ((5, 1.0), (16, 0.7), (64, 0.4)):
        coarse = rng.standard_normal((cells, cells), dtype=np.float32)
        field += contrast * cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return field


def _bricks(rng: np.random.Generator) -> Array:
    """Rows of bricks, each of its own grey."""
    field = np.zeros((SIDE, SIDE), np.float32)
    height, width = int(rng.integers(8, 20)), int(rng.integers(16, 40))
    for row, top in enumerate(range(0, SIDE, height)):
        for left in range(-(row % 2) * width // 2, SIDE, width):
            grey = float(rng.normal(0.5, 0.8))
            cv2.rectangle(field, (left, top), (left + width - 2, top + height - 2), grey, -1)
    return field


def _leaves(rng: np.random.Generator) -> Array:
    """Ellipses on top of one another."""
    field = np.zeros((SIDE, SIDE), np.float32)
    for _ in range(70):
        centre, axes = rng.integers(0, SIDE, 2), rng.integers(5, 18, 2)
        angle = float(rng.uniform(0, 180))
        grey = float(rng.normal())
        cv2.ellipse(field, (centre.tolist(), (2 * axes).tolist(), angle), grey, -1)
    return field


def _weave(rng: np.random.Generator) -> Array:
    """Two sets of bands across one another."""
    axis = np.arange(SIDE, dtype=np.float32)
    bands = [np.sin(axis * rng.uniform(0.2, 0.9) + rng.uniform(0, 6)) for _ in range(2)]
    field = bands[0][:, None] + bands[1]
    turn = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), float(rng.uniform(0, 90)), 1.5)
    return np.asarray(cv2.warpAffine(field.astype(np.float32), turn, (SIDE, SIDE)))


def _cells(rng: np.random.Generator) -> Array:
    """Regions nearest to random points, each of its own grey."""
    far = np.ones((SIDE, SIDE), np.uint8)
    points = rng.integers(0, SIDE, (2, 60))
    far[points[0], points[1]] = 0
    _, nearest = cv2.distanceTransformWithLabels(
        far, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    return np.asarray(rng.standard_normal(nearest.max() + 1, dtype=np.float32)[nearest])


def _streaks(rng: np.random.Generator) -> Array:
    """Noise drawn out along one direction, as in wood."""
    field = rng.standard_normal((SIDE, SIDE), dtype=np.float32)
    turn = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), float(rng.uniform(0, 180)), 1.5)
    drawn = cv2.blur(field, (31, 2)) * 5.0
    return np.asarray(cv2.warpAffine(drawn, turn, (SIDE, SIDE)))


FAMILIES: dict[str, tuple[Callable[[np.random.Generator], Array], ...]] = {
    "train": (_blotches, _bricks, _leaves),
    "test": (_weave, _cells, _streaks),
}
"""Of each split; none is in both."""


def draw_wall(rng: np.random.Generator) -> Array:
    """Draw a plain wall, (SIDE, SIDE, 3) uint8 RGB, before which no motion shows."""
    tone = rng.uniform(85, 165) + rng.uniform(-14, 14, 3)
    return np.asarray(np.broadcast_to(tone, (SIDE, SIDE, 3)).astype(np.uint8))


def draw_backdrop(split: str, rng: np.random.Generator) -> Array:
    """Draw a texture, (SIDE, SIDE, 3) uint8 RGB, greyish and of middle light."""
    families = FAMILIES[split]
    field = families[int(rng.integers(len(families)))](rng)
    field -= field.mean()
    field /= max(float(field.std()), 1e-3)
    tone = rng.uniform(85, 165) + rng.uniform(-14, 14, 3)
    slope = rng.uniform(8, 24) + rng.uniform(-4, 4, 3)
    channels = [tone[k] + slope[k] * field for k in range(3)]
    return np.stack([np.clip(channel, 45, 205).astype(np.uint8) for channel in channels], axis=2)
