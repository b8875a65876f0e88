from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.tracking.boxes import Boxes, choose_layout, decode, remove_overlaps

ONE = np.array([50.0, 40.0, 20.0, 10.0])
"""Centre and size; its corners are 40, 35, 60, 45."""


def v5(*rows: tuple[float, ...]) -> Array:
    return np.array([rows])


def v8(*rows: tuple[float, ...]) -> Array:
    return v5(*rows).transpose(0, 2, 1)


@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        ((1, 25200, 85), "v5"),
        ((1, 25200, 6), "v5"),
        ((1, 84, 8400), "v8"),
        ((1, 5, 8400), "v8"),
        ((1, 6, 8400), "v8"),
        ((1, 300, 6), "end2end"),
        ((1, 0, 6), "end2end"),
    ],
)
def test_the_layout_is_guessed_from_the_shape(shape: tuple[int, ...], layout: str) -> None:
    assert choose_layout(np.zeros(shape), "auto") == layout
    assert choose_layout(np.zeros(shape), layout) == layout


@pytest.mark.parametrize(
    ("shape", "layout", "rule"),
    [
        ((1, 1000), "auto", r"\(1, N, 5 \+ classes\) or \(1, 4 \+ classes, N\) or \(1, N, 6\)"),
        ((2, 84, 8400), "auto", "classes"),
        ((1, 300, 4), "auto", "classes"),
        ((1, 84, 8400), "end2end", r"of shape \(1, N, 6\); got \(1, 84, 8400\)"),
        ((1, 4, 8400), "v8", r"of shape \(1, 4 \+ classes, N\)"),
        ((1, 8400, 5), "v5", r"of shape \(1, N, 5 \+ classes\)"),
    ],
)
def test_a_shape_that_does_not_fit_is_refused(
    shape: tuple[int, ...], layout: str, rule: str
) -> None:
    with pytest.raises(ValueError, match=rule):
        choose_layout(np.zeros(shape), layout)


@pytest.mark.parametrize(
    ("layout", "output"),
    [
        ("v5", v5((*ONE, 0.9, 0.1, 0.8), (*ONE, 0.2, 0.9, 0.9))),
        ("v8", v8((*ONE, 0.1, 0.72), (*ONE, 0.1, 0.2))),
        ("end2end", v5((40, 35, 60, 45, 0.72, 1), (40, 35, 60, 45, 0.2, 0))),
    ],
)
def test_each_layout_gives_the_same_box(layout: str, output: Array) -> None:
    boxes = decode(output, layout, score_min=0.5)
    assert boxes.corners.tolist() == [[40, 35, 60, 45]]
    assert boxes.score == pytest.approx([0.72])
    assert boxes.index.tolist() == [1]


def test_columns_behind_the_classes_are_ignored() -> None:
    masks = (*ONE, 0.1, 0.6, 5.0, -7.0)
    assert decode(v8(masks), "v8", score_min=0.5, num_classes=2).score.tolist() == [0.6]


def test_broken_boxes_are_left_out() -> None:
    nan, wrong = (np.nan, 40, 20, 10, 0.9), (50, 40, -20, 10, 0.9)
    unknown, infinite = (*ONE, np.nan), (np.inf, 40, 20, 10, 0.9)
    boxes = decode(v8(nan, wrong, unknown, infinite, (*ONE, 0.9)), "v8", score_min=0.5)
    assert len(boxes) == 1
    odd = v5((40, 35, 60, 45, 0.7, np.nan), (40, 35, 40, 45, 0.7, 1))
    assert len(decode(odd, "end2end", score_min=0.5)) == 0


def test_scores_without_sigmoid_and_missing_classes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"its output must be scores of 0 to 1; got 4\.5"):
        decode(v8((*ONE, 4.5)), "v8", score_min=0.5)
    with pytest.raises(ValueError, match="its output must be of 3 classes; got 2"):
        decode(v8((*ONE, 0.5, 0.5)), "v8", score_min=0.5, num_classes=3)


@given(
    arrays(np.float32, (1, 7, 9), elements=st.floats(width=32)),
    arrays(np.float32, (1, 7, 9), elements=st.floats(0, 1, width=32)),
    st.sampled_from(["v5", "v8", "end2end"]),
    st.floats(0.001, 1),
)
def test_whatever_comes_out_is_finite_or_refused(
    output: Array, scores: Array, layout: str, score_min: float
) -> None:
    if layout == "v8":
        output[:, 4:] = scores[:, 4:]
    else:
        output[:, :, 4:] = scores[:, :, 4:]
    output = output[:, :, :6] if layout == "end2end" else output
    boxes = decode(output, layout, score_min=score_min).clipped((100, 200))
    boxes = remove_overlaps(boxes, 0.5, 3)
    assert len(boxes) <= 3
    assert np.isfinite(boxes.corners).all()
    assert ((boxes.score >= score_min) & (boxes.score <= 1)).all()


def test_the_best_of_overlapping_boxes_of_a_class_stays() -> None:
    corners = np.array(
        [[0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 10], [5, 0, 15, 10], [90, 90, 99, 99]], float
    )
    boxes = Boxes(corners, np.array([0.5, 0.9, 0.6, 0.4, 0.3]), np.array([0, 0, 1, 0, 0]))
    kept = remove_overlaps(boxes, 0.45, 100)
    assert kept.score.tolist() == [0.9, 0.6, 0.4, 0.3]
    assert kept.index.tolist() == [0, 1, 0, 0]
    assert remove_overlaps(boxes, 0.25, 100).score.tolist() == [0.9, 0.6, 0.3]
    assert remove_overlaps(boxes, 1.0, 2).score.tolist() == [0.9, 0.6]
    assert len(remove_overlaps(boxes.rows(np.zeros(5, bool)), 0.5, 2)) == 0


def test_boxes_go_back_to_the_image_and_end_there() -> None:
    boxes = Boxes(np.array([[10.0, 20, 30, 60]]), np.array([0.5]), np.array([0]))
    moved = boxes.moved(np.array([2.0, 4.0]), np.array([10.0, -20.0]))
    assert moved.corners.tolist() == [[0, 10, 10, 20]]
    assert moved.area.tolist() == [100]
    assert moved.clipped((15, 8, 3)).corners.tolist() == [[0, 10, 8, 15]]
