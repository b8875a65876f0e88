"""The real video of walkers in Debian's ``opencv-doc``: background detector and tracker at work.

It shows real people, so it is kept in the user's cache and never in the repository.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.records import Frame, State, Tracks2D, nanoseconds
from liquid_mono3d_ros.tracking.camera_tracker import CameraTracker, TrackingSettings

PACKAGE = "opencv-doc"
INSTALLED = "usr/share/doc/opencv-doc/examples/data/vtest.avi"
SHA256 = "45cddc9490be69345cbdab64ca583be65987e864ca408038e648db99e10516cf"
RATE = 10.0
"""Images per second of the video."""
SHOWN = (200, 400, 600, 790)
"""Images that are drawn."""
TRAIL = 30
"""Length of a drawn trail, images."""


class VideoUnavailable(OSError):  # noqa: N818 - says what is the matter
    """The video is not in the cache and could not be fetched; the text says why."""


def fetch(cache: Path | None = None) -> Path:
    """Return the video, fetching its Debian package of 96 MB the first time.

    Args:
        cache: Folder to keep it in; None for ``liquid_mono3d`` in the user's cache folder.

    Raises:
        VideoUnavailable: If it has to be fetched and cannot be, or is not what it was.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache or base / "liquid_mono3d"
    path = folder / "vtest.avi"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            found = Path("/", INSTALLED)
            if not found.is_file():
                found = _unpack(Path(scratch))
            digest = hashlib.sha256(found.read_bytes()).hexdigest()
            if digest != SHA256:
                cure = "Rows of the video are left out."
                raise VideoUnavailable(complain(found.name, f"of sha256 {SHA256}", digest, cure))
            copy = Path(scratch, "copy")
            shutil.copy(found, copy)
            copy.rename(path)  # at once: half a file would stay
    return path


def measure(picture: str | Path) -> dict[str, Any]:
    """Track the video and return its row; decoding is timed apart.

    Args:
        picture: Where four annotated images go, PNG.

    Raises:
        VideoUnavailable: If the video cannot be had.
    """
    video = cv2.VideoCapture(str(fetch()), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
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


def _unpack(folder: Path) -> Path:
    """Download the package with apt and take it apart; nothing is installed."""
    _run("apt-get", ["download", PACKAGE], folder)
    for package in folder.glob("*.deb"):
        _run("dpkg-deb", ["-x", package.name, "."], folder)
    if not (folder / INSTALLED).is_file():
        raise VideoUnavailable(_because(f"the package holds no {INSTALLED}"))
    return folder / INSTALLED


def _run(tool: str, arguments: list[str], folder: Path) -> None:
    try:
        done = subprocess.run([tool, *arguments], cwd=folder, capture_output=True, text=True)
    except FileNotFoundError:
        raise VideoUnavailable(_because(f"this machine has no {tool}")) from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"{tool} failed"]
        raise VideoUnavailable(_because(lines[-1].rstrip(".")))


def _because(reason: str) -> str:
    return (
        f"The video of walkers could not be fetched from Debian's {PACKAGE}: {reason}. "
        "Its rows are left out; connect to the network on Debian or Ubuntu and try again."
    )
