"""Connected components of a mask, as fast as a large and nearly empty image allows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from liquid_mono3d_ros.checks import Array, check_shape, complain

BLOCK = 8
"""Side of the blocks in which the mask is first looked through, px."""

ANCHOR_BAND = 0.1
"""Share of the height whose pixels give the column of the anchors top and bottom: a head, not an
arm, is above the feet."""


@dataclass(frozen=True)
class Component:
    """Pixels of a mask that touch, corners included.

    Convention: the centre of the top-left pixel is (0, 0).

    Attributes:
        centroid: Mean pixel, (2,) px, in the mask.
        left: First column, px.
        top: First row, px.
        pixels: Which pixels inside its box belong to it, (height, width) bool.
        area: Their number, px².
    """

    centroid: Array
    left: int
    top: int
    pixels: Array
    area: int


def find_components(mask: Array, *, area_min: float, area_max: float) -> list[Component]:
    """Find the components whose area lies within the bounds, largest first.

    The mask is first shrunk to blocks: pixels that touch lie in blocks that touch, so each
    component of blocks can be labelled alone, at full resolution and without loss. On a nearly
    empty 1080×1920 mask this takes 1 ms where labelling all of it takes 15 ms.

    Args:
        mask: (H, W) uint8, not 0 where something is.
        area_min: Smallest area, px².
        area_max: Largest area, px².
    """
    check_shape("mask", mask, ("H", "W"))
    found = [
        component
        for left, top, region in _split(mask, area_min)
        for component in _label(region, left, top)
        if area_min <= component.area <= area_max
    ]
    return sorted(found, key=lambda component: -component.area)


def _split(mask: Array, area_min: float) -> Iterator[tuple[int, int, Array]]:
    """Yield left, top and the pixels of each component of blocks."""
    height, width = mask.shape
    rows, columns = -(-height // BLOCK), -(-width // BLOCK)
    padded = cv2.copyMakeBorder(
        mask, 0, rows * BLOCK - height, 0, columns * BLOCK - width, cv2.BORDER_CONSTANT, value=0
    )
    blocks = _any_in_block(padded, rows, columns)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(blocks, connectivity=8)
    for label, (left, top, wide, high, area) in enumerate(stats[1:], start=1):
        if area * BLOCK**2 < area_min:
            continue
        own = (labels[top : top + high, left : left + wide] == label).astype(np.uint8)
        own = cv2.resize(own, None, fx=BLOCK, fy=BLOCK, interpolation=cv2.INTER_NEAREST)
        x, y = int(left) * BLOCK, int(top) * BLOCK
        region = padded[y : y + own.shape[0], x : x + own.shape[1]]
        yield x, y, cv2.bitwise_and(region, region, mask=own)


def _any_in_block(padded: Array, rows: int, columns: int) -> Array:
    """Return 1 for each block that holds a pixel of the mask, (rows, columns) uint8."""
    words = padded.view(np.uint64).reshape(rows, BLOCK, columns)  # a word is a row of a block
    return np.asarray(np.bitwise_or.reduce(words, axis=1) != 0).astype(np.uint8)


def _label(region: Array, left: int, top: int) -> Iterator[Component]:
    _, labels, stats, centroids = cv2.connectedComponentsWithStats(region, connectivity=8)
    for label in range(1, len(stats)):
        x, y, wide, high, area = (int(value) for value in stats[label])
        yield Component(
            centroid=centroids[label] + (left, top),
            left=left + x,
            top=top + y,
            pixels=labels[y : y + high, x : x + wide] == label,
            area=area,
        )


def anchor_of(component: Component, anchor: str) -> Array:
    """Return the point of a component that is tracked, (2,) px.

    Args:
        component: Pixels that belong together.
        anchor: ``centroid``; or ``top`` or ``bottom``, on the upper or lower edge, in the mean
            column of the tenth of the height next to it.
    """
    if anchor == "centroid":
        return component.centroid
    height = len(component.pixels)
    band = max(1, round(ANCHOR_BAND * height))
    rows = component.pixels[:band] if anchor == "top" else component.pixels[-band:]
    edge = component.top + (0 if anchor == "top" else height) - 0.5
    return np.array([component.left + np.nonzero(rows)[1].mean(), edge])


def check_areas(area_min: float, area_max: float) -> None:
    """Check that bounds of an area are in order.

    Raises:
        ValueError: If ``area_min`` is the larger.
    """
    if area_min > area_max:
        rule, got = f"at most area_max, {area_max:g} px^2", f"{area_min:g} px^2"
        raise ValueError(complain("area_min", rule, got, "Exchange the two."))
