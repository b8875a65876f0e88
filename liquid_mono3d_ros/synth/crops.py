"""The crops of one object of a scene, drawn where the tracker's windows are.

A crop is drawn at its own size, brought to the window's pixels, where the sensor's noise is, and
resized again, as the road does it: a small object is coarse.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.synth.backdrops import SIDE
from liquid_mono3d_ros.synth.looks import BOX, CANVAS, Look, is_bright, paint
from liquid_mono3d_ros.synth.windows import CROP, Windows

HALO = 0.8
"""How far a flash reaches, in boxes."""
DIMMED, LIT = 0.38, 55.0
"""What a blink leaves of a bright thing, and adds to a dark one."""
STEP, MOST_STEPS = 2.0, 4
"""A thing that moves farther than ``STEP`` px of the crop in an exposure is drawn in steps."""


@dataclass(frozen=True)
class Bar:
    """A post that crosses the picture: middle and direction across it (2,), px; RGB (3,)."""

    middle: Array
    across: Array
    half: float
    colour: Array
    in_front: bool


@dataclass(frozen=True)
class Sight:
    """What there is to be seen of one object, in V frames.

    Attributes:
        look: Of the object.
        uv: Middle of its box, (V, 2) px.
        extent: Longest side of its box, (V,) px.
        turn: (V,) rad.
        dim: Whether a blink changes it, (V,) bool.
        flash: How much it flashes, 0 to 1, (V,).
        backdrop: (SIDE, SIDE, 3) uint8.
        corner: Of the backdrop, in the image, (2,) px.
        grain: Image pixels per pixel of the backdrop.
        bar: What it passes; None: nothing.
        companion: Another thing, and where its box is, in boxes of the object; None without.
        gain: Of the light, (V, 3).
        noise: Of the sensor, grey levels.
        exposure: s.
        velocity: Of the object in the image, (V, 2) px/s.
    """

    look: Look
    uv: Array
    extent: Array
    turn: Array
    dim: Array
    flash: Array
    backdrop: Array
    corner: Array
    grain: float
    bar: Bar | None
    companion: tuple[Look, Array] | None
    gain: Array
    noise: float
    exposure: float
    velocity: Array


_U = np.arange(CROP, dtype=np.float32)
_V = _U[:, None]


def render_crops(sight: Sight, windows: Windows, field: Array, rng: np.random.Generator) -> Array:
    """Return the crops, (V, CROP, CROP, 3) uint8 RGB.

    Args:
        sight: What is to be drawn.
        windows: Where, one for each frame.
        field: Of ``draw_noise``.
        rng: Chooses the parts of the field.
    """
    at = windows.place(sight.uv)
    box = sight.extent * windows.zoom  # px of the crop
    endless, painted = _endless(sight.backdrop), paint(sight.look)
    blinked = _blinked(painted, is_bright(sight.look))
    beside = None if sight.companion is None else paint(sight.companion[0])
    smear = sight.velocity * (sight.exposure * windows.zoom)[:, None]
    gain = np.concatenate([sight.gain, np.zeros((len(at), 1))], axis=1)  # OpenCV's scalars are 4
    places = rng.integers(0, field.shape[0] - CROP, (len(at), 2))
    crops = np.empty((len(at), CROP, CROP, 3), np.uint8)
    for k in range(len(at)):
        turn = float(sight.turn[k])
        crop = _behind(endless, sight, windows, k)
        if sight.companion is not None and beside is not None:
            _lay(crop, _placed(beside, at[k] + sight.companion[1] * box[k], box[k], turn))
        cover = None if sight.bar is None else _bar_cover(sight.bar, windows, k)
        if sight.bar is not None and cover is not None and not sight.bar.in_front:
            _lay(crop, _post(cover, sight.bar.colour))
        thing = blinked if sight.dim[k] else painted
        _lay(crop, _smeared(thing, at[k], box[k], turn, smear[k]))
        if sight.bar is not None and cover is not None and sight.bar.in_front:
            _lay(crop, _post(cover, sight.bar.colour))
        if sight.flash[k] > 0:
            _shine(crop, float(sight.flash[k]), at[k], box[k])
        crop = np.asarray(cv2.multiply(crop, gain[k]))
        strength = sight.noise * min(1.0, CROP / float(windows.side[k]))
        row, column = places[k]
        noise = strength * field[row : row + CROP, column : column + CROP]
        crops[k] = _sensed(crop, int(windows.side[k]), noise)
    return crops


def draw_noise(rng: np.random.Generator) -> Array:
    """Return white noise of one sigma, from which windows are cut, (SIDE, SIDE, 3) float32."""
    return np.asarray(rng.standard_normal((SIDE, SIDE, 3), dtype=np.float32))


def _blinked(painted: Array, bright: bool) -> Array:
    changed = painted.copy()
    if bright:
        changed[..., :3] *= np.float32(DIMMED)
    else:
        changed[..., :3] += np.float32(LIT) * painted[..., 3:]
    return changed


def _endless(backdrop: Array) -> Array:
    """Return the texture and its mirror images, and their beginning again, four channels."""
    wall = cv2.cvtColor(backdrop, cv2.COLOR_RGB2RGBA).astype(np.float32)
    twice = cv2.copyMakeBorder(wall, 0, SIDE, 0, SIDE, cv2.BORDER_REFLECT)
    return np.asarray(cv2.copyMakeBorder(twice, 0, SIDE, 0, SIDE, cv2.BORDER_WRAP))


def _behind(endless: Array, sight: Sight, windows: Windows, k: int) -> Array:
    step = float(windows.side[k]) / CROP / sight.grain
    first = ((windows.corner[k] - sight.corner) / sight.grain) % (2 * SIDE)
    matrix = np.array([[step, 0.0, first[0]], [0.0, step, first[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    texture = cv2.warpAffine(
        endless, matrix, (CROP, CROP), flags=flags, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(cv2.cvtColor(texture, cv2.COLOR_RGBA2RGB))


def _placed(painted: Array, at: Array, box: float, turn: float) -> Array:
    """Return the thing in a crop, (CROP, CROP, 4), its box's middle at a pixel."""
    cos, sin, middle = np.cos(turn) * box / BOX, np.sin(turn) * box / BOX, (CANVAS - 1) / 2
    matrix = np.array(
        [
            [cos, -sin, at[0] - middle * (cos - sin)],
            [sin, cos, at[1] - middle * (sin + cos)],
        ]
    )
    return np.asarray(cv2.warpAffine(painted, matrix, (CROP, CROP)))


