"""What the things of a scene look like, and how that is drawn once, before it is seen anywhere."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.synth.attributes import COLOURS, MARKINGS, SHAPES, STRIPE_DIRECTIONS

PALETTE = {
    "red": (205, 30, 35),
    "orange": (240, 125, 15),
    "yellow": (240, 220, 40),
    "green": (35, 160, 60),
    "blue": (35, 80, 210),
    "purple": (140, 50, 175),
    "white": (242, 242, 240),
    "black": (22, 22, 24),
}
"""RGB."""
BOX = 100.0
"""Longest side of the drawn thing, px."""
CANVAS = 120
"""Side of the drawing, px."""
STRIPES = 3.4
"""Stripes, light and dark together, across the thing."""
SPOTS = 4.0
"""Dots across the thing."""
ARM, HOLE = 0.34, 0.52
"""Width of a cross's arms and of a ring's hole, over the whole."""
STRIPE_ANGLES = {"level": 0.0, "upright": 90.0, "rising": -45.0, "falling": 45.0}
"""From u towards v, degrees: v points down."""


@dataclass(frozen=True)
class Look:
    """One thing.

    Attributes:
        shape, colour, marking: Indices into the words of ``attributes``.
        tint: Added to the colour, (3,).
        pose: Turn in the picture, rad.
        grain: Direction of stripes, rad.
        phase: Of stripes and dots, 0 to 1, (2,).
        light: Where the light comes from, in the picture, (2,).
    """

    shape: int
    colour: int
    marking: int
    tint: Array
    pose: float
    grain: float
    phase: Array
    light: Array


_ANYHOW = tuple(SHAPES.index(word) for word in ("ball", "triangle", "ring", "star"))
"""Shapes that may lie in the picture in any way."""


def draw_look(
    shape: int, colour: int, marking: int, direction: int, rng: np.random.Generator
) -> Look:
    """Draw what the words leave open; ``direction`` is that of stripes, -1 if there are none."""
    word = STRIPE_DIRECTIONS[direction] if direction >= 0 else "level"
    towards = rng.uniform(0, 2 * np.pi)
    return Look(
        shape=shape,
        colour=colour,
        marking=marking,
        tint=rng.uniform(-9, 9, 3),
        pose=np.deg2rad(rng.uniform(0, 360) if shape in _ANYHOW else rng.uniform(-14, 14)),
        grain=np.deg2rad(STRIPE_ANGLES[word] + rng.uniform(-9, 9)),
        phase=rng.uniform(0, 1, 2),
        light=np.array([np.cos(towards), np.sin(towards)]),
    )


def paint(look: Look) -> Array:
    """Return the thing, (CANVAS, CANVAS, 4) float32: RGB times cover, and cover from 0 to 1."""
    body = np.array(PALETTE[COLOURS[look.colour]]) + look.tint
    ink = body * 0.38 if is_bright(look) else body + (255 - body) * 0.38
    shade = 1 + 0.5 * (_X * np.float32(look.light[0]) + _Y * np.float32(look.light[1]))
    cover, marked = _cover(look.shape, look.pose), _marks(look)
    painted = np.empty((4, CANVAS, CANVAS), np.float32)
    shade *= cover
    for channel in range(3):
        start, way = np.float32(body[channel]), np.float32(ink[channel] - body[channel])
        np.multiply(start + way * marked, shade, out=painted[channel])
    np.minimum(painted[:3], 255 * cover, out=painted[:3])
    painted[3] = cover
    return np.ascontiguousarray(painted.transpose(1, 2, 0))


def is_bright(look: Look) -> bool:
    """Return whether the thing is bright enough that dimming it shows."""
    return bool(np.array(PALETTE[COLOURS[look.colour]]) @ (0.3, 0.59, 0.11) > 75)


_ROWS, _COLUMNS = np.mgrid[:CANVAS, :CANVAS].astype(np.float32)
_X, _Y = (_COLUMNS - (CANVAS - 1) / 2) / BOX, (_ROWS - (CANVAS - 1) / 2) / BOX
_SHIFT = 4
"""Bits of a corner's fraction of a pixel."""


def _cover(shape: int, pose: float) -> Array:
    """Return the silhouette, filling a box whose longest side is ``BOX``, antialiased."""
    outline = _outline(SHAPES[shape])
    c, s = np.cos(pose), np.sin(pose)
    turned = outline @ np.array([[c, s], [-s, c]])
    low, high = turned.min(axis=0), turned.max(axis=0)
    corners = (turned - (low + high) / 2) * (BOX / (high - low).max())
    canvas = np.zeros((CANVAS, CANVAS), np.uint8)
    _fill(canvas, corners, 255)
    if SHAPES[shape] == "ring":
        _fill(canvas, HOLE * corners, 0)
    return canvas.astype(np.float32) / 255


def _fill(canvas: Array, corners: Array, value: int) -> None:
    fixed = np.rint((corners + (CANVAS - 1) / 2) * 2**_SHIFT).astype(np.int32)
    cv2.fillPoly(canvas, [fixed], value, lineType=cv2.LINE_AA, shift=_SHIFT)


def _outline(shape: str) -> Array:
    """Return corners (M, 2)."""
    if shape == "box":
        return np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], float)
    if shape == "cross":
        parts = [np.array([[ARM, -1], [ARM, -ARM], [1, -ARM]])]
        for _ in range(3):
            parts.append(parts[-1] @ np.array([[0, 1], [-1, 0]]))  # a quarter turn
        return np.concatenate(parts)
    corners = {"triangle": 3, "star": 10}.get(shape, 72)
    angle = np.arange(corners) * 2 * np.pi / corners
    radius = np.where(np.arange(corners) % 2, 0.42, 1.0) if shape == "star" else 1.0
    return np.asarray((radius * np.array([np.sin(angle), -np.cos(angle)])).T)


def _marks(look: Look) -> Array:
    """Return where there is ink, 0 to 1, (CANVAS, CANVAS)."""
    word = MARKINGS[look.marking]
    if word == "plain":
        return np.zeros_like(_X)
    c, s = np.float32(np.cos(look.grain)), np.float32(np.sin(look.grain))
    across, along = c * _Y - s * _X, c * _X + s * _Y
    if word == "striped":
        wave = np.cos(np.float32(2 * np.pi) * (STRIPES * across + np.float32(look.phase[0])))
        return np.asarray(np.clip(0.2 + 4.0 * (wave - 0.15), 0, 1))
    u = SPOTS * along + np.float32(look.phase[0])
    v = SPOTS * across + np.float32(look.phase[1])
    far = np.hypot(u - np.rint(u), v - np.rint(v))
    return np.asarray(np.clip(0.5 + 7.0 * (0.31 - far), 0, 1))
