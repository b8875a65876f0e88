import time

import cv2
import numpy as np
import pytest

from liquid_mono3d_ros.geometry.camera import Camera
from liquid_mono3d_ros.synth.render import (
    PixelNoise,
    apparent_radius,
    render,
    textured_background,
)
from liquid_mono3d_ros.synth.rigs import stereo_rig

CAMERA = stereo_rig().cameras["left"]
BLACK = np.zeros((480, 640, 3), np.uint8)
GREY = np.full((480, 640, 3), 100, np.uint8)


def centroid(image, background):
    change = np.abs(image.astype(float) - background).sum(axis=2)
    v, u = np.mgrid[: image.shape[0], : image.shape[1]]
    return np.array([(u * change).sum(), (v * change).sum()]) / change.sum()


def draw(xyz, radius=0.05, colour=(0, 0, 255), background=GREY, camera=CAMERA):
    return render(camera, np.atleast_2d(xyz), np.array([radius]), colour, background)


@pytest.mark.parametrize("radius_px", [0.4, 1.5, 4.0, 13.0])
def test_centroid_is_the_projection_to_a_small_part_of_a_pixel(radius_px):
    rng = np.random.default_rng(3)
    worst = 0.0
    for _ in range(20):
        xyz = np.array([3.0, *rng.uniform(-0.8, 0.8, 1), rng.uniform(0.5, 1.5)])
        image = draw(xyz, radius_px * 3 / 500)
        worst = max(worst, *np.abs(centroid(image, GREY) - CAMERA.project(xyz[None])[0]))
    assert worst < 0.08


def test_convention_the_middle_of_the_top_left_pixel_is_zero():
    camera = stereo_rig(width=9, height=9, focal=10.0).cameras["left"]  # principal point (4, 4)
    background = np.zeros((9, 9, 3), np.uint8)
    image = draw((1, 0.15, 1), 0.12, (10, 20, 200), background, camera)
    assert np.unravel_index(image[..., 2].argmax(), (9, 9)) == (4, 4)
    np.testing.assert_array_equal(image[4, 4], (10, 20, 200))
    np.testing.assert_array_equal(image[..., 2], image[::-1, ::-1, 2])


def test_covered_area_is_that_of_the_disc():
    for radius_px in (0.5, 3.0, 20.0):
        image = draw((3, 0.1, 1.1), radius_px * 3 / 500, background=BLACK)
        assert image[..., 2].sum() / 255 == pytest.approx(np.pi * radius_px**2, rel=0.12)


def test_nearer_hides_farther_and_behind_is_not_drawn():
    xyz = np.array([[2, 0, 1.0], [4, -0.15, 1.0], [-2, 0, 1.0]])
    colours = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255)])
    image = render(CAMERA, xyz, np.array([0.05, 0.3, 0.5]), colours, BLACK)
    u, v = CAMERA.project(xyz[:1])[0].round().astype(int)
    np.testing.assert_array_equal(image[v, u], (255, 0, 0))
    assert image[..., 1].any()
    assert not image[..., 2].any()


def test_outside_and_half_outside():
    np.testing.assert_array_equal(draw((3, 9, 1)), GREY)
    edge = (3, 0.15 - 3 * (639.5 - 319.5) / 500, 1)  # centre on the right border
    area = (draw(edge, 0.06, background=BLACK)[..., 2] / 255).sum()
    assert area == pytest.approx(np.pi * 10**2 / 2, rel=0.02)


def test_apparent_radius_through_a_fisheye():
    fisheye = Camera("f", 640, 480, CAMERA.K, np.zeros(4), "equidistant", CAMERA.R_cw, CAMERA.t_cw)
    xyz = np.array([[2.0, 0.15, 1.0]])  # on the axis
    assert apparent_radius(fisheye, xyz, np.array([0.1]))[0] == pytest.approx(
        500 * np.arctan(0.05)
    )
    assert apparent_radius(CAMERA, xyz, np.array([0.1]))[0] == pytest.approx(25)
    assert np.isnan(apparent_radius(CAMERA, -xyz, np.array([0.1])))


def test_background_is_textured_repeatable_and_kept():
    background = textured_background(640, 480, seed=5)
    np.testing.assert_array_equal(background, textured_background(640, 480, seed=5))
    assert (background != textured_background(640, 480, seed=6)).mean() > 0.5
    assert background.std() > 10
    before = background.copy()
    draw((3, 0, 1), background=background)
    np.testing.assert_array_equal(background, before)


def test_noise_has_its_sigma_and_differs_between_images():
    noise, rng = PixelNoise.of(CAMERA, 4.0, seed=1), np.random.default_rng(2)
    first, second = noise.add_to(GREY, rng), noise.add_to(GREY, rng)
    difference = first.astype(float) - GREY
    assert difference.std() == pytest.approx(4.0, rel=0.02)
    assert abs(difference.mean()) < 0.05
    assert abs(np.corrcoef(difference.ravel(), (second.astype(float) - GREY).ravel())[0, 1]) < 0.02


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match=r"background must be of shape \(480, 640, 3\)"):
        draw((3, 0, 1), background=BLACK[:99])
    with pytest.raises(ValueError, match=r"radius must be of shape \(2\)"):
        render(CAMERA, np.ones((2, 3)), np.ones(1), (0, 0, 0), BLACK)


def test_a_frame_takes_a_few_milliseconds():
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    background, rng = textured_background(640, 480), np.random.default_rng(0)
    noise, times = PixelNoise.of(CAMERA, 2.0), []
    for _ in range(20):
        begin = time.perf_counter()
        noise.add_to(draw((3, 0, 1), background=background), rng)
        times.append(time.perf_counter() - begin)
    cv2.setNumThreads(threads)
    assert min(times) < 4e-3
