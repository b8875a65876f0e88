"""How well tracks keep to the truth: identity switches, coverage, false tracks.

Source: Bernardin & Stiefelhagen, Evaluating Multiple Object Tracking Performance: The CLEAR MOT
Metrics, 2008, section 2.1.3.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from liquid_mono3d_ros.checks import Array

REACH = 15.0
"""A track farther from an object does not stand for it, px."""

TrackedImage = tuple[Array, Array]
"""What a tracker returned for an image: ids (K,) and pixels (K, 2)."""


@dataclass(frozen=True)
class Score:
    """What a tracker made of a scene.

    Attributes:
        switches: How often an object got another track than it had last.
        coverage: Share of the visible objects, over all images, that have a track.
        false_tracks: Ids that stood for no object in most of their images.
    """

    switches: int
    coverage: float
    false_tracks: int


def score(uv: Array, visible: Array, tracked: Sequence[TrackedImage]) -> Score:
    """Compare tracks with the truth, image by image.

    A pair of the image before is kept while it is within reach; the rest is assigned so that most
    are paired, at the least sum of distances. An object that is hidden may keep its track, and
    nobody asks for one.

    Args:
        uv: Objects, (T, N, 2) px.
        visible: Which of them can be seen, (T, N) bool.
        tracked: What the tracker returned for each image.
    """
    owner: dict[int, int] = {}
    switches = covered = 0
    images, images_false = Counter[int](), Counter[int]()
    for truth, can, (ids, pixels) in zip(uv, visible, tracked, strict=True):
        pairs = _pair(truth, ids, pixels, owner)
        switches += sum(owner.get(i, new) != new for i, new in pairs.items())
        covered += sum(bool(can[i]) for i in pairs)
        owner.update(pairs)
        images.update(ids.tolist())
        images_false.update(set(ids.tolist()) - set(pairs.values()))
    num_false = sum(2 * images_false[i] > number for i, number in images.items())
    return Score(switches, covered / int(visible.sum()), num_false)


def _pair(truth: Array, ids: Array, pixels: Array, owner: dict[int, int]) -> dict[int, int]:
    """Return object → id of its track in this image."""
    distance = np.linalg.norm(truth[:, None] - pixels.reshape(1, -1, 2), axis=2)  # (N, K)
    column = {int(track_id): k for k, track_id in enumerate(ids)}
    pairs: dict[int, int] = {}
    for i, track_id in owner.items():
        if track_id in column and distance[i, column[track_id]] <= REACH:
            pairs[i] = track_id
            distance[i, :] = distance[:, column[track_id]] = np.inf
    # A pair out of reach costs more than any number within.
    objects, columns = linear_sum_assignment(np.where(distance <= REACH, distance, 1e6))
    for new, k in zip(objects.tolist(), columns.tolist(), strict=True):
        if distance[new, k] <= REACH:
            pairs[new] = int(ids[k])
    return pairs
