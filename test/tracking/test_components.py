from __future__ import annotations

import cv2
import numpy as np
import pytest

from liquid_mono3d_ros.tracking.components import (
    Component,
    anchor_of,
    check_areas,
    find_components,
)


def label_all(mask: np.ndarray) -> list[tuple[float, ...]]:
    _, _, stats, centroids = cv2.connectedComponentsWithStats(mask, connectivity=8)
    rows = [(*s, *c.round(9)) for s, c in zip(stats[1:], centroids[1:], strict=True)]
    return sorted(tuple(float(x) for x in row) for row in rows)


def as_rows(found: list[Component]) -> list[tuple[float, ...]]:
    rows = [
        (c.left, c.top, c.pixels.shape[1], c.pixels.shape[0], c.area, *c.centroid.round(9))
        for c in found
    ]
    return sorted(tuple(float(x) for x in row) for row in rows)


@pytest.mark.parametrize("density", [0.001, 0.05, 0.3, 0.6])
def test_finds_the_components_of_a_plain_labelling(
    density: float, rng: np.random.Generator
) -> None:
    for height, width in ((8, 8), (61, 83), (64, 128), (5, 3)):
        mask = (rng.random((height, width)) < density).astype(np.uint8) * 255
        assert as_rows(find_components(mask, area_min=0, area_max=1e9)) == label_all(mask)


def test_area_bounds_and_order() -> None:
    mask = np.zeros((60, 60), np.uint8)
    mask[2:4, 2:4] = mask[10:20, 10:20] = mask[30:50, 30:50] = 255
    areas = [c.area for c in find_components(mask, area_min=0, area_max=1e9)]
    assert areas == [400, 100, 4]
    assert [c.area for c in find_components(mask, area_min=5, area_max=399)] == [100]


def test_convention_component_pixel_centre() -> None:
    mask = np.zeros((20, 20), np.uint8)
    mask[0, 0] = 255
    (single,) = find_components(mask, area_min=0, area_max=10)
    assert single.centroid.tolist() == [0.0, 0.0]
    mask[0:2, 0:4] = 255
    (block,) = find_components(mask, area_min=0, area_max=10)
    assert block.centroid.tolist() == [1.5, 0.5]


def test_anchor_is_on_the_edge_below_a_head_not_an_arm() -> None:
    mask = np.zeros((100, 100), np.uint8)
    mask[20:80, 40:51] = 255  # a body 60 px high around column 45
    mask[30:33, 51:80] = 255  # an arm to the right
    (person,) = find_components(mask, area_min=0, area_max=1e9)
    assert anchor_of(person, "top").tolist() == [45.0, 19.5]
    assert anchor_of(person, "bottom").tolist() == [45.0, 79.5]
    assert anchor_of(person, "centroid")[0] > 46


def test_exchanged_areas_are_refused() -> None:
    with pytest.raises(ValueError, match=r"area_min must be at most area_max, 5 px\^2; got 9"):
        check_areas(9, 5)
