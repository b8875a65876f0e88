"""Seeded scenes of moving points in an image, with their truth, for trackers of one camera.

Every object is seen with white pixel noise, is missed now and then, and false detections appear
anywhere. No image is painted: what is tested is who is who.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from liquid_mono3d_ros.checks import Array

WIDTH, HEIGHT = 1920, 1080
RATE = 30.0
NOISE = 1.5
"""One standard deviation of a detection, px."""
MISSED = 0.1
"""Share of the visible objects that the detector misses in an image."""
CLUTTER = (2, 5)
"""Fewest and most false detections in an image."""


@dataclass(frozen=True)
class Scene:
    """T images at ``RATE`` of N objects with square boxes.

    Attributes:
        uv: Truth, (T, N, 2) px.
        visible: Whether the object can be seen, (T, N) bool.
        side: Of every box, px.
        seen: Detections of each image in random order, T arrays (M, 2) px.
    """

    uv: Array
    visible: Array
    side: float
    seen: tuple[Array, ...]

    def boxes(self, image: int) -> Array:
        """Return left, top, width, height of the detections of an image, (M, 4) px."""
        uv = self.seen[image]
        return np.concatenate([uv - self.side / 2, np.full_like(uv, self.side)], axis=1)


def crowd(seed: int, num_objects: int = 100, num_images: int = 150) -> Scene:
    """Return objects of 40 px on curved paths, 20 to 200 px/s, that cross as chance has it."""
    rng = np.random.default_rng(seed)
    t = np.arange(num_images) / RATE

    def path() -> Array:
        heading, bend = rng.uniform(0, 2 * np.pi, 2)
        velocity = rng.uniform(20, 200) * _unit(heading)
        acceleration = rng.uniform(0, 60) * _unit(bend)
        start = rng.uniform((0, 0), (WIDTH, HEIGHT))
        return start + t[:, None] * velocity + t[:, None] ** 2 / 2 * acceleration

    return _scene(rng, [_inside(path) for _ in range(num_objects)], side=40.0)


def small_and_fast(seed: int, num_objects: int = 50, num_images: int = 150) -> Scene:
    """Return objects of 6 px on circles, 5 to 25 px from image to image: boxes hardly overlap."""
    rng = np.random.default_rng(seed)
    k = np.arange(num_images)

    def path() -> Array:
        centre = rng.uniform((0, 0), (WIDTH, HEIGHT))
        radius, sense = rng.uniform(150, 400), rng.choice((-1, 1))
        angle = rng.uniform(0, 2 * np.pi) + sense * rng.uniform(5, 25) / radius * k
        return np.asarray(centre + radius * _unit(angle))

    return _scene(rng, [_inside(path) for _ in range(num_objects)], side=6.0)


def hiding(seed: int, num_pairs: int = 10, num_images: int = 150) -> Scene:
    """Return pairs of 40 px that meet head on and, each on its own, pass behind a pillar.

    Of a pair that overlaps only the nearer one is seen; behind a pillar, for 0.5 to 0.9 s, no one.
    """
    rng = np.random.default_rng(seed)
    t = np.arange(num_images) / RATE - num_images / RATE / 2  # they meet at 0
    paths, visible = [], []
    for pair in range(num_pairs):
        row = HEIGHT * (pair + 0.5) / num_pairs + rng.uniform(-5, 5, 2)
        speed = rng.uniform(80, 200, 2) * (1, -1)
        u = WIDTH / 2 + rng.uniform(-300, 300) + t[:, None] * speed  # (T, 2)
        seen = np.ones(u.shape, dtype=bool)
        seen[:, 1] = np.abs(u[:, 0] - u[:, 1]) > 20
        for i, (leaves, hidden) in enumerate(rng.uniform((0.8, 0.5), (1.2, 0.9), (2, 2))):
            seen[(t > leaves) & (t < leaves + hidden), i] = False
        paths += [np.stack([u[:, i], np.full(len(t), row[i])], axis=1) for i in (0, 1)]
        visible += [seen[:, 0], seen[:, 1]]
    return _scene(rng, paths, side=40.0, visible=np.stack(visible, axis=1))


SCENES: dict[str, Callable[[int], Scene]] = {
    "100 objects of 40 px": crowd,
    "50 objects of 6 px": small_and_fast,
    "20 that cross and hide": hiding,
}


def _unit(angle: float | Array) -> Array:
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def _inside(draw: Callable[[], Array]) -> Array:
    """Draw paths until one stays in the image, (T, 2) px."""
    while True:
        path = draw()
        if ((path >= 0) & (path <= (WIDTH - 1, HEIGHT - 1))).all():
            return path


def _scene(
    rng: np.random.Generator, paths: list[Array], side: float, visible: Array | None = None
) -> Scene:
    uv = np.stack(paths, axis=1)  # (T, N, 2)
    if visible is None:
        visible = np.ones(uv.shape[:2], dtype=bool)
    seen = []
    for truth, can in zip(uv, visible, strict=True):
        detected = truth[can & (rng.random(len(truth)) >= MISSED)]
        noisy = detected + rng.normal(0, NOISE, detected.shape)
        number = rng.integers(CLUTTER[0], CLUTTER[1], endpoint=True)
        false = rng.uniform((0, 0), (WIDTH, HEIGHT), (number, 2))
        seen.append(rng.permutation(np.concatenate([noisy, false])))
    return Scene(uv, visible, side, tuple(seen))
