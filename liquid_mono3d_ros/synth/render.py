"""Images of balls before a still background, exact to a small part of a pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from liquid_mono3d_ros.checks import Array, check_shape
from liquid_mono3d_ros.geometry.camera import Camera

Colour = tuple[int, int, int]
"""Blue, green, red, 0 to 255."""

_SHIFT = 64


def textured_background(width: int, height: int, *, seed: int = 0) -> Array:
    """Return a grey, blotchy image, (height, width, 3) uint8, the same for the same seed."""
    rng = np.random.default_rng(seed)
    blotches = np.zeros((height, width), np.float32)
    for size, contrast in ((4, 60.0), (16, 30.0), (64, 10.0)):
        cells = (math.ceil(height / size) + 1, math.ceil(width / size) + 1)
        coarse = rng.standard_normal(cells).astype(np.float32)
        blotches += contrast / size**0.5 * cv2.resize(coarse, (width, height))
    grey = np.clip(110 + blotches, 0, 255).astype(np.uint8)
    return cv2.merge([grey, grey, grey])


@dataclass(frozen=True)
class PixelNoise:
    """White pixel noise: windows at random places of one field, since drawing afresh is slow.

    Attributes:
        field: Noise, (H + 64, W + 64, 3) int8.
    """

    field: Array

    @classmethod
    def of(cls, camera: Camera, sigma: float, *, seed: int = 0) -> PixelNoise:
        """Return noise of a standard deviation, grey levels, for the images of a camera."""
        shape = (camera.height + _SHIFT, camera.width + _SHIFT, 3)
        field = sigma * np.random.default_rng(seed).standard_normal(shape, np.float32)
        return cls(np.clip(np.rint(field), -127, 127).astype(np.int8))

    def add_to(self, image: Array, rng: np.random.Generator) -> Array:
        """Return the image with a window of the noise, (H, W, 3) uint8."""
        row, column = rng.integers(_SHIFT, size=2)
        height, width = image.shape[:2]
        window = self.field[row : row + height, column : column + width]
        return np.asarray(cv2.add(image, window, dtype=cv2.CV_8U))


def render(
    camera: Camera,
    xyz: Array,
    radius: Array,
    colour: Colour | Array,
    background: Array,
) -> Array:
    """Draw balls as discs that face the camera; the nearer hides the farther.

    A pixel is covered by the part of it inside the disc, so that the centroid of the disc's pixels
    is the projection of the ball's centre. The true outline of a ball off the optical axis is an
    ellipse whose centre lies farther out, by ``(radius / depth)²`` of its distance from the
    principal point: 0.1 px at 300 px for a ball 55 times its radius away.

    Args:
        camera: That sees them.
        xyz: Centres, (N, 3) m, world frame. Those behind the camera are not drawn.
        radius: (N,) m.
        colour: One for all or one each, (N, 3), in BGR order.
        background: (H, W, 3) uint8; not changed.

    Returns:
        The image, (H, W, 3) uint8, BGR.

    Raises:
        ValueError: If shapes disagree.
    """
    n = check_shape("xyz", xyz, ("N", 3))["N"]
    check_shape("radius", radius, (n,))
    check_shape("background", background, (camera.height, camera.width, 3))
    colours = np.broadcast_to(np.asarray(colour, dtype=np.float32), (n, 3))
    image = background.copy()
    uv, radius_px = camera.project(xyz), apparent_radius(camera, xyz, radius)  # (N, 2), (N,)
    depth = xyz @ camera.R_cw[2] + camera.t_cw[2]
    for k in np.argsort(-depth):
        if np.isfinite(uv[k]).all() and np.isfinite(radius_px[k]):
            _draw_disc(image, uv[k], float(radius_px[k]), colours[k])
    return image


def apparent_radius(camera: Camera, xyz: Array, radius: Array) -> Array:
    """Return the radius in the image, (N,) px: the mean of that across and down; NaN if unseen."""
    uv = camera.project(xyz)  # (N, 2)
    steps = [
        np.linalg.norm(camera.project(xyz + radius[:, None] * axis) - uv, axis=1)
        for axis in camera.R_cw[:2]  # the camera's x and y in the world
    ]
    return np.asarray((steps[0] + steps[1]) / 2)


def _draw_disc(image: Array, uv: Array, radius: float, colour: Array) -> None:
    """Mix the colour into the image where the disc covers it; below a pixel it grows faint."""
    height, width = image.shape[:2]
    drawn = max(radius, 1.0)
    left, top = np.maximum(np.floor(uv - drawn - 1), 0).astype(int)
    right, bottom = np.minimum(np.ceil(uv + drawn + 1), (width - 1, height - 1)).astype(int)
    if left > right or top > bottom:
        return
    u = np.arange(left, right + 1, dtype=np.float32) - np.float32(uv[0])
    v = np.arange(top, bottom + 1, dtype=np.float32) - np.float32(uv[1])
    distance = np.sqrt(u**2 + v[:, None] ** 2)  # (h, w)
    cover = np.clip(drawn + 0.5 - distance, 0, 1) * min(radius, 1.0) ** 2
    patch = image[top : bottom + 1, left : right + 1]
    mixed = patch + cover[..., None] * (colour - patch)
    patch[:] = np.rint(mixed).astype(np.uint8)
