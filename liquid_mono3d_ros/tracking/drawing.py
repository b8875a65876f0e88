"""Tracks drawn into their image, for the eye: image + Tracks2D → image."""

from __future__ import annotations

import colorsys

import cv2
import numpy as np

from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.records import Frame, State, Tracks2D

TAIL = 0.3
"""The tail leads to where the track was this long ago at its present velocity, s."""

SIGMAS = 2.0
"""The ellipse has this many standard deviations of the pixel."""

OUTLINE = (0, 0, 0)
"""Around the letters, which else drown in a busy image."""

FARTHEST = 10_000.0
"""Pixels farther from the image than this are drawn there: OpenCV counts in 16 bits."""


def draw_tracks(frame: Frame, tracks: Tracks2D) -> Array:
    """Return the image with every track: box, ellipse of its covariance, tail, id and class.

    What is only predicted is drawn thin, a tentative track grey, and a deleted one not at all.
    Every id has its own colour.

    Args:
        frame: The image of the tracks; it is not changed.
        tracks: Tracks of the same image.

    Returns:
        (H, W, 3) uint8 in BGR order.

    Raises:
        ValueError: If camera or stamp differ.
    """
    if (frame.camera, frame.stamp) != (tracks.camera, tracks.stamp):
        rule = f"the image of the tracks, {tracks.camera} at {tracks.stamp} ns"
        got = f"{frame.camera} at {frame.stamp} ns"
        raise ValueError(complain("frame", rule, got, "Keep the image until they are drawn."))
    picture = frame.image.copy()
    for row in np.flatnonzero(tracks.state != State.DELETED):
        _draw(picture, tracks, int(row))
    return picture


def colour_of(track_id: int) -> tuple[int, int, int]:
    """Return a track's colour, blue, green and red: successive ids are far apart in hue."""
    red, green, blue = colorsys.hsv_to_rgb(track_id * 0.618034 % 1, 0.8, 1.0)
    return round(255 * blue), round(255 * green), round(255 * red)


def _draw(picture: Array, tracks: Tracks2D, row: int) -> None:
    tentative = tracks.state[row] == State.TENTATIVE
    colour = (160, 160, 160) if tentative else colour_of(int(tracks.track_id[row]))
    thickness = 2 if tracks.measured[row] else 1
    uv, box = tracks.uv[row], tracks.bbox[row]
    corner = uv
    if np.isfinite(box).all():
        corner = box[:2] + 0.5  # first and last pixel inside its edges
        last = box[:2] + box[2:] - 0.5
        cv2.rectangle(picture, _pixel(corner), _pixel(last), colour, thickness)
    if np.isfinite(tracks.velocity[row]).all():
        cv2.line(picture, _pixel(uv), _pixel(uv - TAIL * tracks.velocity[row]), colour, thickness)
    variances, axes = np.linalg.eigh(tracks.covariance[row])
    lengths = SIGMAS * np.sqrt(variances.clip(0))
    angle = float(np.degrees(np.arctan2(axes[1, 0], axes[0, 0])))
    cv2.ellipse(picture, _pixel(uv), _pixel(lengths), angle, 0, 360, colour, 1)
    text = f"{int(tracks.track_id[row])} {tracks.class_id[row]}".strip()
    place = _pixel(corner - (0, 4))
    for ink, width in ((OUTLINE, 3), (colour, 1)):
        cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, ink, width, cv2.LINE_AA)


def _pixel(uv: Array) -> tuple[int, int]:
    """Return the nearest whole pixel."""
    u, v = np.rint(uv.clip(-FARTHEST, FARTHEST)).astype(int).tolist()
    return u, v
