from __future__ import annotations

import cv2
import numpy as np
import pytest

TEAL = (180, 180, 20)
RED = (20, 20, 200)


class Painter:
    """Paints discs with exact sub-pixel centres: the share of a pixel that is covered."""

    def __init__(self, width: int = 160, height: int = 120, grey: int = 120) -> None:
        self.image = np.full((height, width, 3), grey, np.uint8)

    def disc(
        self, uv: tuple[float, float], radius: float, colour: tuple[int, int, int]
    ) -> Painter:
        fine = 8
        height, width = self.image.shape[:2]
        v, u = (np.mgrid[: height * fine, : width * fine] + 0.5) / fine - 0.5
        inside = (u - uv[0]) ** 2 + (v - uv[1]) ** 2 <= radius**2
        share = cv2.resize(inside.astype(float), (width, height), interpolation=cv2.INTER_AREA)
        mixed = self.image + share[:, :, None] * (np.array(colour) - self.image.astype(float))
        self.image = np.rint(mixed).astype(np.uint8)
        return self

    def box(self, left: int, top: int, width: int, height: int, colour: object) -> Painter:
        self.image[top : top + height, left : left + width] = colour
        return self


@pytest.fixture
def paint() -> type[Painter]:
    return Painter


@pytest.fixture
def teal() -> tuple[int, int, int]:
    return TEAL


@pytest.fixture
def red() -> tuple[int, int, int]:
    return RED


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)
