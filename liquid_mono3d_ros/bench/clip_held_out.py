"""What the filter changes on the real clip, seen by a camera that had no part in it.

The other cameras locate the object, the filter follows it, and both the located and the filtered
position are projected into the camera left out. Its own 2D track is the judge: noisy itself, and
off by what the calibrations disagree, so that only differences between the rows mean something.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from liquid_mono3d_ros.bench.drone_runs import filters
from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.geometry.camera import Camera
from liquid_mono3d_ros.liquid.trajectory_filter import FilterSettings, TrackFilter
from liquid_mono3d_ros.records import Kind, Points3D, State, Tracks2D, Trajectories

Path = dict[int, Array]
"""Stamp → position, (3,) m, or pixel, (2,) px."""


def held_out(
    camera: Camera, seen: Sequence[Tracks2D], outputs: Sequence[Points3D]
) -> list[dict[str, Any]]:
    """Return a row for what was located, and one for each filter: now, and with its lag.

    Args:
        camera: The one left out.
        seen: Its 2D tracks.
        outputs: What the other cameras located.
    """
    judge = main_track(seen)
    paths = {"located": located(outputs)}
    for name, settings in filters().items():
        paths[name], paths[f"{name} lag {settings.lag}"] = filtered(outputs, settings)
    common = set(judge).intersection(*paths.values())
    return [
        {"left_out": camera.name, "method": name, **residuals(camera, judge, path, common)}
        for name, path in paths.items()
    ]


def main_track(seen: Sequence[Tracks2D]) -> Path:
    """Return stamp → pixel of the 2D track that was measured most often."""
    hits = Counter(
        int(track_id) for image in seen for track_id in image.track_id[image.measured].tolist()
    )
    ((best, _),) = hits.most_common(1)
    return {
        image.stamp: image.uv[row]
        for image in seen
        for row in np.flatnonzero((image.track_id == best) & image.measured)
    }


def located(outputs: Sequence[Points3D]) -> Path:
    """Return stamp → position of the first point of each instant."""
    return {p.stamp: p.xyz[0] for p in outputs if len(p) and p.kind[0] == Kind.POINT}


def filtered(outputs: Sequence[Points3D], settings: FilterSettings) -> tuple[Path, Path]:
    """Return stamp → position of the oldest track as soon as it was known, and smoothed."""
    track_filter, now, late = TrackFilter(settings), Path(), Path()
    for points in outputs:
        update = track_filter.update(points)
        now |= _oldest([update.now])
        late |= _oldest(update.lagged)
    return now, late


def _oldest(lots: Sequence[Trajectories]) -> Path:
    found: Mapping[int, list[Any]] = {
        lot.stamp: [t for t in lot.trajectories if t.state == State.CONFIRMED] for lot in lots
    }
    return {
        stamp: min(tracks, key=lambda t: t.track_id).xyz
        for stamp, tracks in found.items()
        if tracks
    }


def residuals(camera: Camera, judge: Path, path: Path, stamps: set[int]) -> dict[str, Any]:
    """Return how far projected positions are from the judge's pixels, and how they jump about.

    The jump is the second difference of the residual over the square root of 6: of white noise as
    large as the residual, and nothing of what the calibrations disagree.
    """
    order = sorted(stamps)
    uv = camera.project(np.array([path[stamp] for stamp in order]))
    away = uv - np.array([judge[stamp] for stamp in order])
    length = np.linalg.norm(away, axis=1)
    jumps = np.diff(away, n=2, axis=0) / np.sqrt(6)
    return {
        "n": len(order),
        "residual_median_px": float(np.median(length)),
        "residual_rms_px": float(np.sqrt(np.mean(length**2))),
        "jump_rms_px": float(np.sqrt(np.mean((jumps**2).sum(axis=1)))),
    }
