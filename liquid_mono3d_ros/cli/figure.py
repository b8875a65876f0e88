"""Recording of the road → one picture: what the cameras saw, the path in 3D, speed, words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from liquid_mono3d_ros.bench.recordings import RoadRecording
from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.cli.panels import (
    CAMERAS,
    STYLE,
    Track,
    draw_path,
    draw_room,
    draw_speed,
    draw_view,
    write_words,
)
from liquid_mono3d_ros.geometry.rig import Rig
from liquid_mono3d_ros.graph import PlayerSettings
from liquid_mono3d_ros.recording import Recording, SyntheticRecording, VideoRecording
from liquid_mono3d_ros.records import Kind
from liquid_mono3d_ros.synth.paths import PATHS

SIZE = (13.6, 8.4)
"""Of the picture, inches of 150 px."""
MOSAIC = 24
"""Side of the squares that hide who is in a picture, px."""
HEADINGS = {
    (0.645, 0.972): "Cameras, lines of sight, path",
    (0.012, 0.375): "The path from near, measured and predicted",
    (0.345, 0.375): "Speed, with one standard deviation",
    (0.675, 0.375): "In words",
}


@dataclass(frozen=True)
class View:
    """A camera's image in the middle of the recording, (H, W, 3) uint8 BGR, and its stamp."""

    image: Array
    stamp: int


def main_track(recording: RoadRecording) -> Track:
    """Return the track that was measured most often.

    Raises:
        ValueError: If the recording holds no track.
    """
    track = recording.main_track
    if track is None:
        cure = "Its /diagnostics say why."
        raise ValueError(complain("recording", "of one track or more", "none", cure))
    xyz, seen = [], set()
    for points in recording.points3d:
        for row in np.flatnonzero(points.track_id == track[1]):
            if points.kind[row] == Kind.POINT:
                xyz.append(points.xyz[row])
            seen |= {(s.camera, s.track2d_id) for s in points.sightings[row]}
    pixels = {}
    for camera, images in recording.tracks2d.items():
        found = [
            (image.stamp, image.uv[row])
            for image in images
            for row in np.flatnonzero(image.measured)
            if (camera, image.track_id[row]) in seen
        ]
        stamps = np.array([stamp for stamp, _ in found], np.int64)
        pixels[camera] = stamps, np.array([uv for _, uv in found]).reshape(-1, 2)
    return Track(recording.states(track), np.array(xyz).reshape(-1, 3), pixels)


def middle_views(
    rig: Rig, cameras: Sequence[str], videos: Mapping[str, Path], recording: RoadRecording
) -> dict[str, View]:
    """Return each camera's image next to the middle of the main track.

    Args:
        rig: Calibration of the cameras, and maybe of others.
        cameras: The ones that were played.
        videos: Camera → file; empty for the synthetic recording that the player makes.
        recording: What the road made of it.
    """
    middle = main_track(recording).middle.stamp
    views: dict[str, View] = {}
    for frame in _film(
        replace(rig, cameras={name: rig.cameras[name] for name in cameras}), videos
    ):
        if frame.stamp >= middle:
            views.setdefault(frame.camera, View(frame.image, frame.stamp))
        if len(views) == len(cameras):
            break
    return views


def draw_road(
    recording: RoadRecording,
    rig: Rig,
    views: Mapping[str, View],
    summary: Mapping[str, Any],
    path: str | Path,
    *,
    anonymous: bool = False,
) -> None:
    """Draw the picture and write it as PNG.

    Args:
        recording: What the road published.
        rig: Calibration.
        views: Camera → image, in the order in which they are shown.
        summary: As ``bench.summary`` makes it.
        path: Of the PNG.
        anonymous: Show the images as grey mosaics in which nobody can be recognised.
    """
    track = main_track(recording)
    colours = {name: CAMERAS[k % len(CAMERAS)] for k, name in enumerate(views)}
    cameras = {name: rig.cameras[name] for name in views}
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=SIZE, facecolor="white")
        FigureCanvasAgg(figure)
        for name, box in _boxes(views).items():
            image = mosaic(views[name].image) if anonymous else views[name].image
            axes = figure.add_axes(box)
            draw_view(axes, name, image, views[name].stamp, track.pixels[name], colours[name])
        space: dict[str, Any] = {"projection": "3d", "computed_zorder": False}
        draw_room(figure.add_axes((0.575, 0.375, 0.39, 0.60), **space), track, cameras, colours)
        draw_path(figure.add_axes((-0.015, -0.02, 0.31, 0.375), **space), track)
        draw_speed(figure.add_axes((0.365, 0.07, 0.26, 0.28)), track)
        write_words(figure.add_axes((0.675, 0.025, 0.315, 0.325)), summary)
        for (left, bottom), heading in HEADINGS.items():
            figure.text(left, bottom, heading, fontsize=10, fontweight="bold")
        figure.savefig(path, dpi=150)


def mosaic(image: Array) -> Array:
    """Return an image as pale grey squares of ``MOSAIC`` px, (H, W, 3) uint8."""
    height, width = image.shape[:2]
    small = (max(1, width // MOSAIC), max(1, height // MOSAIC))
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    coarse = cv2.resize(grey, small, interpolation=cv2.INTER_AREA)
    squares = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)
    pale = 90 + (0.62 * squares).astype(np.uint8)
    return np.repeat(pale[..., None], 3, axis=2)


def _film(rig: Rig, videos: Mapping[str, Path]) -> Recording:
    if videos:
        return VideoRecording(rig, dict(videos))
    made = PlayerSettings()
    return SyntheticRecording(
        rig, PATHS[made.motion], duration=made.duration, rate=made.frame_rate
    )


def _boxes(views: Mapping[str, View]) -> dict[str, tuple[float, float, float, float]]:
    """Return where each image goes, side by side in one row: left, bottom, width, height."""
    left, right, bottom, top, gap = 0.012, 0.625, 0.42, 0.965, 0.006
    widths = {}
    for name, view in views.items():
        height, width = view.image.shape[:2]
        widths[name] = width / height * SIZE[1] / SIZE[0]
    room = right - left - gap * (len(views) - 1)
    scale = min(top - bottom, room / sum(widths.values()))
    boxes = {}
    for name, width in widths.items():
        boxes[name] = (left, (top + bottom - scale) / 2, scale * width, scale)
        left += scale * width + gap
    return boxes
