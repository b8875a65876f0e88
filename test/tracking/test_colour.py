from __future__ import annotations

import cv2
import numpy as np
import pytest

from liquid_mono3d_ros.tracking.colour import ColourSettings, colour_mask, detect_colour

RED_HUES = ColourSettings(hue_min=170, hue_max=10)


def test_largest_first_with_sub_pixel_centroids(paint, teal) -> None:
    small, large = (30.3, 40.6), (100.75, 60.2)
    image = paint().disc(small, 5, teal).disc(large, 12, teal).image
    seen = detect_colour(image, ColourSettings())
    assert len(seen) == 2
    assert np.abs(seen.uv - [large, small]).max() < 0.25
    assert seen.sigma_px.tolist() == [1.5, 1.5]


def test_centroid_follows_a_moving_disc_to_a_fifth_of_a_pixel(paint, teal) -> None:
    errors = []
    for shift in np.linspace(0, 1, 9):
        truth = np.array([60.0 + shift, 50.0 + shift / 3])
        image = cv2.GaussianBlur(paint().disc(tuple(truth), 8, teal).image, (0, 0), 0.8)
        errors.append(detect_colour(image, ColourSettings()).uv[0] - truth)
    assert np.abs(errors).max() < 0.2
    assert np.abs(np.mean(errors, axis=0)).max() < 0.1


def test_six_pixel_target_is_seen(paint, teal) -> None:
    seen = detect_colour(paint().disc((77.4, 33.1), 3, teal).image, ColourSettings())
    assert len(seen) == 1
    assert np.abs(seen.uv[0] - (77.4, 33.1)).max() < 0.4


def test_hue_wraps_through_red(paint, teal, red) -> None:
    image = paint().disc((40, 40), 8, red).disc((90, 70), 8, teal).image
    assert np.allclose(detect_colour(image, RED_HUES).uv, [[40, 40]], atol=0.05)
    assert np.allclose(detect_colour(image, ColourSettings()).uv, [[90, 70]], atol=0.05)


def test_pale_dark_small_and_surplus_things_are_left_out(paint, teal) -> None:
    canvas = paint().box(5, 5, 20, 20, (140, 140, 110)).box(40, 5, 20, 20, (30, 30, 3))
    canvas.box(70, 5, 2, 30, teal).box(90, 5, 3, 3, teal)
    assert len(detect_colour(canvas.image, ColourSettings())) == 0
    canvas.box(5, 60, 20, 20, teal).box(40, 60, 10, 10, teal)
    assert len(detect_colour(canvas.image, ColourSettings())) == 2
    one = detect_colour(canvas.image, ColourSettings(max_detections=1))
    assert one.uv.tolist() == [[14.5, 69.5]]
    assert len(detect_colour(canvas.image, ColourSettings(area_max=200.0))) == 1


def test_convention_bbox_is_on_pixel_edges(paint, teal) -> None:
    seen = detect_colour(paint().box(0, 0, 10, 20, teal).image, ColourSettings())
    assert seen.bbox.tolist() == [[-0.5, -0.5, 10.0, 20.0]]
    assert seen.uv.tolist() == [[4.5, 9.5]]


@pytest.mark.parametrize("radius", [0, 1, 2, 4, 15])
def test_looking_at_a_grid_first_loses_no_pixel(
    radius: int, rng: np.random.Generator, teal
) -> None:
    settings = ColourSettings(opening_radius=radius)
    side = 2 * radius + 1
    found = 0
    for _ in range(40):
        height, width = rng.integers(side, 300, 2)
        image = np.full((height, width, 3), 120, np.uint8)
        hits = np.zeros((height, width), np.uint8)
        for _ in range(20):
            x, y = rng.integers(0, width), rng.integers(0, height)
            wide, high = rng.integers(1, 2 * side + 4, 2)
            image[y : y + high, x : x + wide] = teal
            hits[y : y + high, x : x + wide] = 255
        kernel = np.ones((side, side), np.uint8)
        opened = cv2.dilate(cv2.erode(hits, kernel, borderValue=0), kernel)
        assert np.array_equal(colour_mask(image, settings), opened)
        found += np.count_nonzero(opened)
    assert found > 0


def test_refuses_a_grey_image() -> None:
    with pytest.raises(ValueError, match=r"image must be of shape \(H, W, 3\)"):
        detect_colour(np.zeros((4, 4), np.uint8), ColourSettings())


def test_exchanged_areas_are_refused() -> None:
    with pytest.raises(ValueError, match=r"area_min must be at most area_max, 10 px\^2"):
        ColourSettings(area_min=20.0, area_max=10.0)
