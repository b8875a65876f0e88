"""Small pictures of the tracks: the only way pixels reach the language side."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.records import Frame, State, Tracks2D

MARGIN = 1.25
"""Side of the window, in longer sides of the box: a little of what is around helps to tell what
it is."""


@dataclass(frozen=True)
class Crop:
    """A picture of one 2D track.

    Attributes:
        camera: Name of the camera in the rig.
        stamp: Of the image, ns.
        track2d_id: In that camera.
        rgb: (64, 64, 3) uint8.
        side_px: Side of the window, px of the raw image.
    """

    camera: str
    stamp: int
    track2d_id: int
    rgb: Array
    side_px: float


def crop_tracks(frame: Frame, tracks: Tracks2D, size: int = 64) -> tuple[Array, Array, Array]:
    """Cut out each track that is confirmed and was measured in this image.

    The window is a square around the box, resized to ``size``; without a box it is ``size`` pixels
    around the track. Outside the image the border is repeated.

    Args:
        frame: The image of the tracks.
        tracks: Tracks of the same stamp.
        size: Side of the pictures, px.

    Returns:
        Ids (M,) uint64, pictures (M, size, size, 3) uint8 in RGB order, and the sides of their
        windows (M,), px of the raw image.

    Raises:
        ValueError: If camera or stamp differ.
    """
    if (frame.camera, frame.stamp) != (tracks.camera, tracks.stamp):
        rule = f"the image of the tracks, {tracks.camera} at {tracks.stamp} ns"
        got = f"{frame.camera} at {frame.stamp} ns"
        raise ValueError(complain("frame", rule, got, "Keep the image until its tracks are cut."))
    chosen = np.flatnonzero((tracks.state == State.CONFIRMED) & tracks.measured)
    rgb = np.empty((len(chosen), size, size, 3), dtype=np.uint8)
    sides = np.empty(len(chosen))
    for row, index in enumerate(chosen):
        centre, side = _window(tracks.uv[index], tracks.bbox[index], size)
        window = _cut(frame.image, centre, side)
        shrinks = side > size
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        rgb[row] = cv2.resize(window, (size, size), interpolation=method)[:, :, ::-1]
        sides[row] = side
    return tracks.track_id[chosen], rgb, sides


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
