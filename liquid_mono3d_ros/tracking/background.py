"""Things that differ from the background: images of one fixed camera → Detections."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from liquid_mono3d_ros.checks import Array, check_shape, complain
from liquid_mono3d_ros.settings import Settings, setting
from liquid_mono3d_ros.tracking.components import (
    Component,
    anchor_of,
    check_areas,
    find_components,
)
from liquid_mono3d_ros.tracking.detection import ANCHORS, Detections

SHADOW = 127
"""What OpenCV's subtractors write where they see a shadow."""

AUTOMATIC = -1.0
"""Learning rate by which they choose their own."""


@dataclass(frozen=True)
class BackgroundSettings(Settings):
    """How the background is known and what counts as a thing in front of it."""

    method: str = setting(
        "mog2", "knn copes better with swaying plants, at twice the time", choices=("mog2", "knn")
    )
    history: int = setting(
        500,
        "Images remembered; a thing that rests fades after a ninth (mog2) or a quarter (knn)",
        bounds=(2, 100000),
    )
    threshold: float = setting(
        5.0, "mog2: standard deviations from the background", bounds=(1, 100)
    )
    difference: float = setting(
        25.0, "knn and background_image: grey levels from the background", bounds=(1, 255)
    )
    background_image: str = setting(
        "",
        "Picture of the empty scene, for things that never leave; {camera} stands for the"
        " camera's name. Empty: learn the background from the images",
    )
    warm_up: int = setting(
        30, "First images, from which the background is only learnt", bounds=(0, 10000)
    )
    process_scale: float = setting(
        0.5, "Images are shrunk by this: faster and less noisy, but coarser", bounds=(0.05, 1)
    )
    opening_radius: int = setting(
        1,
        "Specks into which no square of 2 r + 1 shrunk px fits are removed; 0 keeps all",
        unit="px",
        bounds=(0, 15),
    )
    closing_radius: int = setting(
        3,
        "Gaps into which no square of 2 r + 1 shrunk px fits are closed, so that a thing stays"
        " whole; 0 closes none",
        unit="px",
        bounds=(0, 50),
    )
    area_min: float = setting(
        50.0, "Smaller ones are noise, at full resolution", unit="px^2", bounds=(1, 1e8)
    )
    area_max: float = setting(
        1e6,
        "Larger ones are changes of the light, at full resolution",
        unit="px^2",
        bounds=(1, 1e8),
    )
    max_detections: int = setting(100, "The largest are kept", bounds=(1, 10000))
    anchor: str = setting(
        "centroid",
        "Which point of a thing is tracked; top is the same point of a person from every side",
        choices=ANCHORS,
    )
    sigma_px: float = setting(
        4.0, "One standard deviation of that point", unit="px", bounds=(0.1, 1000)
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_areas(self.area_min, self.area_max)


class BackgroundSubtractor:
    """Remembers how the scene looks when it is empty; one per camera, which must not move.

    Without ``background_image`` the background is learnt (MOG2 or KNN), so a thing that rests
    fades into it. With one it is a plain difference, of the channel that differs most.

    Raises:
        FileNotFoundError: If ``background_image`` cannot be read.
    """

    def __init__(self, settings: BackgroundSettings) -> None:
        self.settings = settings
        self._empty: Array | None = None
        if settings.background_image:
            empty = _read_image(settings.background_image)
            self._size = _size(empty)
            self._empty = _shrink(empty, settings.process_scale)
        self.reset()

    def reset(self) -> None:
        """Forget what was learnt and warm up again."""
        self._learner = _make_learner(self.settings)
        self._num_images = 0

    def detect(self, image: Array) -> Detections:
        """Find what is in front of the background, the largest first; nothing while warming up.

        Args:
            image: (H, W, 3) uint8 in BGR order.

        Raises:
            ValueError: If ``background_image`` has another size.
        """
        check_shape("image", image, ("H", "W", 3))
        settings = self.settings
        small = _shrink(image, settings.process_scale)
        if self._empty is None:
            mask = self._learn(small)
        else:
            self._check_size(image)
            mask = _above(_largest_channel(cv2.absdiff(small, self._empty)), settings.difference)
        mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, _square(settings.opening_radius))
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, _square(settings.closing_radius))
        scale = np.array([image.shape[1], image.shape[0]]) / (small.shape[1], small.shape[0])
        found = find_components(
            mask,
            area_min=settings.area_min / scale.prod(),
            area_max=settings.area_max / scale.prod(),
        )
        return _to_detections(found[: settings.max_detections], scale, settings)

    def _learn(self, small: Array) -> Array:
        """Learn from the image and return its mask, empty while warming up.

        OpenCV's own rate, 1 over twice the images seen, learns a new background quickly. Kept on
        after the warm-up it would swallow a thing within 7 images; 1 over ``history`` takes 55.
        """
        self._num_images += 1
        warming = self._num_images <= self.settings.warm_up
        rate = AUTOMATIC if warming else 1 / self.settings.history
        mask = self._learner.apply(small, learningRate=rate)
        return np.zeros_like(mask) if warming else _above(mask, SHADOW)

    def _check_size(self, image: Array) -> None:
        if _size(image) != self._size:
            argument = f"background_image {self.settings.background_image}"
            rule = f"of the size of the images, {_size(image)}"
            cure = "Take it with the same camera and resolution."
            raise ValueError(complain(argument, rule, self._size, cure))


def _size(image: Array) -> str:
    return f"{image.shape[1]}x{image.shape[0]} px"


def _largest_channel(image: Array) -> Array:
    blue, green, red = cv2.split(image)
    return np.asarray(cv2.max(cv2.max(blue, green), red))


def _above(image: Array, level: float) -> Array:
    return np.asarray(cv2.threshold(image, level, 255, cv2.THRESH_BINARY)[1])


def _read_image(path: str) -> Array:
    image = cv2.imread(path, cv2.IMREAD_COLOR) if Path(path).is_file() else None
    if image is None:
        got = "no such file" if not Path(path).is_file() else "a file that is none"
        raise FileNotFoundError(
            complain(f"background_image {path}", "an image", got, "Give a PNG or JPEG file.")
        )
    return image


def _make_learner(settings: BackgroundSettings) -> Any:
    if settings.method == "mog2":
        return cv2.createBackgroundSubtractorMOG2(settings.history, settings.threshold**2)
    return cv2.createBackgroundSubtractorKNN(settings.history, settings.difference**2)


def _shrink(image: Array, scale: float) -> Array:
    if scale == 1:
        return image
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _square(radius: int) -> Array:
    return np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)


def _to_detections(
    found: list[Component], scale: Array, settings: BackgroundSettings
) -> Detections:
    """Bring components of the shrunk mask to pixels of the image."""
    if not found:
        return Detections.none()
    # A shrunk pixel covers an area: it is edges, at half pixels, that scale.
    uv = np.array([anchor_of(component, settings.anchor) for component in found])
    corner = np.array([(component.left, component.top) for component in found])
    size = np.array([component.pixels.shape[::-1] for component in found])
    bbox = np.concatenate([corner * scale - 0.5, size * scale], axis=1)
    return Detections.at((uv + 0.5) * scale - 0.5, settings.sigma_px, bbox)
