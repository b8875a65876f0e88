"""What a detector saw in one image, and what every detector can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from liquid_mono3d_ros.checks import Array, check_finite, check_shape, complain
from liquid_mono3d_ros.settings import Settings, setting

ANCHORS = ("top", "centroid", "bottom")
"""Points of a thing that can be tracked."""


@dataclass(frozen=True)
class Detections:
    """Everything seen in one image; N things, raw pixels.

    Convention: the centre of the top-left pixel is (0, 0), so the box around that one pixel is
    (−0.5, −0.5, 1, 1).

    Attributes:
        uv: (N, 2) px.
        sigma_px: One standard deviation of each coordinate of ``uv``, (N,) px.
        bbox: Left, top, width, height, (N, 4) px; NaN when the detector gives none.
        score: (N,), 0 to 1; NaN when the detector gives none.
        class_id: One word each; empty when the detector gives none.
    """

    uv: Array
    sigma_px: Array
    bbox: Array
    score: Array
    class_id: tuple[str, ...]

    def __post_init__(self) -> None:
        n = check_shape("uv", self.uv, ("N", 2))["N"]
        check_shape("sigma_px", self.sigma_px, (n,))
        check_shape("bbox", self.bbox, (n, 4))
        check_shape("score", self.score, (n,))
        check_finite("uv", self.uv)
        check_finite("sigma_px", self.sigma_px)
        if len(self.class_id) != n:
            got = f"{len(self.class_id)} words"
            raise ValueError(complain("class_id", f"{n} words", got, "Give one per detection."))
        _check_rows("sigma_px", self.sigma_px > 0, "positive px", "Give a pixel's error.")
        absent = np.isnan(self.bbox).all(axis=1)
        boxes = np.isfinite(self.bbox).all(axis=1) & (self.bbox[:, 2:] >= 0).all(axis=1)
        _check_rows(
            "bbox",
            np.asarray(absent | boxes),
            "finite with sizes >= 0, or all NaN",
            "Drop the broken boxes.",
        )
        scores = np.isnan(self.score) | ((self.score >= 0) & (self.score <= 1))
        _check_rows("score", np.asarray(scores), "between 0 and 1, or NaN", "Rescale the scores.")

    def __len__(self) -> int:
        return len(self.uv)

    @classmethod
    def at(cls, uv: Array, sigma_px: float, bbox: Array | None = None) -> Detections:
        """Make detections without score and class, all of the same ``sigma_px``.

        Args:
            uv: (N, 2) px.
            sigma_px: One standard deviation, px.
            bbox: (N, 4) px; left out when there are none.

        Example:
            >>> len(Detections.at(np.array([[3.0, 4.0]]), sigma_px=1.5))
            1
        """
        n = len(uv)
        return cls(
            uv=uv,
            sigma_px=np.full(n, sigma_px),
            bbox=np.full((n, 4), np.nan) if bbox is None else bbox,
            score=np.full(n, np.nan),
            class_id=("",) * n,
        )

    def rows(self, index: Array) -> Detections:
        """Return the detections at the given indices."""
        return Detections(
            uv=self.uv[index],
            sigma_px=self.sigma_px[index],
            bbox=self.bbox[index],
            score=self.score[index],
            class_id=tuple(self.class_id[i] for i in index),
        )

    @classmethod
    def none(cls) -> Detections:
        """Return the detections of an image in which nothing was seen."""
        return cls.at(np.zeros((0, 2)), sigma_px=1.0)


@dataclass(frozen=True)
class TopicSettings(Settings):
    """Which detections of another program count."""

    width: int = setting(
        0,
        "Of the images, which the detections do not tell; 0: as CameraInfo says",
        unit="px",
        bounds=(0, 100_000),
    )
    height: int = setting(
        0, "Of the images; 0: as CameraInfo says", unit="px", bounds=(0, 100_000)
    )
    score_min: float = setting(0.0, "Those with a lower score are left out", bounds=(0, 1))
    wanted: tuple[str, ...] = setting(
        (), "Classes that count, as the messages write them; empty: all"
    )
    anchor: str = setting("centroid", "Which point of the box is tracked", choices=ANCHORS)
    sigma_px: float = setting(
        3.0,
        "One standard deviation of that point, where the message has no covariance",
        unit="px",
        bounds=(0.1, 1000),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.width == 0) != (self.height == 0):
            got = f"{self.width}x{self.height} px"
            cure = "Give both, or neither to take them from CameraInfo."
            raise ValueError(complain("width and height", "given together", got, cure))


class Detector(Protocol):
    """Finds things in the images of one camera; may remember earlier ones."""

    def detect(self, image: Array) -> Detections:
        """Return what is seen in the next image, (H, W, 3) uint8 in BGR order."""

    def reset(self) -> None:
        """Forget the images seen so far."""


def anchor_of_boxes(bbox: Array, anchor: str) -> Array:
    """Return the point of each box that is tracked, (N, 2) px.

    Args:
        bbox: Left, top, width, height, (N, 4) px.
        anchor: ``centroid``; or ``top`` or ``bottom``, the middle of that edge.

    Example:
        >>> anchor_of_boxes(np.array([[-0.5, -0.5, 4.0, 2.0]]), "top")
        array([[ 1.5, -0.5]])
    """
    down = {"top": 0.0, "centroid": 0.5, "bottom": 1.0}[anchor]
    return np.asarray(bbox[:, :2] + bbox[:, 2:] * (0.5, down))


def _check_rows(argument: str, good: Array, rule: str, cure: str) -> None:
    if not good.all():
        got = f"{np.count_nonzero(~good)} of {good.size} that break it"
        raise ValueError(complain(argument, rule, got, cure))
