"""Recordings of the road → the tracks in them, as flights of which nobody knows the truth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from liquid_mono3d_ros.bench.recordings import read_road
from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.geometry.rig import Rig
from liquid_mono3d_ros.geometry.triangulator import GeometrySettings, Triangulator
from liquid_mono3d_ros.liquid.design import GRAVITY
from liquid_mono3d_ros.liquid.measurement import measure_position, sift
from liquid_mono3d_ros.records import SECOND, Kind, Points3D
from liquid_mono3d_ros.synth.flight_table import Flights, joined

HELD = 0.25
"""Part of each recording, its end, that nothing is fitted to."""
LONGEST = 120
"""Frames of one stretch of a track; the next one begins anew."""
PAUSE = SECOND
"""A track not measured for longer goes on as another one, ns."""
FEWEST = 8
"""Measurements that make a stretch."""

Sample = tuple[Array, Array, Array]
"""One measurement: z (3,) m, its white covariance R and its systematic one B, (3, 3) m²."""


@dataclass(frozen=True)
class RecordedTracks:
    """What recordings hold; ``xyz`` and ``velocity`` are NaN.

    Attributes:
        fit: From the first part of each recording.
        held: From the last part of each.
        frame_id: Of all of them.
    """

    fit: Flights
    held: Flights
    frame_id: str


def read_tracks(paths: Sequence[str | Path], rig: Rig | None = None) -> RecordedTracks:
    """Read recordings, each cut in two.

    Args:
        paths: MCAP files as the recorder writes them.
        rig: Calibration, for files that hold 2D tracks and no points.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file holds nothing to learn from, or the files differ in frame.
    """
    parts: dict[str, list[Flights]] = {"fit": [], "held": []}
    frames = set()
    for path in paths:
        points = read_points(path, rig)
        frames |= {one.frame_id for one in points}
        stamps = [one.stamp for one in points]
        cut = min(stamps) + round((1 - HELD) * (max(stamps) - min(stamps)))
        halves = {
            "fit": [one for one in points if one.stamp <= cut],
            "held": [one for one in points if one.stamp > cut],
        }
        for name, half in halves.items():
            found = stretches(half)
            if not len(found):
                rule = f"recordings whose first {1 - HELD:.0%} and last {HELD:.0%} hold tracks"
                got, cure = f"none in the {name} part of '{path}'", "Record for longer."
                raise ValueError(complain("--data", rule, got, cure))
            parts[name].append(found)
    if len(frames) > 1:
        cure = "Train on those of one frame at a time."
        raise ValueError(complain("--data", "of one frame_id", ", ".join(sorted(frames)), cure))
    return RecordedTracks(joined(parts["fit"]), joined(parts["held"]), frames.pop())


def read_points(path: str | Path, rig: Rig | None) -> list[Points3D]:
    """Return the points of a recording; triangulated anew where it holds 2D tracks alone."""
    recording = read_road(path)
    if recording.points3d:
        return list(recording.points3d)
    if not recording.tracks2d:
        cure = "Record points3d, or tracks2d of every camera."
        raise ValueError(complain("--data", "recordings with tracks", f"none in '{path}'", cure))
    if rig is None:
        got = f"none, and '{path}' holds 2D tracks alone"
        raise ValueError(complain("--rig", "a rig file", got, "Give the calibration."))
    triangulator = Triangulator(GeometrySettings(), rig)
    images = [image for camera in recording.tracks2d.values() for image in camera]
    images.sort(key=lambda image: image.stamp)
    points = [one for image in images for one in triangulator.add(image)]
    if not points:
        got, cure = f"'{path}', of which this rig makes no points", "Ask the doctor about the rig."
        raise ValueError(complain("--data", "of this rig", got, cure))
    return points


def stretches(points: Iterable[Points3D]) -> Flights:
    """Return every track with its frames; bearings and faulty points count as not seen."""
    frames: defaultdict[int, set[int]] = defaultdict(set)
    tracks: defaultdict[tuple[int, int], dict[int, Sample]] = defaultdict(dict)
    for one in points:
        frames[one.epoch].add(one.stamp)
        rows = np.flatnonzero(sift(one)[0] & (one.kind == Kind.POINT))
        measured = measure_position(one, rows)
        B = measured.B if measured.B.size else np.zeros_like(measured.R)
        for k, row in enumerate(rows.tolist()):
            sample = measured.z[k], measured.R[k], B[k]
            tracks[one.epoch, int(one.track_id[row])][one.stamp] = sample
    found = []
    for (epoch, _), samples in tracks.items():
        stamps = sorted(frames[epoch])
        found += [_flight(part, samples) for part in _parts(stamps, samples)]
    return joined(found) if found else _nothing()


def _parts(stamps: Sequence[int], samples: dict[int, Sample]) -> list[list[int]]:
    """Return the frames of each stretch: from a measurement to one, without a long pause."""
    parts: list[list[int]] = []
    last = None
    for stamp in stamps:
        is_measured = stamp in samples
        new = last is None or stamp - last > PAUSE or len(parts[-1]) >= LONGEST
        if new and is_measured:
            parts.append([])
        if is_measured:
            last = stamp
        if parts and last is not None and stamp - last <= PAUSE and len(parts[-1]) < LONGEST:
            parts[-1].append(stamp)
    for part in parts:
        while part[-1] not in samples:
            part.pop()
    return [part for part in parts if sum(stamp in samples for stamp in part) >= FEWEST]


def _flight(stamps: Sequence[int], samples: dict[int, Sample]) -> Flights:
    """Return one track, padded to ``LONGEST`` frames in which nothing is seen."""
    n = len(stamps)
    t = np.array([(stamp - stamps[0]) / SECOND for stamp in stamps])
    after = t[-1] + np.median(np.diff(t)) * np.arange(1, LONGEST - n + 1)
    seen = np.zeros(LONGEST, dtype=bool)
    z, R, B = (
        np.zeros((LONGEST, 3)),
        np.tile(np.eye(3), (LONGEST, 1, 1)),
        np.zeros((LONGEST, 3, 3)),
    )
    for k, stamp in enumerate(stamps):
        if stamp in samples:
            seen[k], (z[k], R[k], B[k]) = True, samples[stamp]
    unknown = np.full((1, LONGEST, 3), np.nan)
    return Flights(
        t=np.concatenate([t, after])[None],
        seen=seen[None],
        z=z[None],
        R=R[None],
        B=B[None],
        xyz=unknown,
        velocity=unknown,
        gravity=np.array([[0.0, 0.0, -GRAVITY]]),
        family=np.zeros(1, dtype=int),
        outlier=np.zeros((1, LONGEST), dtype=bool),
    )


def _nothing() -> Flights:
    one = _flight([0, 1], {0: (np.zeros(3), np.eye(3), np.zeros((3, 3)))})
    return Flights(**{field.name: getattr(one, field.name)[:0] for field in fields(Flights)})
