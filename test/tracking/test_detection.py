from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from liquid_mono3d_ros.tracking.detection import Detections


@pytest.fixture
def two() -> Detections:
    return Detections.at(np.array([[3.0, 4.0], [5.0, 6.0]]), sigma_px=1.5)


def test_at_gives_unknown_as_nan_and_empty(two: Detections) -> None:
    assert len(two) == 2
    assert np.array_equal(two.sigma_px, [1.5, 1.5])
    assert np.isnan(two.bbox).all()
    assert np.isnan(two.score).all()
    assert two.class_id == ("", "")


def test_none_is_empty() -> None:
    nothing = Detections.none()
    assert len(nothing) == 0
    assert nothing.uv.shape == (0, 2)
    assert nothing.bbox.shape == (0, 4)


def test_rows_keeps_the_order_asked_for(two: Detections) -> None:
    swapped = replace(two, class_id=("a", "b")).rows(np.array([1, 0]))
    assert swapped.uv.tolist() == [[5.0, 6.0], [3.0, 4.0]]
    assert swapped.class_id == ("b", "a")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"uv": np.zeros((2, 3))}, r"uv must be of shape \(N, 2\); got shape \(2, 3\)"),
        ({"uv": np.full((2, 2), np.nan)}, "uv must be finite; got 4 of 4"),
        ({"sigma_px": np.zeros(3)}, r"sigma_px must be of shape \(2\); got shape \(3,\)"),
        ({"sigma_px": np.array([1.0, 0.0])}, "sigma_px must be positive px; got 1 of 2"),
        ({"bbox": np.array([[0, 0, -1, 2.0]] * 2)}, "bbox must be finite with sizes >= 0"),
        ({"bbox": np.array([[0, 0, np.nan, 2.0]] * 2)}, "bbox must be finite with sizes >= 0"),
        ({"score": np.array([0.5, 1.5])}, "score must be between 0 and 1, or NaN; got 1 of 2"),
        ({"class_id": ("ball",)}, "class_id must be 2 words; got 1 words"),
    ],
)
def test_broken_fields_are_refused(two: Detections, change: dict[str, object], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        replace(two, **change)
