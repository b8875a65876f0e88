"""One crop → what can be measured in it without a network: silhouette, colours, brightness."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from liquid_mono3d_ros.checks import Array, check_shape

SIDE = 64
"""Side of a crop, px."""
RING = 3
"""Width of the border that shows what is around the object, px."""
GRAIN = 6.0
"""Colours of the border closer than this count as one, in CIELAB."""
CONTRAST = 14.0
"""Least distance of the object from every colour of the border, in CIELAB."""
SMALLEST = 80
"""Fewest pixels of a silhouette."""
NEUTRAL = 10.0
"""A pixel of less chroma has no hue."""
HUES = ("pink", "red", "orange", "yellow", "green", "teal", "blue", "purple")
HUE_BORDERS = (20.0, 48.0, 80.0, 115.0, 168.0, 225.0, 307.0)
"""Between neighbours of ``HUES``, degrees in the (a, b) plane of CIELAB; pink begins at -12.

Half way between the hues of the words' sRGB colours (pink 8, red 40, orange 73, yellow 103, green
136, cyan 196, blue 306, magenta 328) but for blue, which ordinary paint has from 230 on.
"""
FIRST_HUE = -12.0
OUTLINE = 32
"""Side of the kept silhouette, px."""

_ROWS, _COLUMNS = np.mgrid[:SIDE, :SIDE]
_AT_BORDER = np.minimum.reduce([_ROWS, SIDE - 1 - _ROWS, _COLUMNS, SIDE - 1 - _COLUMNS]) < RING
_CROSS = np.ones((3, 3), np.uint8)


@dataclass(frozen=True)
class Glance:
    """What one crop shows.

    Attributes:
        time: Of the exposure, s from any origin that all glances of a track share.
        metres: Side of the window at the object's distance, m; NaN when not known.
        metres_sigma: Its standard deviation, m.
        share: Of the window that the silhouette fills, 0 to 1.
        extent: Longest side of the silhouette's upright box over that of the window.
        elongation: Of the smallest rectangle around the silhouette, any way up; 1 or more.
        solidity: Area of the silhouette over that of its convex hull.
        unity: Area of its largest piece over that of all; 1 if it is in one piece.
        outline: The silhouette without holes, its centre in the middle, (32, 32) bool.
        lightness: Median of the object's pixels, CIELAB L, 0 to 100.
        lightness_range: 10th and 90th percentile of L.
        chroma: 80th percentile of the object's pixels, CIELAB.
        hues: How much of the chroma has each of ``HUES``, (8,).
    """

    time: float
    metres: float
    metres_sigma: float
    share: float
    extent: float
    elongation: float
    solidity: float
    unity: float
    outline: Array
    lightness: float
    lightness_range: tuple[float, float]
    chroma: float
    hues: Array


def glance(
    rgb: Array, time: float, metres: float = np.nan, metres_sigma: float = np.nan
) -> Glance | None:
    """Measure one crop.

    The object is what differs in colour from everything on the window's border, and does not touch
    it: the tracker's window leaves a margin around the object, so what reaches the border belongs
    to the scene, to something beside the object or to something before it.

    Args:
        rgb: (64, 64, 3) uint8.
        time: Of the exposure, s.
        metres: Side of the window at the object's distance, m.
        metres_sigma: Its standard deviation, m.

    Returns:
        None when nothing stands out from the border.
    """
    check_shape("rgb", rgb, (SIDE, SIDE, 3))
    smooth = cv2.GaussianBlur(rgb, (3, 3), 0).astype(np.float32) / 255
    lab = cv2.cvtColor(smooth, cv2.COLOR_RGB2LAB)
    found = find_silhouette(lab)
    if found.sum() < SMALLEST:
        return None
    inner = cv2.erode(found.astype(np.uint8), _CROSS).astype(bool)
    pixels = lab[inner if inner.sum() > SMALLEST // 2 else found]  # (P, 3)
    chroma = np.hypot(pixels[:, 1], pixels[:, 2])
    low, middle, high = np.percentile(pixels[:, 0], (10, 50, 90))
    _, _, width, height = cv2.boundingRect(found.astype(np.uint8))
    outline, elongation, solidity, unity = _outline(found)
    return Glance(
        time=time,
        metres=metres,
        metres_sigma=metres_sigma,
        share=float(found.mean()),
        extent=max(width, height) / SIDE,
        elongation=elongation,
        solidity=solidity,
        unity=unity,
        outline=outline,
        lightness=float(middle),
        lightness_range=(float(low), float(high)),
        chroma=float(np.percentile(chroma, 80)),
        hues=_hues(pixels, chroma),
    )


def find_silhouette(lab: Array) -> Array:
    """Return where the object is, (64, 64) bool, for a crop (64, 64, 3) in CIELAB."""
    border = _colours(lab[_AT_BORDER])  # (M, 3)
    flat = lab.reshape(-1, 3)
    squared = (flat**2).sum(axis=1)[:, None] - 2 * flat @ border.T + (border**2).sum(axis=1)
    apart = (squared.min(axis=1) > CONTRAST**2).astype(np.uint8).reshape(SIDE, SIDE)
    apart = cv2.morphologyEx(apart, cv2.MORPH_OPEN, _CROSS)
    _, parts, boxes, _ = cv2.connectedComponentsWithStats(apart, connectivity=8)
    left, top, width, height, area = boxes.T
    inside = (left > 1) & (top > 1) & (left + width < SIDE - 1) & (top + height < SIDE - 1)
    inside &= area >= SMALLEST // 8
    inside[0] = False
    return np.asarray(inside[parts])


def _colours(pixels: Array) -> Array:
    """Return the mean of each group of like pixels (P, 3) that has three or more, (M, 3)."""
    cells = np.rint(pixels / GRAIN).astype(np.int64) + 64
    keys = (cells[:, 0] << 20) + (cells[:, 1] << 10) + cells[:, 2]
    _, group, counts = np.unique(keys, return_inverse=True, return_counts=True)
    sums = np.stack([np.bincount(group, part) for part in pixels.T], axis=1)
    enough = counts >= 3
    if not enough.any():
        enough = counts > 0
    return np.asarray(sums[enough] / counts[enough, None], dtype=np.float32)


def _hues(pixels: Array, chroma: Array) -> Array:
    degrees = np.degrees(np.arctan2(pixels[:, 2], pixels[:, 1]))
    degrees = (degrees - FIRST_HUE) % 360 + FIRST_HUE
    weight = np.where(chroma > NEUTRAL, chroma, 0.0)
    return np.bincount(np.digitize(degrees, HUE_BORDERS), weight, len(HUES))


def _outline(found: Array) -> tuple[Array, float, float, float]:
    """Return the silhouette without holes and small, elongation, solidity and unity."""
    closed = cv2.morphologyEx(
        np.pad(found.astype(np.uint8), 4), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)
    )
    contours, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros_like(closed), contours, -1, 1, cv2.FILLED)
    corners = np.concatenate(contours).reshape(-1, 2)  # (M, 2)
    hull = cv2.convexHull(corners)
    # Smoothing makes it grow by a pixel all around; from centre to centre is a pixel too short.
    sides = sorted(cv2.minAreaRect(corners.astype(np.float32))[1])
    around = cv2.fillConvexPoly(np.zeros_like(closed), hull, 1)
    middle = corners.min(axis=0) / 2 + corners.max(axis=0) / 2
    half = OUTLINE / 2 - 0.5
    scale = OUTLINE / SIDE
    place = np.array([[scale, 0, half - scale * middle[0]], [0, scale, half - scale * middle[1]]])
    small = cv2.warpAffine(filled * np.uint8(255), place, (OUTLINE, OUTLINE))
    solidity = float(filled.sum()) / float(around.sum())
    areas = [cv2.contourArea(one) for one in contours]
    unity = (max(areas) + 1) / (sum(areas) + 1)
    return small > 127, max(sides[1] - 1, 1) / max(sides[0] - 1, 1), solidity, unity
