"""Small pictures of the tracks: the only way pixels reach the language side."""

from __future__ import annotations

import cv2
import numpy as np

from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.records import Frame, State, Tracks2D

MARGIN = 1.25
"""Side of the window, in longer sides of the box: a little of what is around helps to tell what
it is."""


def crop_tracks(frame: Frame, tracks: Tracks2D, size: int = 64) -> tuple[Array, Array]:
    """Cut out each track that is confirmed and was measured in this image.

    The window is a square around the box, resized to ``size``; without a box it is ``size`` pixels
    around the track. Outside the image the border is repeated.

    Args:
        frame: The image of the tracks.
        tracks: Tracks of the same stamp.
        size: Side of the pictures, px.

    Returns:
        Ids (M,) uint64 and pictures (M, size, size, 3) uint8 in RGB order.

    Raises:
        ValueError: If camera or stamp differ.
    """
    if (frame.camera, frame.stamp) != (tracks.camera, tracks.stamp):
        rule = f"the image of the tracks, {tracks.camera} at {tracks.stamp} ns"
        got = f"{frame.camera} at {frame.stamp} ns"
        raise ValueError(complain("frame", rule, got, "Keep the image until its tracks are cut."))
    chosen = np.flatnonzero((tracks.state == State.CONFIRMED) & tracks.measured)
    rgb = np.empty((len(chosen), size, size, 3), dtype=np.uint8)
    for picture, index in zip(rgb, chosen, strict=True):
        centre, side = _window(tracks.uv[index], tracks.bbox[index], size)
        window = _cut(frame.image, centre, side)
        shrinks = side > size
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        picture[:] = cv2.resize(window, (size, size), interpolation=method)[:, :, ::-1]
    return tracks.track_id[chosen], rgb


def _window(uv: Array, bbox: Array, size: int) -> tuple[Array, int]:
    """Return centre (2,) px and side, px."""
    if np.isnan(bbox).any():
        return uv, size
    return bbox[:2] + bbox[2:] / 2, max(1, round(MARGIN * float(bbox[2:].max())))


def _cut(image: Array, centre: Array, side: int) -> Array:
    """Cut a square, (side, side, 3), repeating the border outside the image."""
    left, top = np.rint(centre - (side - 1) / 2).astype(int)
    rows = np.arange(top, top + side).clip(0, image.shape[0] - 1)
    columns = np.arange(left, left + side).clip(0, image.shape[1] - 1)
    return np.asarray(image[np.ix_(rows, columns)])
