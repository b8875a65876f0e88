"""Things of one saturated colour: image → Detections."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from liquid_mono3d_ros.checks import Array, check_shape
from liquid_mono3d_ros.settings import Settings, setting
from liquid_mono3d_ros.tracking.components import check_areas, find_components
from liquid_mono3d_ros.tracking.detection import Detections

TILE = 64
"""Side of the tiles in which the image is looked at in full, px; at least twice the largest
opening, so that what surrounds a hit lies in four tiles at most."""


@dataclass(frozen=True)
class ColourSettings(Settings):
    """What counts as a thing of the colour; hue, saturation and value are OpenCV's, in uint8."""

    hue_min: int = setting(
        86,
        "First hue, teal by default: set it to the object. Above hue_max the range wraps"
        " through red (170 to 10)",
        bounds=(0, 179),
    )
    hue_max: int = setting(104, "Last hue: 0 red, 60 green, 90 teal, 120 blue", bounds=(0, 179))
    saturation_min: int = setting(100, "Paler pixels have no reliable hue", bounds=(0, 255))
    value_min: int = setting(60, "Darker pixels have no reliable hue", bounds=(0, 255))
    opening_radius: int = setting(
        1,
        "Specks and threads into which no square of 2 r + 1 px fits are removed; 0 keeps all",
        unit="px",
        bounds=(0, 15),
    )
    area_min: float = setting(
        15.0, "Smaller ones are noise; a disc 6 px wide has 28", unit="px^2", bounds=(1, 1e8)
    )
    area_max: float = setting(1e6, "Larger ones are walls", unit="px^2", bounds=(1, 1e8))
    max_detections: int = setting(100, "The largest are kept", bounds=(1, 10000))
    sigma_px: float = setting(
        1.5,
        "One standard deviation of a centroid: its edge moves with the light",
        unit="px",
        bounds=(0.1, 100),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_areas(self.area_min, self.area_max)


class ColourDetector:
    """Looks at each image by itself; one per camera, which may move."""

    def __init__(self, settings: ColourSettings) -> None:
        self.settings = settings

    def detect(self, image: Array) -> Detections:
        """Find the things of the colour, as ``detect_colour`` does."""
        return detect_colour(image, self.settings)

    def reset(self) -> None:
        """Do nothing: there is nothing to forget."""


def detect_colour(image: Array, settings: ColourSettings) -> Detections:
    """Find the centroid of each thing of the colour, the largest first.

    Pixels are thresholded in hue, saturation and value, opened to remove specks, and grouped.
    The centroid is the mean of the group's pixels: good to a fraction of a pixel on an evenly
    lit object, biased towards the lit side on others.

    Args:
        image: (H, W, 3) uint8 in BGR order.
        settings: The colour and the sizes.
    """
    check_shape("image", image, ("H", "W", 3))
    mask = colour_mask(image, settings)
    found = find_components(mask, area_min=settings.area_min, area_max=settings.area_max)
    found = found[: settings.max_detections]
    if not found:
        return Detections.none()
    boxes = [(c.left - 0.5, c.top - 0.5, c.pixels.shape[1], c.pixels.shape[0]) for c in found]
    centroids = np.array([c.centroid for c in found])
    return Detections.at(centroids, settings.sigma_px, np.array(boxes, dtype=float))


def colour_mask(image: Array, settings: ColourSettings) -> Array:
    """Return 255 where the image has the colour, after the opening, and 0 elsewhere.

    What survives the opening is made of squares of ``2 opening_radius + 1`` px, and each of them
    holds a pixel of the grid with that spacing. So the grid is looked at first, and only the tiles
    near its hits in full: the mask is the same, in a third of the time.

    Args:
        image: (H, W, 3) uint8 in BGR order.
        settings: The colour and the opening.

    Returns:
        (H, W) uint8.
    """
    side = 2 * settings.opening_radius + 1
    height, width = image.shape[:2]
    size = (-(-width // side), -(-height // side))
    grid = _in_range(cv2.resize(image, size, interpolation=cv2.INTER_NEAREST_EXACT), settings)
    mask = np.zeros((height, width), np.uint8)
    for tile in _tiles_near(grid, mask.shape, side):
        mask[tile] = _in_range(image[tile], settings)
    return _open(mask, side)


def _tiles_near(grid: Array, shape: tuple[int, ...], side: int) -> Iterator[tuple[slice, slice]]:
    """Yield the tiles that a square around a hit of the grid can reach."""
    found = cv2.findNonZero(grid)
    if found is None:
        return
    scale = np.array(shape) / grid.shape
    hits = (found.reshape(-1, 2)[:, ::-1] + 0.5) * scale  # (K, 2) row and column, px
    touched = np.zeros([-(-length // TILE) for length in shape], dtype=bool)
    for reach in ((-side, -side), (-side, side), (side, -side), (side, side)):
        rows, columns = (hits + reach).clip(0, np.array(shape) - 1).astype(int).T // TILE
        touched[rows, columns] = True
    for row, column in np.argwhere(touched) * TILE:
        yield slice(row, row + TILE), slice(column, column + TILE)


def _in_range(image: Array, settings: ColourSettings) -> Array:
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
    low, high = settings.hue_min, settings.hue_max
    ranges = [(low, high)] if low <= high else [(low, 179), (0, high)]
    masks = [
        cv2.inRange(hsv, (first, settings.saturation_min, settings.value_min), (last, 255, 255))
        for first, last in ranges
    ]
    return np.asarray(masks[0] if len(masks) == 1 else cv2.bitwise_or(*masks))


def _open(mask: Array, side: int) -> Array:
    kernel = np.ones((side, side), np.uint8)
    opened = cv2.morphologyEx(
        mask, cv2.MORPH_OPEN, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0
    )
    return np.asarray(opened)
