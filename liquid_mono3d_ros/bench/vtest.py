"""The real video of walkers in Debian's ``opencv-doc``: background detector and tracker at work.

It shows real people: ``samples`` keeps it in the user's cache.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.records import Frame, State, Tracks2D, nanoseconds
from liquid_mono3d_ros.samples import fetch_opencv_samples
from liquid_mono3d_ros.tracking.camera_tracker import CameraTracker, TrackingSettings

RATE = 10.0
"""Images per second of the video."""
SHOWN = (200, 400, 600, 790)
"""Images that are drawn."""
TRAIL = 30
"""Length of a drawn trail, images."""


def measure(picture: str | Path) -> dict[str, Any]:
    """Track the video and return its row; decoding is timed apart.

    Args:
        picture: Where four annotated images go, PNG.

    Raises:
        SamplesUnavailable: If the video cannot be had.
    """
    path = fetch_opencv_samples() / "vtest.avi"
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        return _measure(video, Path(picture))
    finally:
        cv2.setNumThreads(threads)
        video.release()


def _measure(video: Any, picture: Path) -> dict[str, Any]:
    tracker = CameraTracker("vtest", TrackingSettings())
    trails: dict[int, list[Array]] = defaultdict(list)
    images_of, shown = Counter[int](), []
    decoding = tracking = 0.0
    number = 0
    while True:
        start = time.process_time()
        there, image = video.read()
        decoding += time.process_time() - start
        if not there:
            break
        frame = Frame("vtest", nanoseconds(number / RATE), image)
        start = time.process_time()
        tracks = tracker.update(frame)
        tracking += time.process_time() - start
        images_of.update(_believed(tracks))
        _extend(trails, tracks)
        if number in SHOWN:
            shown.append(draw(image, tracks, trails, f"image {number}"))
        number += 1
    _write(shown, picture)
    return {
        "scene": f"vtest.avi, {number} images",
        "tracker": "background and liquid-mono3d",
        "ms_per_frame": 1e3 * tracking / number,
        "images_per_s": number / tracking,
        "decode_ms_per_frame": 1e3 * decoding / number,
        "tracks": len(images_of),
        "tracks_per_image": sum(images_of.values()) / number,
        "track_seconds_median": float(np.median(list(images_of.values()))) / RATE,
    }


def draw(image: Array, tracks: Tracks2D, trails: dict[int, list[Array]], title: str) -> Array:
    """Return the image with box, id and trail of each track; coasting ones are thin."""
    drawn = image.copy()
    believed = set(_believed(tracks))
    for track_id, box, measured in zip(
        tracks.track_id.tolist(), tracks.bbox, tracks.measured, strict=True
    ):
        if track_id not in believed:
            continue
        colour = _colour(track_id)
        left, top, right, bottom = np.rint([*box[:2], *(box[:2] + box[2:])]).astype(int).tolist()
        cv2.rectangle(drawn, (left, top), (right, bottom), colour, 2 if measured else 1)
        _label(drawn, str(track_id), (left, top - 4), colour)
        trail = np.rint(trails[track_id][-TRAIL:]).astype(np.int32)
        cv2.polylines(drawn, [trail.reshape(-1, 1, 2)], False, colour, 2)
    _label(drawn, title, (8, 20), (255, 255, 255))
    return drawn


def _believed(tracks: Tracks2D) -> list[int]:
    alive = np.isin(tracks.state, (State.CONFIRMED, State.COASTING))
    ids: list[int] = tracks.track_id[alive].tolist()
    return ids


def _extend(trails: dict[int, list[Array]], tracks: Tracks2D) -> None:
    for track_id, uv in zip(tracks.track_id.tolist(), tracks.uv, strict=True):
        trails[track_id].append(uv)


def _colour(track_id: int) -> tuple[int, int, int]:
    """Return a bright colour in BGR order that differs from that of the next ids."""
    hue = np.array([[[track_id * 67 % 180, 255, 255]]], np.uint8)
    blue, green, red = cv2.cvtColor(hue, cv2.COLOR_HSV2BGR)[0, 0].tolist()
    return blue, green, red


def _label(image: Array, text: str, at: tuple[int, int], colour: tuple[int, int, int]) -> None:
    for shade, width in (((0, 0, 0), 4), (colour, 1)):
        cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.6, shade, width, cv2.LINE_AA)


def _write(shown: list[Array], path: Path) -> None:
    """Write four images as a square."""
    path.parent.mkdir(parents=True, exist_ok=True)
    halves = [np.hstack(shown[k : k + 2]) for k in range(0, len(shown), 2)]
    cv2.imwrite(str(path), np.vstack(halves))
