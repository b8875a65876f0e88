"""What the crops of a track agree on, and when they agree on nothing."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from liquid_mono3d_ros.language.appearance import (
    Appearance,
    AppearanceSettings,
    judge_appearance,
)
from liquid_mono3d_ros.language.silhouette import glance
from liquid_mono3d_ros.synth.attributes import ATTRIBUTES, COLOURS
from liquid_mono3d_ros.synth.sights import draw_sights
from liquid_mono3d_ros.synth.staging import Staging

RATE = 15.0
GREY = (150, 150, 150)


def blank():
    return np.full((64, 64, 3), GREY, np.uint8)


def disc(colour, radius=25):
    return cv2.circle(blank(), (32, 32), radius, colour, cv2.FILLED)


def walker(angle):
    """A figure whose arms and legs swing."""
    picture = blank()
    cv2.line(picture, (32, 14), (32, 34), (40, 40, 200), 8)
    cv2.circle(picture, (32, 11), 5, (40, 40, 200), cv2.FILLED)
    for swing, joint, length in ((angle, 34, 22), (-angle, 34, 22), (angle, 19, 14)):
        end = 32 + length * math.sin(swing), joint + length * math.cos(swing)
        cv2.line(picture, (32, joint), tuple(map(round, end)), (40, 40, 200), 5)
    return picture


def film(*pictures, num=30, metres=1.25, sigma=0.0):
    return [glance(pictures[k % len(pictures)], k / RATE, metres, sigma) for k in range(num)]


def test_a_red_disc_is_known_in_every_way():
    found = judge_appearance(film(disc((205, 30, 35)), metres=0.5, sigma=0.01))
    assert (found.colour.value, found.blinking.value) == ("red", "no")
    assert found.rigidity.value == "rigid"
    assert found.size.value == pytest.approx(0.5 * 51 / 64, abs=2 * found.size.sigma)
    assert found.size.sigma == pytest.approx(found.size.value * math.hypot(0.04, 0.02))
    assert found.elongation.value == pytest.approx(1.0, abs=0.05)
    assert 0.9 < found.colour.confidence < 1


def test_few_glances_say_nothing():
    assert judge_appearance(film(disc((205, 30, 35)), num=7)) == Appearance()
    assert judge_appearance([None] * 30) == Appearance()


def test_without_a_distance_there_is_no_size():
    found = judge_appearance(film(disc((205, 30, 35)), metres=math.nan))
    assert not found.size.known
    assert found.colour.known


@pytest.mark.parametrize(
    ("colour", "word"),
    [
        ((242, 242, 240), "white"),
        ((22, 22, 24), "black"),
        ((0, 128, 128), "teal"),
        ((90, 45, 10), "brown"),
        ((255, 182, 193), "pink"),
        ((150, 125, 120), ""),  # too pale to have a hue, too red to be grey
        ((200, 100, 18), "orange"),
        ((140, 70, 12), ""),  # between brown and orange
    ],
)
def test_named_colours(colour, word):
    assert judge_appearance(film(disc(colour))).colour.value == word


def test_two_hues_are_no_colour():
    picture = disc((205, 30, 35))
    cv2.rectangle(picture, (10, 32), (54, 54), (35, 80, 210), cv2.FILLED)
    assert not judge_appearance(film(picture)).colour.known


def test_blinking_is_lightness_to_and_fro():
    light, dark = disc((35, 160, 60)), disc((12, 55, 20))
    found = judge_appearance(film(light, light, light, dark, dark))
    assert found.blinking.value == "yes"
    assert found.colour.value == "green"


def test_a_single_flash_is_neither_blinking_nor_steady():
    glances = film(disc((35, 160, 60)))
    glances[11:13] = [replace(one, lightness=95.0) for one in glances[11:13]]
    assert not judge_appearance(glances).blinking.known


def test_steadiness_must_be_watched_often_and_long():
    glances = film(disc((35, 160, 60)))
    assert not judge_appearance(glances[:20]).blinking.known
    slow = [replace(one, time=3 * one.time) for one in glances]
    assert not judge_appearance(slow).blinking.known
    assert judge_appearance([*glances[:10], *[None] * 8, *glances[10:]]).blinking.value == ""


def test_a_walker_is_articulated_and_one_that_stands_is_not():
    angles = 0.6 * np.sin(2 * np.pi * np.arange(30) / 15)
    assert judge_appearance(film(*map(walker, angles))).rigidity.value == "articulated"
    assert judge_appearance(film(walker(0.4))).rigidity.value == "rigid"


def test_pieces_tell_no_form():
    picture = blank()
    for row in (8, 29, 50):
        cv2.rectangle(picture, (8, row), (55, row + 5), (40, 40, 200), cv2.FILLED)
    found = judge_appearance(film(picture))
    assert found.colour.value == "blue"
    assert not any(one.known for one in (found.rigidity, found.elongation, found.blinking))


def test_a_silhouette_that_does_not_fit_the_box_has_no_size():
    found = judge_appearance(film(disc((205, 30, 35), radius=15)))
    assert found.colour.value == "red"
    assert not any(one.known for one in (found.size, found.elongation))


def test_settings_say_when_enough_is_enough():
    glances = film(disc((205, 30, 35)), num=6)
    assert judge_appearance(glances, AppearanceSettings(glances=5)).colour.value == "red"


@pytest.fixture(scope="module")
def judged():
    """Scenes of held-out rigs and backgrounds, with what is said of each object."""
    sights = draw_sights(Staging(split="test"), 20, seed=3)
    found = []
    for n in range(len(sights)):
        far = np.median(sights.range[n], axis=1)
        for o in range(2):
            glances = [
                glance(
                    sights.crops[n, o, v],
                    float(sights.video_stamp[n, v]),
                    float(sights.side[n, o, v] * far[o]),
                    0.03 * float(sights.side[n, o, v] * far[o]),
                )
                for v in np.flatnonzero(sights.seen[n, o])
            ]
            found.append(judge_appearance(glances))
    labels = {name: sights.label[name].reshape(-1) for name in ("colour", "blinking")}
    return found, labels, sights.amount["size"].reshape(-1)


@pytest.mark.parametrize(("name", "stated"), [("colour", 0.75), ("blinking", 0.35)])
def test_rendered_scenes_are_named_rightly_or_not_at_all(judged, name, stated):
    found, labels, _ = judged
    words = COLOURS if name == "colour" else ATTRIBUTES[name].values
    said = [(getattr(a, name).value, words[k]) for a, k in zip(found, labels[name], strict=True)]
    assert np.mean([bool(word) for word, _ in said]) >= stated
    assert sum(word not in ("", truth) for word, truth in said) <= 1


def test_rendered_sizes_are_metric(judged):
    found, _, sizes = judged
    off = [
        (a.size.value - size) / a.size.sigma
        for a, size in zip(found, sizes, strict=True)
        if a.size.known
    ]
    assert len(off) > 0.6 * len(found)
    assert np.mean(np.abs(off) < 2) > 0.93


def test_rendered_things_are_rigid(judged):
    words = [a.rigidity.value for a in judged[0]]
    assert words.count("rigid") > 0.4 * len(words)
    assert words.count("articulated") <= 1