def _smeared(painted: Array, at: Array, box: float, turn: float, smear: Array) -> Array:
    """Return the thing as it is while it moves by ``smear``, (CROP, CROP, 4)."""
    steps = int(np.clip(np.ceil(np.hypot(*smear) / STEP), 1, MOST_STEPS))
    offsets = (np.arange(steps) + 0.5) / steps - 0.5
    total = _placed(painted, at + offsets[0] * smear, box, turn)
    for offset in offsets[1:]:
        cv2.add(total, _placed(painted, at + offset * smear, box, turn), dst=total)
    return total if steps == 1 else np.asarray(total * np.float32(1 / steps))


def _lay(crop: Array, thing: Array) -> None:
    """Lay a thing (CROP, CROP, 4) over the crop."""
    kept = cv2.cvtColor(1 - cv2.extractChannel(thing, 3), cv2.COLOR_GRAY2RGB)
    cv2.multiply(crop, kept, dst=crop)
    cv2.add(crop, cv2.cvtColor(thing, cv2.COLOR_RGBA2RGB), dst=crop)


def _bar_cover(bar: Bar, windows: Windows, k: int) -> Array | None:
    """Return how much of each pixel the bar covers, (CROP, CROP); None where it is out of view."""
    zoom = float(windows.zoom[k])
    x, y = (bar.middle - windows.corner[k] + 0.5) * zoom - 0.5
    across = bar.across.astype(np.float32)
    away = across[0] * (_U - np.float32(x)) + across[1] * (_V - np.float32(y))
    cover = np.clip(np.float32(bar.half * zoom + 0.5) - np.abs(away), 0, 1)
    return np.asarray(cover) if cover.any() else None


def _post(cover: Array, colour: Array) -> Array:
    red, green, blue = (cover * np.float32(value) for value in colour)
    return np.asarray(cv2.merge([red, green, blue, cover]))


def _shine(crop: Array, flash: float, at: Array, box: float) -> None:
    """Let the object shine, and what is around it."""
    far = np.hypot(_U - np.float32(at[0]), _V - np.float32(at[1])) / np.float32(box)
    glow = np.clip(2 - far * np.float32(1.6 / HALO), 0, 1) * np.float32(flash)
    _lay(crop, _post(glow, np.full(3, 255.0)))


def _sensed(crop: Array, side: int, noise: Array) -> Array:
    """Return what a sensor makes of it whose own pixels are ``side`` across the crop."""
    if side >= CROP:
        return cv2.add(crop, noise + np.float32(0.5)).clip(0, 255).astype(np.uint8)
    small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
    small = cv2.add(small, noise[:side, :side] + np.float32(0.5)).clip(0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(small, (CROP, CROP), interpolation=cv2.INTER_LINEAR))
