"""What detection networks put out → boxes: three common layouts, and what overlaps removed."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from liquid_mono3d_ros.checks import Array, complain

LAYOUTS = {
    "v5": "(1, N, 5 + classes)",
    "v8": "(1, 4 + classes, N)",
    "end2end": "(1, N, 6)",
}
"""Layout → shape. v5 has centre, size, score that anything is there, score of each class; v8 the
same transposed and without the first score; end2end corners, score and class, overlaps removed."""

END2END_ROWS = 1000
"""More rows of six numbers are v5 with one class: end2end networks put out 100 to 300 rows."""


@dataclass(frozen=True)
class Boxes:
    """Boxes of one image, in pixels of the network's input counted from its top-left corner.

    Attributes:
        corners: Left, top, right, bottom, (N, 4) px.
        score: (N,), 0 to 1.
        index: Of the class, (N,) int.
    """

    corners: Array
    score: Array
    index: Array

    def __len__(self) -> int:
        return len(self.score)

    def rows(self, index: Array) -> Boxes:
        """Return the boxes at the given indices or where a mask is true."""
        return Boxes(self.corners[index], self.score[index], self.index[index])

    @property
    def area(self) -> Array:
        """Of each box, (N,) px²."""
        return np.asarray((self.corners[:, 2:] - self.corners[:, :2]).prod(axis=1))

    def moved(self, gain: Array, shift: Array) -> Boxes:
        """Return the boxes in the image that was enlarged by ``gain`` and then shifted, (2,)."""
        corners = (self.corners - np.tile(shift, 2)) / np.tile(gain, 2)
        return Boxes(corners, self.score, self.index)

    def clipped(self, shape: tuple[int, ...]) -> Boxes:
        """Return what of the boxes lies in an image of ``shape`` (H, W, ...)."""
        limit = np.tile(shape[1::-1], 2)
        return Boxes(self.corners.clip(0, limit), self.score, self.index)


def choose_layout(output: Array, layout: str) -> str:
    """Return the layout of an output, guessed from its shape for ``auto``.

    Rows of six numbers are ``end2end``, unless they are more than 1000; else the longer axis
    counts the boxes.

    Raises:
        ValueError: If the shape is not that of the layout, or of none.
    """
    shape = output.shape
    allowed = tuple(LAYOUTS) if layout == "auto" else (layout,)
    if len(shape) == 3 and shape[0] == 1:
        _, rows, columns = shape
        fits = {
            "end2end": columns == 6 and (layout != "auto" or rows <= END2END_ROWS),
            "v8": rows >= 5 and (layout != "auto" or rows < columns),
            "v5": columns >= 6,
        }
        for name, holds in fits.items():
            if holds and name in allowed:
                return name
    rule = f"of shape {' or '.join(LAYOUTS[name] for name in allowed)}"
    cure = "Set onnx.layout, or export the network in one of these layouts."
    raise ValueError(complain("its output", rule, str(shape), cure))


def decode(output: Array, layout: str, *, score_min: float, num_classes: int = 0) -> Boxes:
    """Return the boxes whose score reaches ``score_min``, of an output of a known layout.

    Boxes with a number that is not finite, or without an inside, are left out.

    Args:
        output: As ``LAYOUTS`` says.
        layout: ``v5``, ``v8`` or ``end2end``.
        score_min: Of the class, for v5 times that anything is there.
        num_classes: Columns behind those of the classes are ignored, such as masks; 0: none are.

    Raises:
        ValueError: If there are fewer columns than classes, or a score lies outside 0 to 1.
    """
    table = output[0].T if layout == "v8" else output[0]
    if layout == "v5":
        table = table[table[:, 4] >= score_min]  # most boxes hold nothing: spare their classes
    score, index = _judge(table, layout, num_classes)
    good = score >= score_min
    good[good] = np.isfinite(table[good]).all(axis=1) & np.isfinite(score[good])
    place, score = table[good, :4].astype(float), score[good].astype(float)
    if layout != "end2end":
        half = place[:, 2:] / 2
        place = np.hstack([place[:, :2] - half, place[:, :2] + half])
    boxes = Boxes(place, score, index[good].astype(int))
    boxes = boxes.rows((place[:, 2:] > place[:, :2]).all(axis=1))
    if (boxes.score > 1 + 1e-3).any():
        got = f"{boxes.score.max():g}"
        cure = "Export the network with its sigmoid, or set onnx.layout."
        raise ValueError(complain("its output", "scores of 0 to 1", got, cure))
    return Boxes(boxes.corners, boxes.score.clip(0, 1), boxes.index)


def _judge(table: Array, layout: str, num_classes: int) -> tuple[Array, Array]:
    """Return score and index of the best class of each row, (N,)."""
    if layout == "end2end":
        return table[:, 4], table[:, 5]
    first = 4 if layout == "v8" else 5
    scores = table[:, first : first + num_classes] if num_classes else table[:, first:]
    if scores.shape[1] < num_classes:
        rule, got = f"of {num_classes} classes", f"{scores.shape[1]}"
        cure = "Name as many in onnx.classes, or set onnx.layout."
        raise ValueError(complain("its output", rule, got, cure))
    index = scores.argmax(axis=1)
    score = scores[np.arange(len(table)), index]
    return (score if layout == "v8" else score * table[:, 4]), index


def remove_overlaps(boxes: Boxes, overlap_max: float, limit: int) -> Boxes:
    """Return the best boxes, of those of one class that overlap only the best; best first.

    Args:
        boxes: Of one image.
        overlap_max: Largest intersection of two boxes over their union.
        limit: Most boxes that are returned.
    """
    best = boxes.rows(np.argsort(-boxes.score, kind="stable")[: 10 * limit])
    if len(best) == 0:
        return best
    apart = 2 * np.abs(best.corners).max() + 1  # classes side by side: they do not overlap
    corner = best.corners[:, :2] + (apart * best.index)[:, None]
    size = best.corners[:, 2:] - best.corners[:, :2]
    rectangles = np.hstack([corner, size]).tolist()
    kept = cv2.dnn.NMSBoxes(rectangles, best.score.tolist(), 0.0, overlap_max)
    return best.rows(np.sort(np.ravel(kept))[:limit].astype(int))
