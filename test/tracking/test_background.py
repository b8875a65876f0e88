from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from liquid_mono3d_ros.tracking.background import BackgroundSettings, BackgroundSubtractor
from liquid_mono3d_ros.tracking.detection import Detections


def textured(rng: np.random.Generator, height: int = 120, width: int = 160) -> np.ndarray:
    coarse = rng.integers(60, 180, (height // 8, width // 8, 3)).astype(np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def noisy(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.clip(image + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8)


def with_box(image: np.ndarray, left: int, top: int, width: int, height: int) -> np.ndarray:
    image = image.copy()
    image[top : top + height, left : left + width] = (0, 0, 255)
    return image


@pytest.mark.parametrize("method", ["mog2", "knn"])
def test_learns_the_background_and_sees_what_moves(method: str, rng: np.random.Generator) -> None:
    empty = textured(rng)
    subtractor = BackgroundSubtractor(BackgroundSettings(method=method, warm_up=20))
    for _ in range(20):
        assert len(subtractor.detect(noisy(with_box(empty, 0, 0, 20, 40), rng))) == 0  # warm-up
    for step in range(10):
        left = 40 + 6 * step
        seen = subtractor.detect(noisy(with_box(empty, left, 50, 20, 40), rng))
        truth = (left + 9.5, 69.5)
        assert np.abs(seen.uv - truth).max(axis=1).min() < 2.5
    assert seen.sigma_px[0] == 4.0


@pytest.mark.parametrize(("method", "share"), [("mog2", 1 / 9), ("knn", 1 / 4)])
def test_what_rests_fades_as_the_setting_says(
    method: str, share: float, rng: np.random.Generator
) -> None:
    empty = textured(rng)
    history = 200
    settings = BackgroundSettings(method=method, history=history, warm_up=20)
    subtractor = BackgroundSubtractor(settings)
    for _ in range(20):
        subtractor.detect(noisy(empty, rng))
    image = with_box(empty, 60, 40, 30, 40)
    visible = [len(subtractor.detect(noisy(image, rng))) for _ in range(history)]
    assert 0.8 * share * history < np.count_nonzero(visible) < 1.3 * share * history


def test_reset_warms_up_again(rng: np.random.Generator) -> None:
    empty = textured(rng)
    subtractor = BackgroundSubtractor(BackgroundSettings(warm_up=5))
    for _ in range(5):
        subtractor.detect(empty)
    thing = with_box(empty, 60, 40, 30, 30)
    assert len(subtractor.detect(thing)) == 1
    subtractor.reset()
    assert len(subtractor.detect(thing)) == 0


def compare(
    tmp_path: Path, empty: np.ndarray, image: np.ndarray, **settings: object
) -> Detections:
    path = tmp_path / "empty.png"
    cv2.imwrite(str(path), empty)
    chosen = BackgroundSettings(background_image=str(path), **settings)  # type: ignore[arg-type]
    return BackgroundSubtractor(chosen).detect(image)


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.25])
@pytest.mark.parametrize(
    ("anchor", "uv"),
    [("centroid", (75.5, 59.5)), ("top", (75.5, 39.5)), ("bottom", (75.5, 79.5))],
)
def test_convention_pixels_survive_the_process_scale(
    tmp_path: Path, rng: np.random.Generator, scale: float, anchor: str, uv: tuple[float, float]
) -> None:
    empty = textured(rng)
    image = with_box(empty, 64, 40, 24, 40)  # edges on multiples of 4: exact at every scale
    seen = compare(tmp_path, empty, image, process_scale=scale, anchor=anchor)
    assert np.allclose(seen.uv, [uv])
    assert np.allclose(seen.bbox, [[63.5, 39.5, 24, 40]])


def test_a_background_image_keeps_what_never_moves(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    path = tmp_path / "empty.png"
    empty = textured(rng)
    cv2.imwrite(str(path), empty)
    subtractor = BackgroundSubtractor(BackgroundSettings(background_image=str(path), warm_up=30))
    image = with_box(empty, 64, 40, 24, 40)
    assert [len(subtractor.detect(noisy(image, rng))) for _ in range(50)] == [1] * 50


def test_small_differences_and_areas_are_left_out(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    empty = textured(rng)
    assert len(compare(tmp_path, empty, empty + np.uint8(20))) == 0
    image = with_box(with_box(empty, 10, 10, 12, 12), 64, 40, 24, 40)
    assert len(compare(tmp_path, empty, image, area_min=200.0)) == 1  # one has 144 px²
    assert len(compare(tmp_path, empty, image, area_min=100.0)) == 2
    assert len(compare(tmp_path, empty, image, area_min=100.0, max_detections=1)) == 1


def test_a_missing_background_image_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "none.png"
    with pytest.raises(FileNotFoundError, match=r"none\.png must be an image; got no such file"):
        BackgroundSubtractor(BackgroundSettings(background_image=str(missing)))
    missing.write_text("no image")
    with pytest.raises(FileNotFoundError, match=r"none\.png must be an image; got a file"):
        BackgroundSubtractor(BackgroundSettings(background_image=str(missing)))


def test_a_background_image_of_another_size_is_named(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    match = r"empty\.png must be of the size of the images, 80x64 px; got 160x120 px"
    with pytest.raises(ValueError, match=match):
        compare(tmp_path, textured(rng), textured(rng, 64, 80))
