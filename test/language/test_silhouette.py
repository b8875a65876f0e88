"""What one crop shows, of things whose form and colour are known."""

import math

import cv2
import numpy as np
import pytest

from liquid_mono3d_ros.language.silhouette import HUES, find_silhouette, glance

SAND = (190, 170, 140)


def crop(*, colour=(200, 30, 30), radius=24, centre=(32, 32), noise=3.0):
    picture = np.full((64, 64, 3), SAND, np.uint8)
    cv2.circle(picture, centre, radius, colour, cv2.FILLED)
    rng = np.random.default_rng(0)
    return np.clip(picture + rng.normal(0, noise, picture.shape), 0, 255).astype(np.uint8)


def bar(angle=0.0, *, half=(24.0, 8.0), colour=(30, 60, 200)):
    picture = np.full((64, 64, 3), SAND, np.uint8)
    corners = cv2.boxPoints(((32.0, 32.0), (2 * half[0], 2 * half[1]), angle))
    cv2.fillPoly(picture, [np.rint(corners).astype(np.int32)], colour)
    return picture


def test_a_disc():
    one = glance(crop(), 1.5, metres=2.0, metres_sigma=0.1)
    assert (one.time, one.metres, one.metres_sigma) == (1.5, 2.0, 0.1)
    assert one.share == pytest.approx(math.pi * 24.5**2 / 64**2, rel=0.05)
    assert one.extent == pytest.approx(49 / 64, abs=0.04)
    assert one.elongation == pytest.approx(1.0, abs=0.04)
    assert one.solidity > 0.97
    assert one.unity == 1.0
    assert one.outline.shape == (32, 32)
    assert HUES[one.hues.argmax()] == "red"
    assert one.hues.max() > 0.99 * one.hues.sum()


@pytest.mark.parametrize("angle", [0.0, 20.0, 45.0])
def test_elongation_is_the_same_any_way_up(angle):
    one = glance(bar(angle), 0.0)
    assert one.elongation == pytest.approx(3.0, rel=0.08)
    assert math.isnan(one.metres)


@pytest.mark.parametrize(
    ("colour", "word"),
    [
        ((255, 192, 203), "pink"),
        ((255, 0, 0), "red"),
        ((255, 140, 0), "orange"),
        ((255, 255, 0), "yellow"),
        ((0, 128, 0), "green"),
        ((0, 128, 128), "teal"),
        ((0, 0, 255), "blue"),
        ((128, 0, 128), "purple"),
    ],
)
def test_convention_hues_are_those_of_the_words_in_srgb(colour, word):
    assert HUES[glance(crop(colour=colour, noise=0.0), 0.0).hues.argmax()] == word


def test_lightness_is_that_of_cielab():
    one = glance(crop(colour=(119, 119, 119), noise=0.0), 0.0)
    assert one.lightness == pytest.approx(50.0, abs=0.5)
    assert one.chroma < 1.0


def test_what_touches_the_border_is_not_the_object():
    assert glance(crop(centre=(8, 32)), 0.0) is None


def test_a_thing_beside_the_object_is_left_out():
    picture = crop()
    picture[:10, 20:40] = (30, 160, 30)
    assert HUES[glance(picture, 0.0).hues.argmax()] == "red"
    lab = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    assert not find_silhouette(lab)[:6].any()


def test_an_object_of_the_colour_of_the_border_is_not_seen():
    assert glance(crop(colour=SAND), 0.0) is None


def test_the_outline_has_no_holes_and_is_centred():
    picture = crop(radius=20, centre=(28, 34))
    cv2.circle(picture, (28, 34), 10, SAND, cv2.FILLED)
    one = glance(picture, 0.0)
    rows, columns = np.nonzero(one.outline)
    assert one.outline[16, 16]
    assert (rows.mean(), columns.mean()) == pytest.approx((15.5, 15.5), abs=0.6)
    whole = glance(crop(radius=20, centre=(28, 34)), 0.0)
    assert one.share < 0.85 * whole.share  # the silhouette itself has its hole
    assert (one.outline == whole.outline).mean() > 0.99


def test_the_shape_of_a_crop_is_checked():
    with pytest.raises(ValueError, match="rgb"):
        glance(np.zeros((32, 32, 3), np.uint8), 0.0)
