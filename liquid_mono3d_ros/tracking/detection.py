"""What a detector saw in one image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from liquid_mono3d_ros.checks import Array, check_finite, check_shape, complain


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


def _check_rows(argument: str, good: Array, rule: str, cure: str) -> None:
    if not good.all():
        got = f"{np.count_nonzero(~good)} of {good.size} that break it"
        raise ValueError(complain(argument, rule, got, cure))
